//! How far it is: a bar where a person watches, else a line now and then.

use crate::cli::stderr;
use crate::render::sanitize::line;
use crate::report::Failure;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How often a log gets a line.
const OFTEN: Duration = Duration::from_secs(10);

/// Shows how far a run is.
pub(super) struct Progress {
    bar: ProgressBar,
    log: Option<Mutex<Log>>,
}

/// What a log was told.
struct Log {
    started: Instant,
    told: Instant,
    failed: usize,
}

impl Progress {
    pub(super) fn new(dumps: usize) -> Progress {
        const STYLE: &str = "{wide_bar} {pos}/{len} dumps, {per_sec}, {eta} left {msg}";
        let watched = std::io::stderr().is_terminal();
        let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(dumps as u64), target);
        if let Ok(style) = ProgressStyle::with_template(STYLE) {
            bar.set_style(style);
        }
        let now = Instant::now();
        let log = Mutex::new(Log { started: now, told: now, failed: 0 });
        Progress { bar, log: (!watched).then_some(log) }
    }

    /// One more dump is done; says what is wrong with it, if anything.
    pub(super) fn step(&self, failed: Option<(&str, &Failure)>) {
        self.bar.inc(1);
        if let Some((path, failure)) = failed {
            self.bar.println(format!("{}: {}", line(path), line(&failure.message)));
        }
        let Some(log) = &self.log else { return };
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.failed += usize::from(failed.is_some());
        if log.told.elapsed() >= OFTEN {
            log.told = Instant::now();
            self.tell(&log);
        }
    }

    /// All is done that will be.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
        if let Some(log) = &self.log {
            self.tell(&log.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn tell(&self, log: &Log) {
        let failed = match log.failed {
            0 => String::new(),
            failed => format!(", {failed} not readable"),
        };
        let (done, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
        stderr::note(&format!(
            "{done} of {all} dumps in {:.1} s{failed}",
            log.started.elapsed().as_secs_f64()
        ));
    }
}
