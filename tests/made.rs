//! Cores made here and now: of more mappings than a program header table can count, of a process in another root, of
//! one that is shortened while it is read. What the machine does not allow is skipped with a word.

use pycore_tests::cores::corpus;
use pycore_tests::program;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// A Python that pycore reads and that can be moved: pyenv's.
fn pyenv() -> Option<PathBuf> {
    let found = fs::read_dir("/root/.pyenv/versions").ok()?.flatten().map(|entry| entry.path());
    let found =
        found.filter(|path| path.join("bin/python3.13").exists() || path.join("bin/python3.12").exists());
    let found = found.max();
    if found.is_none() {
        eprintln!("skipped: there is no pyenv with a Python 3.12 or 3.13");
    }
    found
}

/// Runs a shell script in `folder` that leaves a core there.
fn core_of(folder: &Path, script: &str) -> Option<PathBuf> {
    let script = format!("ulimit -c unlimited; {script}");
    let done = Command::new("sh").args(["-c", &script]).current_dir(folder).output().unwrap();
    let mut entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let core = entries.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("core"));
    if core.is_none() {
        eprintln!("skipped: no core was written: {}", String::from_utf8_lossy(&done.stderr));
    }
    core
}

fn analyze(core: &Path, more: &[&str]) -> Value {
    let arguments = [&["analyze", core.to_str().unwrap(), "--format", "json", "--locals"], more].concat();
    let run = program::run(&arguments, LIMIT).unwrap();
    assert!(matches!(run.status.code(), Some(0 | 1)), "{run:?}");
    serde_json::from_slice(&run.stdout).unwrap()
}

fn functions(report: &Value) -> Vec<&str> {
    let frames = report["threads"][0]["frames"].as_array().map(Vec::as_slice).unwrap_or_default();
    frames.iter().filter_map(|frame| frame["function"].as_str()).collect()
}

/// `/proc/sys/vm/max_map_count`, raised while this lives.
struct ManyMaps(String);

const MAX_MAP_COUNT: &str = "/proc/sys/vm/max_map_count";

impl ManyMaps {
    fn allow(count: u32) -> Option<ManyMaps> {
        let before = fs::read_to_string(MAX_MAP_COUNT).ok()?;
        if before.trim().parse::<u32>().ok()? < count && fs::write(MAX_MAP_COUNT, count.to_string()).is_err()
        {
            eprintln!("skipped: {MAX_MAP_COUNT} is too low, and only root may change it");
            return None;
        }
        Some(ManyMaps(before))
    }
}

impl Drop for ManyMaps {
    fn drop(&mut self) {
        let _ = fs::write(MAX_MAP_COUNT, &self.0);
    }
}

#[test]
fn more_mappings_than_a_program_header_table_can_count() {
    let Some(python) = pyenv() else { return };
    let Some(_maps) = ManyMaps::allow(200_000) else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = "import mmap, os
def many(count):
    maps = [mmap.mmap(-1, 4096, prot=mmap.PROT_READ | (index % 2 and mmap.PROT_WRITE)) for index in range(count)]
    os.abort()
many(70000)
";
    fs::write(folder.path().join("many.py"), program).unwrap();
    let script = format!("{}/bin/python3 many.py", python.display());
    let Some(core) = core_of(folder.path(), &script) else { return };
    let header = {
        let mut bytes = vec![0; 64];
        std::io::Read::read_exact(&mut fs::File::open(&core).unwrap(), &mut bytes).unwrap();
        bytes
    };
    assert_eq!(u16::from_le_bytes([header[56], header[57]]), 0xffff, "PN_XNUM");
    let report = analyze(&core, &[]);
    assert_eq!(functions(&report), ["many", "<module>"]);
    assert_eq!(report["source"]["truncated"], false);
    // The kernel leaves out NT_FILE where it would take more than 4 MiB, counting all mappings (`fill_files_note`).
    let warnings = report["warnings"].as_array().unwrap();
    assert!(warnings.iter().all(|warning| warning.as_str().unwrap().contains("NT_FILE")), "{warnings:?}");

    let small = folder.path().join("small.zst");
    let arguments = ["shrink", core.to_str().unwrap(), "-o", small.to_str().unwrap()];
    let run = program::run(&arguments, LIMIT).unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
    assert!(small.metadata().unwrap().len() < 1 << 20);
    let of_small = analyze(&small, &["--no-files"]);
    for part in ["process", "python", "threads", "gaps", "warnings"] {
        assert_eq!(of_small[part], report[part], "{part}");
    }
}

/// Ends a process when it is dropped.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_files_of_a_process_in_another_root_are_found_by_the_root_of_a_live_one() {
    let Some(python) = pyenv() else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "set -e; mkdir -p root/usr root/opt/inside root/made
        for link in bin lib lib64 sbin; do ln -s usr/$link root/$link; done
        mount --bind /usr root/usr; mount --bind {} root/opt/inside
        cat > root/made/inside.py <<'END'
import os
def within(where):
    os.abort()
within('container')
END
        exec chroot root /bin/sh -c 'ulimit -c unlimited; cd /made
            LD_LIBRARY_PATH=/opt/inside/lib /opt/inside/bin/python3 inside.py; touch ready; exec sleep 100'",
        python.display()
    );
    let spawned = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = spawned else {
        return eprintln!("skipped: there is no unshare");
    };
    let mut container = Ended(child);
    let made = folder.path().join("root/made");
    let started = Instant::now();
    while !made.join("ready").exists() {
        if container.0.try_wait().unwrap().is_some() || started.elapsed() > LIMIT {
            return eprintln!("skipped: this user may not make a mount namespace and a chroot");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let Some(core) = core_of(&made, "true") else { return };
    let root = format!("/proc/{}/root", container.0.id());
    let report = analyze(&core, &["--sysroot", &root]);
    assert_eq!(functions(&report), ["within", "<module>"], "{}", report["diagnosis"]);
    let run = program::run(&["info", core.to_str().unwrap(), "--sysroot", &root, "--format", "json"], LIMIT);
    let info: Value = serde_json::from_slice(&run.unwrap().stdout).unwrap();
    let modules = info["modules"].as_array().unwrap();
    let library = modules.iter().find(|module| module["path"].as_str().unwrap().contains("/libpython3.1"));
    let file = library.unwrap()["file"].as_str().unwrap();
    assert!(file.starts_with(&format!("{root}/opt/inside/lib/libpython3.1")), "{file}");
    let without = analyze(&core, &["--no-files"]);
    assert!(["", "within"].contains(&functions(&without).first().copied().unwrap_or_default()));
}

/// A process that is still reading when its core is cut ends in order, or it was done before.
#[test]
fn a_core_that_is_shortened_while_it_is_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let core = corpus().into_iter().find(|core| core.name.ends_with("values_instances"));
    let Some(whole) = core.map(|core| core.decompressed().unwrap()) else {
        return eprintln!("skipped: the corpus is empty");
    };
    let path = folder.path().join("core");
    for attempt in 0..20 {
        fs::copy(whole.path(), &path).unwrap();
        let mut child = Command::new(program::path())
            .args(["analyze", path.to_str().unwrap(), "--no-files", "--locals", "--depth", "20"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let maps = format!("/proc/{}/maps", child.id());
        let mapped = || fs::read_to_string(&maps).unwrap_or_default().contains(path.to_str().unwrap());
        while !mapped() && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(attempt % 5));
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(4096).unwrap();
        let done = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&done.stderr);
        assert!(matches!(done.status.code(), Some(0..=2)), "{}: {stderr}", done.status);
        if stderr.contains("shortened by another process") {
            assert_eq!(done.status.code(), Some(2));
            return;
        }
    }
    panic!("pycore was never caught reading");
}
