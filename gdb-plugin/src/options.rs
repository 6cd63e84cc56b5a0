//! The options of a session, which come as JSON.

use pycore::addr::{Address, Machine};
use pycore::dump::FileSearch;
use pycore::process::{OperatingSystem, ProcessInfo, signal};
use pycore::report::{Source, SourceFormat};
use pycore::session::SessionOptions;
use serde::Deserialize;
use std::path::PathBuf;

/// What a debugger says of the process that it holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    machine: Machine,
    #[serde(default)]
    os: System,
    pid: Option<u32>,
    uid: Option<u32>,
    #[serde(default)]
    format: Format,
    /// The path of the core; of a live process its program's.
    path: Option<String>,
    /// The path of the main program, where it is not the first module's.
    executable: Option<String>,
    command_line: Option<Vec<String>>,
    crashed_tid: Option<u32>,
    signal: Option<Signal>,
    layout: Option<PathBuf>,
    /// Folders that hold a copy of the root of the machine where the process ran.
    #[serde(default)]
    sysroot: Vec<PathBuf>,
    /// Folders that hold libraries, and single files.
    #[serde(default)]
    lib_path: Vec<PathBuf>,
    /// Whether no file is looked at at all.
    #[serde(default)]
    no_files: bool,
    #[serde(default)]
    source_root: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum System {
    #[default]
    Linux,
    Windows,
    MacOs,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Format {
    #[default]
    Live,
    ElfCore,
    Minidump,
}

/// The signal that ended the process, by the parts of its `siginfo_t`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signal {
    number: i32,
    code: Option<i32>,
    address: Option<u64>,
    sender_pid: Option<u32>,
}

/// How a dump is opened, as on the command line.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DumpOptions {
    exe: Option<PathBuf>,
    sysroot: Vec<PathBuf>,
    lib_path: Vec<PathBuf>,
    no_files: bool,
    unpack_limit: Option<u64>,
    layout: Option<PathBuf>,
    source_root: Vec<PathBuf>,
}

/// How a live process is opened, as on the command line.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LiveOptions {
    pub(crate) nonblocking: bool,
    layout: Option<PathBuf>,
    source_root: Vec<PathBuf>,
}

impl LiveOptions {
    /// What they say of the session.
    pub(crate) fn session(&self) -> SessionOptions {
        SessionOptions { layout: self.layout.clone(), source_root: self.source_root.clone() }
    }
}

impl DumpOptions {
    /// What they say of the session.
    pub(crate) fn session(&self) -> SessionOptions {
        SessionOptions { layout: self.layout.clone(), source_root: self.source_root.clone() }
    }

    /// What they say of the files that the dump names.
    pub(crate) fn files(&self) -> FileSearch {
        FileSearch {
            exe: self.exe.clone(),
            sysroots: self.sysroot.clone(),
            lib_paths: self.lib_path.clone(),
            none: self.no_files,
            unpack_limit: self.unpack_limit,
            progress: None,
        }
    }
}

impl Options {
    /// What they say of the session.
    pub(crate) fn session(&self) -> SessionOptions {
        SessionOptions { layout: self.layout.clone(), source_root: self.source_root.clone() }
    }

    /// Where they say that the files of modules are.
    pub(crate) fn files(&self) -> FileSearch {
        FileSearch {
            sysroots: self.sysroot.clone(),
            lib_paths: self.lib_path.clone(),
            none: self.no_files,
            ..FileSearch::default()
        }
    }

    /// What they say of the process.
    pub(crate) fn process(&self) -> ProcessInfo {
        let told = |signal: &Signal| {
            signal::from_parts(signal.number, signal.code, signal.address.map(Address), signal.sender_pid)
        };
        ProcessInfo {
            os: match self.os {
                System::Linux => OperatingSystem::Linux,
                System::Windows => OperatingSystem::Windows,
                System::MacOs => OperatingSystem::MacOs,
            },
            pid: self.pid,
            uid: self.uid,
            executable: self.executable.clone(),
            command_line: self.command_line.clone(),
            signal: self.signal.as_ref().map(told),
            crashed_tid: self.crashed_tid,
            ..ProcessInfo::unknown(self.machine)
        }
    }

    /// What they say of where it is.
    pub(crate) fn source(&self) -> Source {
        let path = self.path.clone().or_else(|| self.pid.map(|pid| format!("/proc/{pid}")));
        let path = path.unwrap_or_default();
        Source {
            format: match self.format {
                Format::Live => SourceFormat::Live,
                Format::ElfCore => SourceFormat::ElfCore,
                Format::Minidump => SourceFormat::Minidump,
            },
            arch: self.machine.to_string(),
            size_bytes: std::fs::metadata(&path).map_or(0, |file| file.len()),
            path,
            truncated: false,
            time: None,
            host: None,
            boot_id: None,
            contents: None,
        }
    }
}
