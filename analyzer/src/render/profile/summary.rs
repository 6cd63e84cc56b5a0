//! A profile as a table for people: where the time went, by function and by thread.

use super::thread_label;
use crate::render::TextOptions;
use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::report::{Ended, Profile, SampledThreads};
use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};

/// How many functions and threads are listed.
const LISTED: usize = 20;

/// A function by its name and file, in whatever line.
type Function<'a> = (&'a str, &'a str);

/// Samples of a function.
#[derive(Clone, Copy, Default)]
struct Share {
    /// In which it was the innermost.
    own: u64,
    /// In which it was anywhere on the stack.
    total: u64,
}

/// Writes what was sampled and missed, the functions that had most of the samples, and the threads.
///
/// # Errors
/// Those of `out`.
pub fn profile_summary(profile: &Profile, out: &mut dyn Write, options: TextOptions) -> io::Result<()> {
    let mut p = Printer::new(out, options.colour);
    heading(profile, &mut p)?;
    let samples: u64 = profile.stacks.iter().map(|stack| stack.samples).sum();
    if samples > 0 {
        functions(profile, samples, &mut p)?;
        threads(profile, &mut p)?;
    }
    for warning in &profile.warnings {
        writeln!(p)?;
        p.paint(p.styles.warning, "warning:")?;
        writeln!(p, " {}", line(warning))?;
    }
    p.flush()
}

fn heading<W: Write>(profile: &Profile, p: &mut Printer<W>) -> io::Result<()> {
    let sampling = &profile.sampling;
    let missed = sampling.missed;
    let python = if profile.python.is_empty() { "unknown".to_owned() } else { profile.python.join(", ") };
    let text =
        format!("Process {}, Python {}: {}", profile.pid, line(&python), counted(sampling.taken, "sample"));
    p.paint(p.styles.summary, text)?;
    write!(p, " in {:.1} s at {} Hz", sampling.seconds, sampling.rate)?;
    match sampling.ended {
        Ended::Duration => writeln!(p)?,
        Ended::Interrupted => writeln!(p, ", interrupted")?,
        Ended::ProcessEnded => writeln!(p, "; then the process ended")?,
        Ended::InterpreterGone => writeln!(p, "; then its interpreter could not be read any more")?,
    }
    let of = match sampling.threads {
        SampledThreads::Running => "threads that run",
        SampledThreads::Gil => "threads that run and hold the GIL",
        SampledThreads::All => "all threads",
    };
    write!(p, "Sampled: {of}. Missed: {}", counted(missed.total(), "sample"))?;
    let reasons = [
        (missed.late, "too late"),
        (missed.torn, "changed while they were read"),
        (missed.unreadable, "not readable"),
    ];
    let reasons: Vec<_> =
        reasons.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}")).collect();
    if !reasons.is_empty() {
        write!(p, " ({})", reasons.join(", "))?;
    }
    writeln!(p, ".")
}

fn functions<W: Write>(profile: &Profile, samples: u64, p: &mut Printer<W>) -> io::Result<()> {
    let shares = shares(profile);
    let mut sorted: Vec<_> = shares.into_iter().collect();
    sorted.sort_by_key(|&(function, share)| (std::cmp::Reverse((share.own, share.total)), function));
    writeln!(p)?;
    p.paint(p.styles.heading, "    own   total  function")?;
    writeln!(p)?;
    for ((name, file), share) in sorted.iter().take(LISTED) {
        write!(p, "{} {}  ", percent(share.own, samples), percent(share.total, samples))?;
        p.paint(p.styles.name, line(name))?;
        write!(p, " (")?;
        p.paint(p.styles.place, line(file))?;
        writeln!(p, ")")?;
    }
    more(p, sorted.len())
}

/// The functions' shares of the samples of all threads.
fn shares(profile: &Profile) -> BTreeMap<Function<'_>, Share> {
    let mut shares: BTreeMap<Function<'_>, Share> = BTreeMap::new();
    for stack in &profile.stacks {
        let frames = stack.frames.iter().filter_map(|&frame| profile.frames.get(frame));
        let functions: Vec<Function<'_>> =
            frames.map(|frame| (frame.function.as_str(), frame.file.as_str())).collect();
        if let Some(&innermost) = functions.first() {
            shares.entry(innermost).or_default().own += stack.samples;
        }
        for function in functions.into_iter().collect::<HashSet<_>>() {
            shares.entry(function).or_default().total += stack.samples;
        }
    }
    shares
}

fn threads<W: Write>(profile: &Profile, p: &mut Printer<W>) -> io::Result<()> {
    let mut sorted: Vec<_> = profile.threads.iter().filter(|thread| thread.samples > 0).collect();
    sorted.sort_by_key(|thread| std::cmp::Reverse(thread.samples));
    writeln!(p)?;
    p.paint(p.styles.heading, "  share running    GIL  thread")?;
    writeln!(p)?;
    let taken = profile.sampling.taken;
    for thread in sorted.iter().take(LISTED) {
        let [share, running, gil] =
            [thread.samples, thread.running, thread.gil].map(|samples| percent(samples, taken));
        writeln!(p, "{share} {running} {gil}  {}", line(&thread_label(thread)))?;
    }
    more(p, sorted.len())
}

fn more<W: Write>(p: &mut Printer<W>, all: usize) -> io::Result<()> {
    match all.checked_sub(LISTED) {
        None | Some(0) => Ok(()),
        Some(rest) => writeln!(p, "  ... and {rest} more"),
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:6.1}%", part as f64 * 100.0 / whole.max(1) as f64)
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("{count} {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::profile::samples::profile;

    #[test]
    fn functions_are_listed_once_whatever_their_lines_and_recursions() {
        let mut out = Vec::new();
        profile_summary(&profile(), &mut out, TextOptions { colour: false }).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "Process 4711, Python 3.13.0: 5 samples in 0.1 s at 100 Hz
Sampled: threads that run. Missed: 1 sample (1 too late).

    own   total  function
  50.0%   50.0%  work (/app/app.py)
  33.3%   33.3%  <\\x1b[2J\">;\\n& (/a b;c.py)
  16.7%  100.0%  main (/app/app.py)

  share running    GIL  thread
  80.0%   80.0%   20.0%  MainThread (1)
  40.0%   40.0%   20.0%  Worker (2)
"
        );
    }
}
