//! The machine, the operating system, and the process as a whole.

use super::directory::Streams;
use crate::addr::Machine;
use crate::dump::error::OpenProblem;
use crate::process::OperatingSystem;
use minidump::format::MINIDUMP_STREAM_TYPE;
use minidump::system_info::{Cpu, Os};
use minidump::{MinidumpMiscInfo, MinidumpStream as _, MinidumpSystemInfo};
use scroll::LE;

/// What the dump says of the machine and the process.
pub(super) struct System {
    pub(super) machine: Machine,
    pub(super) os: OperatingSystem,
    pub(super) pid: Option<u32>,
    /// The stream itself, by which contexts are read.
    pub(super) info: Option<MinidumpSystemInfo>,
}

/// Reads the streams `SystemInfo` and `MiscInfo`.
pub(super) fn read(streams: &Streams<'_>) -> Result<System, OpenProblem> {
    let info = streams
        .get(MINIDUMP_STREAM_TYPE::SystemInfoStream)
        .and_then(|stream| MinidumpSystemInfo::read(stream, streams.data, LE, None).ok());
    let misc = streams
        .get(MINIDUMP_STREAM_TYPE::MiscInfoStream)
        .and_then(|stream| MinidumpMiscInfo::read(stream, streams.data, LE, None).ok());
    if info.is_none() {
        streams.warn(
            "the dump does not say of which machine and operating system it is (no SystemInfo): it is taken for \
             one of 64-bit Windows on x86_64",
        );
    }
    let machine = match info.as_ref().map_or(Cpu::X86_64, |info| info.cpu) {
        Cpu::X86_64 => Machine::X86_64,
        Cpu::Arm64 => Machine::Aarch64,
        other => return Err(unsupported(other)),
    };
    let os = match info.as_ref().map_or(Os::Windows, |info| info.os) {
        Os::Windows | Os::Unknown(_) => OperatingSystem::Windows,
        Os::MacOs | Os::Ios => OperatingSystem::MacOs,
        Os::Linux | Os::Android | Os::Solaris | Os::Ps3 | Os::NaCl => OperatingSystem::Linux,
    };
    Ok(System { machine, os, pid: misc.and_then(|misc| misc.raw.process_id().copied()), info })
}

fn unsupported(cpu: Cpu) -> OpenProblem {
    let machine = match cpu {
        Cpu::X86 => "x86 (32-bit)".to_owned(),
        Cpu::Unknown(number) => format!("processor architecture {number}"),
        other => other.to_string(),
    };
    let missing = match cpu {
        Cpu::X86 | Cpu::Arm | Cpu::Mips | Cpu::Ppc => {
            "pointers are read as 8 bytes, and it has 4; there are no tables of CPython for 32-bit builds"
        }
        _ => "there are no tables of CPython for it, and nothing reads its registers",
    };
    OpenProblem::UnsupportedMinidump { machine, missing }
}
