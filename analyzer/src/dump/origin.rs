//! What the file of a core tells beside its bytes: its name, its extended attributes, the files beside it.
//!
//! systemd-coredump: `src/coredump/coredump.c` of systemd 254 (`make_filename`, `fix_xattr`); Apport: `fileutils.py`
//! of 2.28 (`get_core_path`) and what `apport-unpack` writes; ABRT: the elements of its problem directories; the
//! kernel's own: `core(5)`.

use super::input;
use crate::process::{ProcessInfo, signal};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// The longest text that is taken over, in bytes: the kernel's `PATH_MAX`.
const MAX_TEXT: usize = 4096;
/// What those who write cores append to names.
const EXTENSIONS: [&str; 6] = [".zst", ".lz4", ".xz", ".gz", ".bz2", ".lzma"];

/// What is known of a core from without. All of it may be wrong: names are given by anyone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    pid: Option<u32>,
    uid: Option<u32>,
    signal: Option<i32>,
    executable: Option<String>,
    /// The name of the process, as in `/proc/PID/comm`.
    name: Option<String>,
    /// When the process died, as RFC 3339 has it.
    pub(super) time: Option<String>,
    /// The machine's name.
    pub(super) host: Option<String>,
    /// `/proc/sys/kernel/random/boot_id`, without dashes.
    pub(super) boot_id: Option<String>,
    /// Where the process id comes from, if it is from somebody who knew it; a name like `core.1` may mean anything.
    pid_by: Option<&'static str>,
}

impl Origin {
    /// What is known of the open `file` at `path`.
    pub(super) fn of(path: &Path, file: &File) -> Origin {
        let mut origin = from_attributes(file);
        if !input::is_standard_input(path) {
            origin.fill(from_files_beside(path));
            origin.fill(from_name(path));
            if let Ok(real) = path.canonicalize() {
                origin.fill(from_name(&real));
            }
        }
        origin
    }

    /// Takes over what is not known yet.
    fn fill(&mut self, other: Origin) {
        if self.pid.is_none() {
            (self.pid, self.pid_by) = (other.pid, other.pid_by);
        }
        self.uid = self.uid.or(other.uid);
        self.signal = self.signal.or(other.signal);
        self.executable = self.executable.take().or(other.executable);
        self.name = self.name.take().or(other.name);
        self.time = self.time.take().or(other.time);
        self.host = self.host.take().or(other.host);
        self.boot_id = self.boot_id.take().or(other.boot_id);
    }

    /// Gives `process` what the core itself does not say; warns where they disagree, and the core is right.
    pub(super) fn complete(&self, process: &mut ProcessInfo) {
        let mut warnings = Vec::new();
        if let (Some(own), Some(told), Some(by)) = (process.pid, self.pid, self.pid_by)
            && own != told
        {
            warnings.push(format!(
                "{by} says that the process id was {told}, the core itself says {own}: it may have run in a \
                 container, or the file is of another process"
            ));
        }
        if let (Some(own), Some(told)) = (&process.signal, self.signal)
            && own.number != i64::from(told)
        {
            warnings.push(format!(
                "the core's file says that the signal was {}, the core itself says {}",
                signal::name(told),
                own.name
            ));
        }
        if let (Some(own), Some(told)) = (&process.executable, &self.executable)
            && own.starts_with('/')
            && own != told.trim_end_matches(" (deleted)")
        {
            warnings.push(format!(
                "the core's file says that the program was {told}, the core itself says {own}"
            ));
        }
        process.warnings.extend(warnings);
        process.pid = process.pid.or(self.pid);
        process.uid = process.uid.or(self.uid);
        if process.signal.is_none() {
            process.signal = self.signal.filter(|&number| signal::is_fatal(number)).map(signal::from_number);
        }
        if process.executable.is_none() {
            process.executable = self.executable.clone().or_else(|| self.name.clone());
        }
    }
}

/// What systemd-coredump notes at its files.
fn from_attributes(file: &File) -> Origin {
    let text = |name: &str| {
        let mut value = vec![0; MAX_TEXT];
        let size = rustix::fs::fgetxattr(file, format!("user.coredump.{name}"), &mut value[..]).ok()?;
        text_of(value.get(..size)?)
    };
    Origin {
        pid: text("pid").and_then(|text| text.parse().ok()),
        uid: text("uid").and_then(|text| text.parse().ok()),
        signal: text("signal").and_then(|text| text.parse().ok()),
        executable: text("exe"),
        name: text("comm"),
        time: text("timestamp").and_then(|text| time_of(&text)),
        host: text("hostname"),
        boot_id: None,
        pid_by: Some("systemd-coredump"),
    }
}

/// What ABRT, and Apport once its report is unpacked, keep in files beside a core.
fn from_files_beside(path: &Path) -> Origin {
    let text = |name: &str| {
        let beside = path.with_file_name(name);
        let Ok(input::Opened::Regular(file)) = input::open(&beside) else { return None };
        let mut bytes = Vec::new();
        file.take(MAX_TEXT as u64).read_to_end(&mut bytes).ok()?;
        text_of(bytes.trim_ascii_end())
    };
    match path.file_name().and_then(|name| name.to_str()) {
        Some("coredump") => Origin {
            pid: text("global_pid").or_else(|| text("pid")).and_then(|text| text.parse().ok()),
            uid: text("uid").and_then(|text| text.parse().ok()),
            executable: text("executable"),
            time: text("time").and_then(|text| time_of(&text)),
            host: text("hostname"),
            pid_by: Some("ABRT"),
            ..Origin::default()
        },
        Some("CoreDump") => Origin {
            signal: text("Signal").and_then(|text| text.parse().ok()),
            executable: text("ExecutablePath"),
            ..Origin::default()
        },
        _ => Origin::default(),
    }
}

/// What the name of a file tells.
fn from_name(path: &Path) -> Origin {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let name = EXTENSIONS.iter().find_map(|extension| name.strip_suffix(extension)).unwrap_or(&name);
    let Some(rest) = name.strip_prefix("core.") else {
        return Origin::default();
    };
    let parts = rest.split('.').collect::<Vec<_>>();
    match parts[..] {
        [pid] => Origin { pid: number(pid), ..Origin::default() },
        [comm, uid, boot_id, pid, time] => from_parts(comm, uid, boot_id, pid, time).unwrap_or_default(),
        _ => Origin::default(),
    }
}

/// `core.COMM.UID.BOOTID.PID.TIMESTAMP` of systemd; Apport has the program's path, a boot id with dashes, and at the end
/// the ticks between the machine's start and the process's.
fn from_parts(comm: &str, uid: &str, boot_id: &str, pid: &str, time: &str) -> Option<Origin> {
    const APPORT_BOOT_ID: usize = 36;
    const BOOT_ID: usize = 32;
    let plain_id = boot_id.replace('-', "");
    if plain_id.len() != BOOT_ID || !plain_id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let by_apport = boot_id.len() == APPORT_BOOT_ID;
    Some(Origin {
        pid: Some(number(pid)?),
        uid: Some(number(uid)?),
        name: text_of(&unescaped(comm)).filter(|_| !by_apport),
        time: time_of(time).filter(|_| !by_apport),
        boot_id: Some(plain_id),
        pid_by: Some("the core's file name"),
        ..Origin::default()
    })
}

/// A number of digits alone.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Undoes systemd's `\x2f`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("\\x") {
        bytes.extend(before.bytes());
        let byte = behind.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.zip(behind.get(2..)) {
            Some((byte, after)) => {
                bytes.push(byte);
                rest = after;
            }
            None => {
                bytes.extend(b"\\x");
                rest = behind;
            }
        }
    }
    bytes.extend(rest.bytes());
    bytes
}

fn text_of(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// A time in seconds since 1970, or microseconds as systemd has it, as RFC 3339 writes it in UTC.
fn time_of(text: &str) -> Option<String> {
    const MICROSECONDS: u64 = 1_000_000;
    const LATEST_IN_SECONDS: u64 = 100_000_000_000;
    let number: u64 = text.parse().ok()?;
    let seconds = if number > LATEST_IN_SECONDS { number / MICROSECONDS } else { number };
    if seconds > LATEST_IN_SECONDS {
        return None;
    }
    Some(rfc3339(seconds))
}

/// A time in seconds since 1970, in UTC as RFC 3339 writes it.
pub fn rfc3339(seconds: u64) -> String {
    const DAY: u64 = 86_400;
    let (year, month, day) = date_of(seconds / DAY);
    let second = seconds % DAY;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// Year, month and day of the Gregorian calendar, `days` after 1 January 1970.
fn date_of(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    const FROM_MARCH_OF_YEAR_0_TO_1970: u64 = 719_468;
    let days = days + FROM_MARCH_OF_YEAR_0_TO_1970;
    let era = days / DAYS_OF_400_YEARS;
    let day_of_era = days % DAYS_OF_400_YEARS;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Machine;

    const BOOT: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn systemds_names_tell_all() {
        for extension in ["", ".zst", ".lz4", ".xz"] {
            let name =
                format!("/var/lib/systemd/coredump/core.my\\x2fapp\\x2e1.1000.{BOOT}.4711.1700000000123456");
            let origin = from_name(Path::new(&(name + extension)));
            let expected = Origin {
                pid: Some(4711),
                uid: Some(1000),
                name: Some("my/app.1".to_owned()),
                time: Some("2023-11-14T22:13:20Z".to_owned()),
                boot_id: Some(BOOT.to_owned()),
                pid_by: Some("the core's file name"),
                ..Origin::default()
            };
            assert_eq!(origin, expected);
        }
    }

    #[test]
    fn apports_and_the_kernels_names_tell_what_they_have() {
        let dashed = "01234567-89ab-cdef-0123-456789abcdef";
        let origin = from_name(Path::new(&format!("core._usr_bin_python3_11.1000.{dashed}.4711.123456")));
        assert_eq!((origin.pid, origin.uid, origin.time), (Some(4711), Some(1000), None));
        assert_eq!(origin.boot_id.as_deref(), Some(BOOT));
        let origin = from_name(Path::new("core.4711"));
        assert_eq!((origin.pid, origin.pid_by), (Some(4711), None));
    }

    #[test]
    fn other_names_tell_nothing() {
        for name in [
            "core".to_owned(),
            "core.".to_owned(),
            "core.x".to_owned(),
            "core.-1".to_owned(),
            "core.99999999999".to_owned(),
            "small.core.zst".to_owned(),
            format!("core.a.b.{BOOT}.4711.1"),
            format!("core.a.1.{BOOT}x.4711.1"),
            format!("core.a.1.{}.4711.1", "é".repeat(16)),
            format!("core.a.b.c.1.{BOOT}.4711.1"),
        ] {
            let origin = from_name(Path::new(&name));
            assert_eq!(origin, Origin::default(), "{name}");
        }
        assert_eq!(unescaped(r"\x\x4\xzz\x41\xé"), r"\x\x4\xzzA\xé".as_bytes());
    }

    #[test]
    fn times_are_dates() {
        assert_eq!(time_of("0").as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(time_of("951782400").as_deref(), Some("2000-02-29T00:00:00Z"));
        assert_eq!(time_of("4107542399").as_deref(), Some("2100-02-28T23:59:59Z"));
        assert_eq!(time_of("4107542400").as_deref(), Some("2100-03-01T00:00:00Z"));
        assert_eq!(time_of("18446744073709551615"), None);
        assert_eq!(time_of("soon"), None);
    }

    #[test]
    fn the_core_itself_is_right_and_the_file_fills_gaps() {
        let origin = Origin {
            pid: Some(1),
            uid: Some(2),
            signal: Some(11),
            executable: Some("/bin/a".to_owned()),
            pid_by: Some("systemd-coredump"),
            ..Origin::default()
        };
        let mut empty = ProcessInfo::unknown(Machine::X86_64);
        origin.complete(&mut empty);
        assert_eq!((empty.pid, empty.uid, empty.executable.as_deref()), (Some(1), Some(2), Some("/bin/a")));
        assert_eq!(empty.signal.unwrap().name, "SIGSEGV");
        assert_eq!(empty.warnings, Vec::<String>::new());
        let mut full = ProcessInfo {
            pid: Some(7),
            uid: Some(8),
            signal: Some(signal::from_number(6)),
            executable: Some("/bin/b".to_owned()),
            ..ProcessInfo::unknown(Machine::X86_64)
        };
        origin.complete(&mut full);
        assert_eq!((full.pid, full.uid, full.signal.unwrap().number), (Some(7), Some(8), 6));
        assert_eq!(full.executable.as_deref(), Some("/bin/b"));
        assert_eq!(full.warnings.len(), 3);
    }
}
