//! The machine, the operating system, and the process as a whole.

use super::directory::Streams;
use crate::addr::Machine;
use crate::dump::error::OpenProblem;
use crate::dump::origin::rfc3339;
use crate::process::OperatingSystem;
use crate::report::{self, Times};
use minidump::format::MINIDUMP_STREAM_TYPE;
use minidump::system_info::{Cpu, Os};
use minidump::{MinidumpMiscInfo, MinidumpStream as _, MinidumpSystemInfo};
use scroll::LE;

/// What the dump says of the machine and the process.
pub(super) struct System {
    pub(super) machine: Machine,
    pub(super) os: OperatingSystem,
    pub(super) pid: Option<u32>,
    pub(super) described: Option<report::System>,
    pub(super) times: Option<Times>,
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
    Ok(System {
        machine,
        os,
        pid: misc.as_ref().and_then(|misc| misc.raw.process_id().copied()),
        described: info.as_ref().map(|info| described(os, info)),
        times: misc.as_ref().and_then(|misc| times(misc, streams.time)),
        info,
    })
}

fn described(os: OperatingSystem, info: &MinidumpSystemInfo) -> report::System {
    let (version, build) = info.os_parts();
    report::System {
        os: os.to_string(),
        version: Some(version),
        build,
        cpu: info.cpu_info().map(|cpu| cpu.trim().to_owned()).filter(|cpu| !cpu.is_empty()),
        processors: info.raw.number_of_processors.into(),
    }
}

/// When the process began; `written`: when the dump was, in seconds since 1970.
fn times(misc: &MinidumpMiscInfo, written: u32) -> Option<Times> {
    let created = *misc.raw.process_create_time().filter(|&&created| created > 0)?;
    let seconds = |seconds: Option<&u32>| seconds.map(|&seconds| seconds.into());
    Some(Times {
        started: Some(rfc3339(created.into())),
        uptime_seconds: written.checked_sub(created).map(u64::from),
        user_seconds: seconds(misc.raw.process_user_time()),
        kernel_seconds: seconds(misc.raw.process_kernel_time()),
    })
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
