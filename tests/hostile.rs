//! Damaged cores: whatever the bytes, pycore ends in time with an exit code of its own, within bounded memory.

use pycore_tests::cores::{RecordedCore, corpus, recorded};
use pycore_tests::program;
use pycore_tests::random::Random;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);
/// More address space than any damaged core may cost, in KiB.
const ADDRESS_SPACE: u32 = 4 << 20;
/// How the names of interpreters begin, and how they end.
const PYTHONS: [(&str, &str); 5] =
    [("3.7.", ""), ("3.8.", ""), ("3.11.", ""), ("3.13.", ""), ("3.", "-aarch64")];

/// A whole core of each of a few interpreters: of the corpus, else one that was recorded here.
fn samples() -> Vec<(String, Vec<u8>)> {
    let (corpus, recorded) = (corpus(), recorded());
    let choose = |(begin, end): &(&str, &str)| -> Option<(String, Vec<u8>)> {
        let wanted = |core: &&RecordedCore| {
            let other_machine = end.is_empty() && core.python.ends_with("-aarch64");
            core.python.starts_with(begin)
                && core.python.ends_with(end)
                && !other_machine
                && core.name.ends_with("values_instances")
        };
        if let Some(core) = corpus.iter().find(wanted) {
            return Some((core.name.clone(), std::fs::read(core.decompressed().unwrap().path()).unwrap()));
        }
        let core = recorded.iter().find(wanted)?;
        Some((core.name.clone(), std::fs::read(&core.core).unwrap()))
    };
    let found: Vec<_> = PYTHONS.iter().filter_map(choose).collect();
    assert!(!found.is_empty(), "no cores of `values_instances`: scripts/record-fixtures makes some");
    found
}

/// What is wrong with a run on these bytes.
fn misbehaviour(bytes: &[u8], format: &str) -> Option<String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"")])
        .arg(program::path())
        .arg("analyze")
        .arg(file.path())
        .args(["--locals", "--tasks", "--depth", "6", "--format", format]);
    match program::run_command(command, LIMIT) {
        Err(error) => Some(error),
        Ok(run) if !matches!(run.status.code(), Some(0..=2)) => {
            Some(format!("{}\n{}", run.status, run.stderr))
        }
        Ok(run) if run.stderr.contains("panicked") => Some(run.stderr),
        Ok(run) if run.status.code() == Some(2) && !run.stdout.is_empty() => {
            Some("output before failure".to_owned())
        }
        Ok(run) if run.status.code() == Some(2) && run.stderr.is_empty() => {
            Some("failure without a word".to_owned())
        }
        Ok(_) => None,
    }
}

/// How many times over all is done, each time with other random numbers: `HOSTILE_PASSES`.
fn passes() -> u64 {
    std::env::var("HOSTILE_PASSES").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// Damages each sample `rounds` times in a way of its own and gathers what goes wrong.
fn damage(seed: u64, rounds: usize, format: &str, change: impl Fn(&mut Vec<u8>, &mut Random, usize)) {
    let mut failures = Vec::new();
    for (name, whole) in samples() {
        for (pass, round) in (0..passes()).flat_map(|pass| (0..rounds).map(move |round| (pass, round))) {
            let mut random = Random::new(seed ^ pass << 16 ^ (round as u64) << 32);
            let mut bytes = whole.clone();
            change(&mut bytes, &mut random, round);
            if let Some(wrong) = misbehaviour(&bytes, format) {
                failures.push(format!("{name}, seed {seed}, pass {pass}, round {round}: {wrong}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} runs went wrong:\n{}", failures.len(), failures.join("\n"));
}

/// The file offset behind the program headers and notes: where memory begins.
fn memory_begins(core: &[u8]) -> usize {
    let count = usize::from(u16::from_le_bytes([core[56], core[57]]));
    let offsets = (0..count).map(|index| 64 + 56 * index).filter(|&at| word32(core, at) == 1);
    offsets.map(|at| word(core, at + 8)).filter(|&offset| offset > 0).min().unwrap_or(4096)
}

fn word32(core: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(core[at..at + 4].try_into().unwrap())
}

fn word(core: &[u8], at: usize) -> usize {
    usize::from_le_bytes(core[at..at + 8].try_into().unwrap())
}

/// The offsets of words that look like pointers of the process: above 4 GiB, canonical, of user space.
fn pointers(core: &[u8]) -> Vec<usize> {
    let first = memory_begins(core).next_multiple_of(8);
    (first..core.len() - 8)
        .step_by(8)
        .filter(|&at| (0x1_0000_0000..0x8000_0000_0000).contains(&word(core, at)))
        .collect()
}

#[test]
fn truncated() {
    damage(1, 24, "json", |bytes, random, round| {
        let length = match round {
            0..8 => bytes.len() * (round + 1) / 9,
            8..14 => random.below(memory_begins(bytes)),
            _ => random.below(bytes.len()),
        };
        bytes.truncate(length);
    });
}

#[test]
fn flipped_anywhere() {
    damage(2, 25, "text", |bytes, random, round| {
        for _ in 0..(1 << (round % 14)) {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
    });
}

#[test]
fn flipped_in_headers_and_notes() {
    damage(3, 40, "json", |bytes, random, round| {
        let end = memory_begins(bytes).min(bytes.len());
        for _ in 0..=round {
            let at = random.below(end);
            bytes[at] = random.number() as u8;
        }
    });
}

#[test]
fn pointers_overwritten() {
    damage(4, 30, "yaml", |bytes, random, round| {
        let found = pointers(bytes);
        for _ in 0..found.len() / [2, 10, 100, 1000, 10000][round % 5] {
            let (at, other) = (found[random.below(found.len())], found[random.below(found.len())]);
            let value = match random.below(5) {
                0 => 0,
                1 => usize::MAX,
                2 => word(bytes, at).wrapping_add(8),
                3 => random.number() as usize,
                _ => word(bytes, other),
            };
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
    });
}

/// Sizes, counts and indexes: small words become huge, negative or zero.
#[test]
fn counts_overwritten() {
    damage(5, 20, "json", |bytes, random, round| {
        let first = memory_begins(bytes).next_multiple_of(8);
        let small: Vec<usize> =
            (first..bytes.len() - 8).step_by(8).filter(|&at| (1..4096).contains(&word(bytes, at))).collect();
        for _ in 0..small.len() / [3, 30, 300, 3000][round % 4] {
            let at = small[random.below(small.len())];
            let value =
                [0, u64::MAX, 1 << 62, i64::MAX as u64, u64::from(u32::MAX), 1 << 31][random.below(6)];
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
    });
}

/// A core, packed in each way that is undone, that is cut or changed.
#[test]
fn compressed_and_damaged() {
    let Some(core) = corpus().into_iter().next() else {
        return eprintln!("skipped: the corpus is empty");
    };
    for packer in [
        "zstd -dc \"$1\" | zstd -qc",
        "zstd -dc \"$1\" | lz4 -qc",
        "zstd -dc \"$1\" | lz4 -qc -l",
        "zstd -dc \"$1\" | xz -c -1",
        "zstd -dc \"$1\" | gzip -c",
        "zstd -dc \"$1\" | bzip2 -c",
        "gzip -c \"$1\" | xz -c -1",
    ] {
        let script = format!("set -o pipefail; {packer}");
        let done = Command::new("bash").args(["-c", &script, "bash"]).arg(&core.core).output().unwrap();
        if !done.status.success() {
            eprintln!("skipped: {packer}: {}", String::from_utf8_lossy(&done.stderr));
            continue;
        }
        let whole = done.stdout;
        for round in 0..14 {
            let mut random = Random::new(7 ^ round << 32);
            let mut bytes = whole.clone();
            match round % 3 {
                0 => bytes.truncate(random.below(whole.len())),
                1 => {
                    let at = random.below(bytes.len());
                    bytes[at] ^= 1 << random.below(8);
                }
                _ => {
                    let headers = 40;
                    for _ in 0..=round / 3 {
                        bytes[random.below(headers)] = random.number() as u8;
                    }
                }
            }
            assert_eq!(misbehaviour(&bytes, "json"), None, "{packer}, round {round}");
        }
    }
}

/// Small files that unpack to very much end at a limit that the user sets, and take no memory.
#[test]
fn bombs_end_at_the_limit() {
    for packer in ["zstd -qc", "lz4 -qc", "xz -c -0", "gzip -c", "bzip2 -c", "gzip -c | gzip -c"] {
        let folder = tempfile::tempdir().unwrap();
        let script = format!("set -o pipefail; head -c 300M /dev/zero | {packer} > bomb");
        let made = Command::new("bash").args(["-c", &script]).current_dir(folder.path()).status().unwrap();
        if !made.success() {
            eprintln!("skipped: {packer}");
            continue;
        }
        let bomb = folder.path().join("bomb");
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -v 400000; exec \"$0\" \"$@\""]).arg(program::path());
        command.arg("analyze").arg(&bomb).args(["--unpack-limit", "256M"]);
        let run = program::run_command(command, LIMIT * 4).unwrap();
        assert_eq!(run.status.code(), Some(2), "{packer}: {run:?}");
        assert!(run.stderr.contains("unpacks to more than 268435456 bytes"), "{packer}: {}", run.stderr);
    }
}

/// Memory that repeats itself: all pages hold what one page holds.
#[test]
fn pages_repeated() {
    damage(6, 6, "json", |bytes, random, _| {
        const PAGE: usize = 4096;
        let first = memory_begins(bytes).next_multiple_of(PAGE);
        let pages = (bytes.len() - first) / PAGE;
        for _ in 0..pages / 4 {
            let (from, to) = (first + PAGE * random.below(pages), first + PAGE * random.below(pages));
            bytes.copy_within(from..from + PAGE, to);
        }
    });
}
