//! Many workers at a time.

use super::find::FoundDump;
use super::worker::{Answer, Worker, WorkerSettings};
use crate::report::Entry;
use rayon::ThreadPoolBuilder;
use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What came of one file.
#[derive(Debug)]
pub enum Event {
    /// A dump's entry.
    Entry(Box<Entry>),
    /// A packed file that holds no dump.
    NoDump,
}

/// Has all `dumps` analyzed by `jobs` workers, and tells `done` of each as it comes, from any thread. Setting `stop` ends
/// it: dumps that workers are at are left.
///
/// # Errors
/// When workers cannot be started, or `done` fails; what was done was told.
pub fn run(
    dumps: &[FoundDump],
    jobs: usize,
    settings: &WorkerSettings,
    stop: &AtomicBool,
    done: &(dyn Fn(Event) -> io::Result<()> + Sync),
) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let pool = ThreadPoolBuilder::new()
        .num_threads(jobs.min(dumps.len()).max(1))
        .thread_name(|index| format!("worker {index}"))
        .build()
        .map_err(io::Error::other)?;
    // A thread for each worker: a worker ends with the thread that started it.
    pool.broadcast(|_| {
        let mut worker = Worker::new(settings);
        while let Some(dump) = dumps.get(next.fetch_add(1, Ordering::Relaxed))
            && !stop.load(Ordering::Relaxed)
        {
            let outcome = worker.analyze(dump, stop).and_then(|answer| match answer {
                Answer::Entry(entry) => done(Event::Entry(entry)),
                Answer::Nothing => done(Event::NoDump),
                Answer::Interrupted => Ok(()),
            });
            if let Err(error) = outcome {
                stop.store(true, Ordering::Relaxed);
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}
