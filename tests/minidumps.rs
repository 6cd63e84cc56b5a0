//! Minidumps of real processes on Windows: beside what another reader makes of them, cut off, with less memory, shrunk.

use minidump::format::{MINIDUMP_DIRECTORY, MINIDUMP_HEADER, MINIDUMP_STREAM_TYPE};
use minidump::{
    Minidump, MinidumpException, MinidumpModuleList, MinidumpSystemInfo, MinidumpThreadList, Module as _,
};
use pycore_tests::cores::{RecordedCore, corpus, recorded};
use pycore_tests::program::{self, Run};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::NamedTempFile;

const LIMIT: Duration = Duration::from_secs(120);
/// At how many places dumps are cut off.
const CUTS: u64 = 50;

/// Larger dumps are left out where a test copies them, in bytes.
const LARGE: u64 = 200 << 20;

/// An unpacked minidump of full memory.
struct Dump {
    /// `3.12.10-windows/crash/exceptions`.
    name: String,
    file: NamedTempFile,
}

impl Dump {
    fn unpack(packed: &RecordedCore) -> Dump {
        let file = NamedTempFile::new().unwrap();
        // With -f, what is not packed goes through as it is.
        let done =
            Command::new("zstd").arg("-dqcf").arg(&packed.core).stdout(file.reopen().unwrap()).status();
        assert!(done.unwrap().success(), "{}", packed.name);
        Dump { name: packed.name.clone(), file }
    }

    fn path(&self) -> &Path {
        self.file.path()
    }
}

/// The dumps that `scripts/record-minidumps` made, one of each interpreter and variant, one after the other; else
/// those of the corpus.
fn dumps() -> impl Iterator<Item = Dump> {
    let mut seen = BTreeSet::new();
    let mut chosen = recorded();
    chosen.retain(|core| {
        let mut parts = core.name.split('/').skip(1);
        let is_whole = parts.next().is_some_and(|variant| ["crash", "inside", "outside"].contains(&variant));
        let first = core.name.rsplit_once('/').is_some_and(|(variant, _)| seen.insert(variant.to_owned()));
        core.python.ends_with("-windows") && is_whole && first
    });
    if chosen.is_empty() {
        eprintln!(
            "no recorded minidumps (scripts/record-minidumps makes them): those of the corpus are read"
        );
        chosen = corpus();
        chosen.retain(|core| core.python.ends_with("-windows"));
    }
    assert!(!chosen.is_empty());
    chosen.into_iter().map(|packed| Dump::unpack(&packed))
}

fn small_dumps() -> impl Iterator<Item = Dump> {
    dumps().filter(|dump| dump.path().metadata().is_ok_and(|data| data.len() < LARGE))
}

/// Of those the ones that hold all memory, to take some of it away.
fn full_dumps() -> impl Iterator<Item = Dump> {
    small_dumps().filter(|dump| {
        let is_full = dump.name.contains('/');
        if !is_full {
            eprintln!("skipped: {} is shrunk", dump.name);
        }
        is_full
    })
}

fn pycore(arguments: &[&str]) -> Run {
    program::run(arguments, LIMIT).unwrap()
}

fn json(command: &str, dump: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let arguments = [&[command, dump.to_str().unwrap(), "--no-files", "--format", "json"], more].concat();
    let run = pycore(&arguments);
    assert!(!run.stderr.contains("panicked"), "{}: {}", dump.display(), run.stderr);
    (run.status.code(), serde_json::from_slice(&run.stdout).unwrap_or_default())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn hex(value: u64) -> String {
    format!("{value:#x}")
}

#[test]
fn the_minidump_crate_sees_the_same_threads_modules_and_exception() {
    for dump in dumps() {
        let path = dump.path();
        let (code, ours) = json("info", path, &[]);
        assert_eq!(code, Some(0));
        let theirs = Minidump::read_path(path).unwrap();
        let info = theirs.get_stream::<MinidumpSystemInfo>().unwrap();
        let exception = theirs.get_stream::<MinidumpException<'_>>().ok();
        let crashed = exception.as_ref().map(|exception| exception.get_crashing_thread_id());
        let mut seen = BTreeMap::new();
        for thread in &theirs.get_stream::<MinidumpThreadList<'_>>().unwrap().threads {
            let id = thread.raw.thread_id;
            let own = thread.context(&info, None);
            let context = match &exception {
                Some(exception) if crashed == Some(id) => exception.context(&info, None).or(own),
                _ => own,
            };
            let pointer =
                context.map(|context| context.get_instruction_pointer()).filter(|&pointer| pointer != 0);
            seen.insert(u64::from(id), (pointer.map(hex), crashed == Some(id)));
        }
        let threads = list(&ours["threads"]).iter().map(|thread| {
            let pointer = thread["instruction_pointer"].as_str().map(str::to_owned);
            (thread["tid"].as_u64().unwrap(), (pointer, thread["crashed"] == true))
        });
        assert_eq!(threads.collect::<BTreeMap<_, _>>(), seen, "{}", dump.name);

        let modules = theirs.get_stream::<MinidumpModuleList>().unwrap();
        let seen: BTreeMap<_, _> = modules
            .iter()
            .map(|module| {
                let end = module.base_address() + module.size();
                (
                    hex(module.base_address()),
                    (hex(end), module.code_file().into_owned(), module.raw.time_date_stamp),
                )
            })
            .collect();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let ours_by_base: BTreeMap<_, _> = list(&ours["modules"])
            .iter()
            .map(|module| {
                let timestamp = module["timestamp"].as_u64().unwrap() as u32;
                (text(&module["base"]), (text(&module["end"]), text(&module["path"]), timestamp))
            })
            .collect();
        assert_eq!(ours_by_base, seen, "{}", dump.name);

        let ours = &ours["process"]["exception"];
        let Some(exception) = exception else {
            assert!(ours.is_null(), "{ours}");
            continue;
        };
        let record = &exception.raw.exception_record;
        assert_eq!(ours["code"], format!("{:#010x}", record.exception_code));
        assert_eq!(ours["address"], hex(record.exception_address));
        let accessed = exception.get_crash_address(info.os, info.cpu);
        assert_eq!(ours["parameters"][1], hex(accessed));
        let reason = exception.get_crash_reason(info.os, info.cpu).to_string();
        assert!(reason.starts_with(ours["name"].as_str().unwrap()), "{reason}: {ours}");
    }
}

/// The frames of each thread, as what can be compared of them.
fn frames(report: &Value) -> BTreeMap<u64, Vec<String>> {
    let frame = |frame: &Value| format!("{}:{} {}", frame["file"], frame["line"], frame["function"]);
    let threads = list(&report["threads"]).iter().filter(|thread| thread["python"] == true);
    let of = |thread: &Value| {
        let frames = list(&thread["frames"]).iter().filter(|frame| frame["kind"] == "python").map(frame);
        (thread["tid"].as_u64().unwrap_or_default(), frames.collect())
    };
    threads.map(of).collect()
}

/// Whether `some` comes from `all` by leaving out lines.
fn is_part(some: &[String], all: &[String]) -> bool {
    let mut all = all.iter();
    some.iter().all(|frame| all.any(|other| other == frame))
}

#[test]
fn cut_off_anywhere_it_has_no_frame_that_is_not_there() {
    for dump in small_dumps().step_by(4) {
        let path = dump.path();
        let whole = frames(&json("analyze", path, &[]).1);
        assert!(!whole.is_empty());
        let mut cut = NamedTempFile::new().unwrap();
        let size = std::io::copy(&mut fs::File::open(path).unwrap(), cut.as_file_mut()).unwrap();
        let mut with_frames = 0;
        for place in (0..CUTS).rev() {
            cut.as_file().set_len(size * place / CUTS + place).unwrap();
            let (code, report) = json("analyze", cut.path(), &["--locals"]);
            assert!(matches!(code, Some(0..=2)), "{code:?} at {place}");
            if report.is_null() {
                assert_eq!(code, Some(2));
                continue;
            }
            assert_eq!(report["source"]["truncated"], true);
            let found = frames(&report);
            with_frames += usize::from(found.values().any(|frames| !frames.is_empty()));
            for (thread, frames) in &found {
                let all = whole.get(thread).map(Vec::as_slice).unwrap_or_default();
                assert!(is_part(frames, all), "{} cut at {place}: {thread}: {frames:?}", dump.name);
            }
        }
        println!("{}: {with_frames} of {CUTS} cuts show frames", dump.name);
    }
}

#[test]
fn shrunk_it_gives_the_same_report() {
    let folder = tempfile::tempdir().unwrap();
    for (index, dump) in dumps().enumerate() {
        let path = dump.path();
        let small = folder.path().join(format!("{index}.dmp.zst"));
        let run = pycore(&["shrink", path.to_str().unwrap(), "-o", small.to_str().unwrap(), "--no-files"]);
        assert_eq!(run.status.code(), Some(0), "{}", run.stderr);
        assert!(small.metadata().unwrap().len() < 2 << 20, "{}", dump.name);
        for options in
            [&[][..], &["--locals", "--tasks"], &["--locals", "--depth", "8", "--max-items", "1000"]]
        {
            let reports = [path, small.as_path()].map(|path| {
                let (code, mut report) = json("analyze", path, options);
                report.as_object_mut().unwrap().remove("source");
                (code, report)
            });
            assert!(reports[0] == reports[1], "{} {options:?}", dump.name);
        }
    }
}

/// The dump at `path` with those parts of its memory that `keep` chooses of a range, and other flags.
fn with_less_memory(path: &Path, flags: u64, keep: impl Fn(u64, u64) -> Vec<(u64, u64)>) -> Vec<u8> {
    let data = fs::read(path).unwrap();
    let u32_at = |at: usize| u32::from_le_bytes(*data[at..].first_chunk().unwrap()) as usize;
    let u64_at = |at: usize| u64::from_le_bytes(*data[at..].first_chunk().unwrap());
    let entry_size = size_of::<MINIDUMP_DIRECTORY>();
    let directory = u32_at(12);
    let mut entries = (0..u32_at(8)).map(|index| directory + index * entry_size);
    let is_list = |entry: &usize| u32_at(*entry) == MINIDUMP_STREAM_TYPE::Memory64ListStream as usize;
    let entry = entries.find(is_list).unwrap();
    let list = u32_at(entry + 8);
    let (count, mut from) = (u64_at(list) as usize, u64_at(list + 8) as usize);
    let mut out = data[..from].to_vec();
    out[size_of::<MINIDUMP_HEADER>() - 8..size_of::<MINIDUMP_HEADER>()].copy_from_slice(&flags.to_le_bytes());
    let (mut descriptors, mut memory) = (Vec::new(), Vec::<u8>::new());
    for range in 0..count {
        let (start, size) = (u64_at(list + 16 + 16 * range), u64_at(list + 24 + 16 * range));
        for (first, end) in keep(start, start + size) {
            descriptors.extend([first, end - first]);
            let at = from + (first - start) as usize;
            memory.extend(&data[at..at + (end - first) as usize]);
        }
        from += size as usize;
    }
    out.resize(out.len().next_multiple_of(8), 0);
    let list = out.len();
    let words = [(descriptors.len() / 2) as u64, (list + 16 + 8 * descriptors.len()) as u64];
    out.extend(words.iter().chain(&descriptors).flat_map(|word| word.to_le_bytes()));
    let location = [(out.len() - list) as u32, list as u32].map(u32::to_le_bytes).concat();
    out[entry + 4..entry + 12].copy_from_slice(&location);
    out.extend(memory);
    out
}

#[test]
fn of_stacks_alone_it_says_why_there_is_no_python() {
    for dump in full_dumps() {
        let path = dump.path();
        let (_, whole) = json("info", path, &[]);
        let theirs = Minidump::read_path(path).unwrap();
        let info = theirs.get_stream::<MinidumpSystemInfo>().unwrap();
        let threads = theirs.get_stream::<MinidumpThreadList<'_>>().unwrap();
        let tops: Vec<u64> = threads
            .threads
            .iter()
            .filter_map(|thread| Some(thread.context(&info, None)?.get_stack_pointer()))
            .collect();
        let stacks = |start, end| {
            let used = tops.iter().filter(|top| (start..end).contains(*top));
            used.min().map(|&top| (top, end)).into_iter().collect()
        };
        let file = NamedTempFile::new().unwrap();
        fs::write(&file, with_less_memory(path, 0, stacks)).unwrap();
        let (code, report) = json("analyze", file.path(), &[]);
        assert_eq!(code, Some(1), "{}", dump.name);
        let summary = report["diagnosis"]["summary"].as_str().unwrap();
        for told in
            ["no Python shown", "thread stacks only", "MiniDumpWithFullMemory", "procdump -ma", "DumpType=2"]
        {
            assert!(summary.contains(told), "{summary}");
        }
        assert_eq!(list(&report["threads"]).len(), list(&whole["threads"]).len());
        assert_eq!(report["process"]["exception"], whole["process"]["exception"]);
        let (_, info) = json("info", file.path(), &[]);
        let names = |info: &Value| {
            list(&info["modules"]).iter().map(|module| module["path"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&info), names(&whole));
    }
}

/// What `MiniDumpWithPrivateReadWriteMemory | MiniDumpWithDataSegs` keeps: heaps and stacks, and what modules can write to.
#[test]
fn of_writable_memory_all_frames_are_shown() {
    const WRITABLE: u32 = 0x8000_0000;
    const FLAGS: u64 = 0x201;
    for dump in full_dumps() {
        let path = dump.path();
        let theirs = Minidump::read_path(path).unwrap();
        let modules = theirs.get_stream::<MinidumpModuleList>().unwrap();
        let memory = theirs.get_memory().unwrap();
        let word = |at: u64| -> Option<u32> { memory.memory_at_address(at)?.get_memory_at_address(at) };
        let sections = |base: u64| -> Option<Vec<(u64, u64)>> {
            let header = base + u64::from(word(base + 0x3c)?);
            let (count, optional) = (word(header + 6)? & 0xffff, word(header + 20)? & 0xffff);
            let table = header + 24 + u64::from(optional);
            let section = |index: u64| {
                let at = table + 40 * index;
                let (size, start) = (u64::from(word(at + 8)?), base + u64::from(word(at + 12)?));
                (word(at + 36)? & WRITABLE != 0).then_some((start, start + size.next_multiple_of(0x1000)))
            };
            Some((0..count.into()).filter_map(section).collect())
        };
        let images: Vec<_> = modules
            .iter()
            .map(|module| {
                let base = module.base_address();
                (base, base + module.size(), sections(base).unwrap_or_default())
            })
            .collect();
        let writable = |start: u64, end: u64| -> Vec<(u64, u64)> {
            match images.iter().find(|(first, last, _)| *first < end && start < *last) {
                None => vec![(start, end)],
                Some((.., sections)) => {
                    let within = sections.iter().map(|(first, last)| ((*first).max(start), (*last).min(end)));
                    within.filter(|(first, last)| first < last).collect()
                }
            }
        };
        let file = NamedTempFile::new().unwrap();
        fs::write(&file, with_less_memory(path, FLAGS, writable)).unwrap();
        let whole = frames(&json("analyze", path, &[]).1);
        let (code, report) = json("analyze", file.path(), &[]);
        assert_eq!(code, Some(0), "{}: {}", dump.name, report["diagnosis"]);
        assert_eq!(frames(&report), whole, "{}", dump.name);
    }
}
