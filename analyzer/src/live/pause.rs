//! A process that stands still while somebody reads.

use super::error::LiveProblem;
use super::pages::PagedMemory;
use super::{LiveProcess, trace};
use crate::memory::Memory;
use crate::process::{Inferior, ProcessInfo};
use crate::report::Source;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// A stopped process: all of its threads stand still, so that all reads see one state. It goes on when this is dropped,
/// and also when pycore ends, however it does.
#[derive(Debug)]
pub struct Pause<'p> {
    process: &'p LiveProcess,
    info: ProcessInfo,
    /// Dropped, the tracer lets the threads go.
    resume: Option<Sender<()>>,
    tracer: Option<JoinHandle<()>>,
}

impl<'p> Pause<'p> {
    pub(super) fn begin(process: &'p LiveProcess) -> Result<Self, LiveProblem> {
        let target = process.target();
        let (resume, resumed) = mpsc::channel::<()>();
        let (report, reported) = mpsc::channel();
        let trace = move || {
            let held = trace::while_stopped(target, |stopped| {
                // Who began the pause waits for this; and if it does not, there is nobody to hold the process for.
                if report.send(Ok(stopped)).is_ok() {
                    let _ = resumed.recv();
                }
            });
            if let Err(problem) = held {
                let _ = report.send(Err(problem));
            }
        };
        let failed = |error| LiveProblem::Failed { what: "starting a thread", error };
        let tracer = thread::Builder::new().name("tracer".to_owned()).spawn(trace).map_err(failed)?;
        let stopped = reported.recv().unwrap_or(Err(LiveProblem::Ended))?;
        Ok(Pause { process, info: process.info_with(stopped), resume: Some(resume), tracer: Some(tracer) })
    }

    /// Its memory, kept page by page as it is read.
    pub fn paged_memory(&self) -> PagedMemory<'p> {
        self.process.paged_memory()
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        drop(self.resume.take());
        if let Some(tracer) = self.tracer.take() {
            let _ = tracer.join();
        }
    }
}

impl Inferior for Pause<'_> {
    fn source(&self) -> Source {
        self.process.source()
    }

    fn process(&self) -> &ProcessInfo {
        &self.info
    }

    fn memory(&self) -> Box<dyn Memory + '_> {
        self.process.memory()
    }

    fn module_file(&self, index: usize) -> Option<&[u8]> {
        self.process.module_file(index)
    }
}
