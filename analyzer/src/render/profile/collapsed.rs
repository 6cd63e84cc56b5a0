//! Folded stacks, as flamegraph.pl and its kin take them: `outer;inner count`.

use super::{Place, thread_label};
use crate::render::sanitize::line;
use crate::report::Profile;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Writes one line for each stack, those of all threads together or, with `threads`, below the thread's name.
///
/// # Errors
/// Those of `out`.
pub fn collapsed(profile: &Profile, out: &mut dyn Write, threads: bool) -> io::Result<()> {
    for (stack, samples) in folded(profile, threads) {
        writeln!(out, "{stack} {samples}")?;
    }
    Ok(())
}

/// Each stack and its samples, ascending by the text.
pub(super) fn folded(profile: &Profile, threads: bool) -> BTreeMap<String, u64> {
    let mut folded = BTreeMap::new();
    for stack in &profile.stacks {
        let thread = profile.threads.get(stack.thread).filter(|_| threads);
        let root = thread.map(|thread| part(&thread_label(thread)));
        let frames = stack.frames.iter().rev().filter_map(|&frame| profile.frames.get(frame));
        let parts: Vec<_> =
            root.into_iter().chain(frames.map(|frame| part(&Place(frame).to_string()))).collect();
        *folded.entry(parts.join(";")).or_default() += stack.samples;
    }
    folded
}

/// A part of a line: without what separates parts, and without what a terminal could obey.
fn part(text: &str) -> String {
    line(text).to_string().replace(';', ":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::profile::samples::profile;

    #[test]
    fn each_stack_is_a_line_that_nothing_in_it_can_break() {
        let text = |threads| {
            let mut out = Vec::new();
            collapsed(&profile(), &mut out, threads).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            text(false),
            "main (/app/app.py:10) 1\n\
             main (/app/app.py:10);<\\x1b[2J\">:\\n& (/a b:c.py:1) 2\n\
             main (/app/app.py:10);work (/app/app.py:20);work (/app/app.py:21) 3\n"
        );
        assert!(text(true).contains("\nWorker (2);main (/app/app.py:10);"), "{}", text(true));
    }
}
