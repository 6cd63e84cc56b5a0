//! What is said on standard error: errors, and with `-v` the steps taken.

use super::args::{Color, Global};
use crate::dump::Progress;
use crate::render::sanitize::{Guard, Notation, line};
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Sends log lines to standard error and fixes when colours are used.
pub(super) fn set_up(global: &Global) {
    match global.color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
    .write_global();
    let level = match global.verbose {
        0 => log::LevelFilter::Warn,
        1 => log::LevelFilter::Info,
        _ => log::LevelFilter::Debug,
    };
    env_logger::Builder::new()
        .filter_module("pycore", level)
        .format(|out, record| {
            let name = match record.level() {
                log::Level::Error | log::Level::Warn => "warning: ",
                _ => "",
            };
            writeln!(out, "pycore: {name}{}", line(&record.args().to_string()))
        })
        .init();
}

/// What shows how far long work is: nothing unless a person watches.
pub(super) fn progress() -> Option<Progress> {
    std::io::stderr().is_terminal().then_some(show_progress)
}

/// Shows how far long work is, in one line that is written over again; nothing of what takes less than a second.
fn show_progress(work: &str, done: u64, total: Option<u64>) {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    static SHOWN: AtomicU64 = AtomicU64::new(0);
    const SECOND: u64 = 1;
    let seconds = STARTED.get_or_init(Instant::now).elapsed().as_secs();
    if work.is_empty() && SHOWN.load(Ordering::Relaxed) > 0 {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    if work.is_empty() || seconds < SECOND || SHOWN.swap(seconds, Ordering::Relaxed) == seconds {
        return;
    }
    let mib = |bytes: u64| bytes >> 20;
    let of = total.map(|total| format!(" of {}", mib(total))).unwrap_or_default();
    // Nobody is left to be told when standard error is closed.
    let _ = write!(std::io::stderr(), "\r\x1b[Kpycore: {work}, {}{of} MiB\r", mib(done));
}

/// Says what is being done.
pub(super) fn note(text: &str) {
    say("pycore:", Style::new(), text);
}

/// Shows how far it is, in one line that is written over again; an empty text takes it away. Nothing unless a person
/// watches.
pub(super) fn status(text: &str) {
    if std::io::stderr().is_terminal() {
        // Nobody is left to be told when standard error is closed.
        let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
    }
}

/// Says why the command failed.
pub(super) fn error(error: &anyhow::Error) {
    say("error:", AnsiColor::Red.on_default().bold(), &with_causes(error));
}

/// The error and its causes, without those that the text before them holds already.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn say(heading: &str, style: Style, text: &str) {
    let mut stderr = AutoStream::auto(std::io::stderr().lock());
    let mut safe = Vec::new();
    // Nobody is left to be told when standard error is closed.
    let _ = writeln!(Guard::new(&mut safe, Notation::Python), "{text}");
    let _ = write!(stderr, "{style}{heading}{style:#} ").and_then(|()| stderr.write_all(&safe));
}

#[cfg(test)]
mod tests {
    use super::with_causes;
    use anyhow::Context as _;

    #[test]
    fn a_cause_is_said_once() {
        let io = || std::io::Error::other("no space");
        assert_eq!(with_causes(&io().into()), "no space");
        let said = Err::<(), _>(io()).context("x: no space").context("cannot write").unwrap_err();
        assert_eq!(with_causes(&said), "cannot write: x: no space");
    }
}
