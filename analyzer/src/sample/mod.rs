//! Looking at a live process many times a second: a statistical profile, without any code in the process.

mod halt;
mod picture;
mod recorder;
mod sampler;
mod schedule;
mod tasks;

use crate::addr::Address;
use crate::diagnosis;
use crate::layout::{Layout, LayoutRegistry, TableError};
use crate::live::{LiveError, LiveProcess};
use crate::memory::Memory;
use crate::process::{Inferior, NativeThreads, ProcessInfo};
use crate::report::{Ended, Missed, PROFILE_SCHEMA, Profile, SampledThreads, Sampling};
use crate::runtime::{self, NotFound};
use crate::stack::{self, Roots};
use log::{debug, info};
use nix::errno::Errno;
use recorder::{Frames, Recorder, ThreadKey};
use sampler::{Failure, Look, Names, Sampler};
use schedule::{Due, Schedule};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long to wait before an interpreter is looked for again: at first, and at most while the same program runs.
const FIND_AGAIN: Duration = Duration::from_millis(10);
const FIND_SELDOM: Duration = Duration::from_millis(500);
/// How long an interpreter that was found may be about to begin, or lists about to change.
const SETTLE: Duration = Duration::from_millis(500);
/// For how long no sample comes off before the interpreter is looked for again: the process may run another program.
const LOST: Duration = Duration::from_millis(500);
/// How often names of threads are looked up at most, and how often for the same threads.
const NAMES: Duration = Duration::from_millis(250);
const NAMES_TRIED: u32 = 8;
/// Within which time a thread stops that need not wait for a processor.
const SOON: Duration = Duration::from_millis(1);
/// How often the watcher is told.
const TELL: Duration = Duration::from_millis(250);

/// How to sample.
#[derive(Clone, Debug)]
pub struct SampleOptions {
    /// Samples a second; 0 is taken for 1.
    pub rate: u32,
    /// For how long; `None` for as long as the process lives.
    pub duration: Option<Duration>,
    /// Which threads' stacks are taken.
    pub threads: SampledThreads,
    /// Whether threads that could change a stack while it is read are stopped for that time.
    pub blocking: bool,
    /// Whether frames have the line that is executed, not the first line of their function.
    pub lines: bool,
    /// Whether to wait until there is an interpreter.
    pub wait: bool,
    /// A layout table of the user's own.
    pub layout: Option<PathBuf>,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The samples taken.
    pub taken: u64,
    /// The samples missed.
    pub missed: u64,
    /// Since the first.
    pub elapsed: Duration,
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The process cannot be looked into.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// A thread may not be stopped.
    #[error(
        "process {pid}: its threads cannot be stopped by ptrace ({error}); is a debugger attached to it? \
             --nonblocking samples without stopping"
    )]
    Refused {
        /// The process id.
        pid: u32,
        /// What the operating system says.
        error: Errno,
    },
    /// There is no interpreter in it.
    #[error("process {pid}: {why}")]
    NotFound {
        /// The process id.
        pid: u32,
        /// What was found instead.
        why: String,
    },
    /// It ended, or the user ended the waiting, before an interpreter was found.
    #[error("process {pid}: no Python interpreter was found in it while it ran")]
    NeverFound {
        /// The process id.
        pid: u32,
    },
    /// The user's table cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// An interpreter that was found.
struct LocatedRuntime {
    layout: Layout,
    roots: Roots,
    version: String,
    /// How far behind `pthread_self()` threads have their native id, for versions whose thread states have none.
    tid_offset: Option<u64>,
}

/// What was found in the process.
struct Found {
    process: ProcessInfo,
    runtimes: Vec<LocatedRuntime>,
    warnings: Vec<String>,
}

/// Samples the process `pid` until the time is over, it ends, or `stop` is set, which an interrupting signal should do.
/// `watch` is called now and then.
///
/// # Errors
/// The process cannot be looked into, or there is no interpreter in it.
pub fn sample(
    pid: u32,
    options: &SampleOptions,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(Progress),
) -> Result<Profile, SampleError> {
    let mut found = find_waiting(pid, options, stop)?;
    let pythons = found.runtimes.iter().map(|runtime| runtime.version.clone()).collect();
    let sampler = Sampler::new(pid, std::mem::take(&mut found.runtimes), options.clone());
    let mut session = Session {
        pid,
        options,
        sampler,
        frames: Frames::new(options.lines),
        recorder: Recorder::default(),
        missed: Missed::default(),
        names: HashMap::new(),
        unsure: HashMap::new(),
        named: Duration::ZERO,
        names_left: 0,
        schedule: Schedule::new(options.rate),
    };
    let ended = session.run(stop, watch)?;
    let seconds = session.schedule.elapsed().as_secs_f64();
    let Session { mut recorder, frames, missed, names, .. } = session;
    recorder.rename(|key| names.get(&key).cloned());
    let mut warnings = found.warnings;
    if recorder.is_cut() {
        warnings.push(
            "there were too many samples to keep all in the order of time; the counts are right".to_owned(),
        );
    }
    let taken = recorder.taken;
    let (threads, stacks) = recorder.finish();
    Ok(Profile {
        schema: PROFILE_SCHEMA,
        pid,
        executable: found.process.executable,
        command_line: found.process.command_line,
        python: pythons,
        sampling: Sampling {
            rate: options.rate.max(1),
            threads: options.threads,
            blocking: options.blocking,
            lines: options.lines,
            seconds,
            taken,
            missed,
            ended,
        },
        threads,
        frames: frames.into_all(),
        stacks,
        warnings,
    })
}

struct Session<'o> {
    pid: u32,
    options: &'o SampleOptions,
    sampler: Sampler,
    frames: Frames,
    recorder: Recorder,
    missed: Missed,
    names: HashMap<ThreadKey, String>,
    /// Names that may have been changed while they were read; who is called the same twice is called so.
    unsure: HashMap<ThreadKey, String>,
    /// When names were looked up last, since the beginning.
    named: Duration,
    /// How often they are to be looked up: a thread gets its name after it begins.
    names_left: u32,
    schedule: Schedule,
}

impl Session<'_> {
    fn run(&mut self, stop: &AtomicBool, watch: &mut dyn FnMut(Progress)) -> Result<Ended, SampleError> {
        let mut told = Duration::ZERO;
        let mut lost_since = None;
        loop {
            let due = self.schedule.wait();
            if stop.load(Ordering::Relaxed) {
                return Ok(Ended::Interrupted);
            }
            let elapsed = self.schedule.elapsed();
            if self.options.duration.is_some_and(|duration| elapsed >= duration) {
                return Ok(Ended::Duration);
            }
            let Due::Now { missed } = due else { continue };
            self.missed.late += missed;
            let names = self.names_left > 0 && elapsed >= self.named + NAMES;
            let look = self.sampler.look(&mut self.frames, names);
            let waited = self.sampler.take_waited();
            if waited >= SOON {
                // Where processors are short, a thread that is stopped as soon as it gets one would never come to run.
                self.schedule.rest(waited * 2);
            }
            match look {
                Ok(look) => {
                    lost_since = None;
                    self.add(look, elapsed);
                }
                Err(Failure::Gone) => return Ok(Ended::ProcessEnded),
                Err(Failure::Refused(error)) => {
                    return Err(SampleError::Refused { pid: self.pid, error });
                }
                Err(Failure::Torn) => self.missed.torn += 1,
                Err(Failure::Unreadable(error)) => {
                    debug!("not readable: {error}");
                    self.missed.unreadable += 1;
                    let since = *lost_since.get_or_insert(elapsed);
                    if elapsed - since >= LOST {
                        lost_since = None;
                        if let Some(ended) = self.find_again(stop) {
                            return Ok(ended);
                        }
                    }
                }
            }
            if elapsed >= told + TELL {
                told = elapsed;
                watch(Progress { taken: self.recorder.taken, missed: self.missed.total(), elapsed });
            }
        }
    }

    fn add(&mut self, look: Look, elapsed: Duration) {
        self.missed.unreadable += u64::from(look.unreadable);
        if let Some(Names { by_thread, certain }) = look.names {
            self.named = elapsed;
            self.names_left -= 1;
            for (thread, name) in by_thread {
                if certain || self.unsure.get(&thread) == Some(&name) {
                    self.names.insert(thread, name);
                } else {
                    self.unsure.insert(thread, name);
                }
            }
        }
        let (sampler, names_left) = (&mut self.sampler, &mut self.names_left);
        self.recorder.add(look.met, |key| {
            *names_left = NAMES_TRIED;
            sampler.native_name(key)
        });
    }

    /// Looks for the interpreter once more; what ends the sampling if there is none.
    fn find_again(&mut self, stop: &AtomicBool) -> Option<Ended> {
        info!("the interpreter is lost, and looked for again");
        match find_waiting(self.pid, self.options, stop) {
            Ok(found) => {
                self.sampler = Sampler::new(self.pid, found.runtimes, self.options.clone());
                self.names.clear();
                None
            }
            Err(_) if stop.load(Ordering::Relaxed) => Some(Ended::Interrupted),
            Err(_) if LiveProcess::open(self.pid).is_err() => Some(Ended::ProcessEnded),
            Err(_) => Some(Ended::InterpreterGone),
        }
    }
}

/// Finds the interpreters, as soon as there are any if that is to be waited for.
fn find_waiting(pid: u32, options: &SampleOptions, stop: &AtomicBool) -> Result<Found, SampleError> {
    let began = Instant::now();
    let mut program = None;
    let mut pause = FIND_AGAIN;
    loop {
        let now = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
        if now != program {
            program = now;
            pause = FIND_AGAIN;
        }
        let found = find(pid, options);
        match found {
            // One that is about to begin cannot tell its version yet.
            Ok(found) if began.elapsed() >= SETTLE || found.is_settled() => return Ok(found),
            Ok(_) => {}
            Err(error) if !options.wait && began.elapsed() >= SETTLE => return Err(error),
            Err(error @ (SampleError::NotFound { .. } | SampleError::Refused { .. })) => debug!("{error}"),
            Err(error @ SampleError::Live(_)) if options.wait => {
                debug!("{error}");
                return Err(SampleError::NeverFound { pid });
            }
            Err(error) => return Err(error),
        }
        if stop.load(Ordering::Relaxed) {
            return Err(SampleError::NeverFound { pid });
        }
        std::thread::sleep(pause);
        pause = (pause * 5 / 4).min(FIND_SELDOM);
    }
}

impl Found {
    fn is_settled(&self) -> bool {
        self.runtimes.iter().all(|runtime| runtime.version.matches('.').count() >= 2)
    }
}

fn find(pid: u32, options: &SampleOptions) -> Result<Found, SampleError> {
    let process = LiveProcess::open(pid)?;
    let registry = runtime::tables_for(&process, options.layout.as_deref())?;
    if options.blocking {
        let pause = process.pause()?;
        read(pid, &pause, &pause.paged_memory(), &registry)
    } else {
        read(pid, &process, &process.memory(), &registry)
    }
}

fn read(
    pid: u32,
    inferior: &dyn Inferior,
    memory: &dyn Memory,
    registry: &LayoutRegistry,
) -> Result<Found, SampleError> {
    let located = runtime::locate(inferior, memory, registry).map_err(|problem: NotFound| {
        SampleError::NotFound { pid, why: diagnosis::explain(&problem, &inferior.source()) }
    })?;
    let natives = NativeThreads::new(memory, inferior.process());
    let mut warnings = Vec::new();
    let runtimes = located.into_iter().map(|runtime| {
        let (major, minor) = runtime.layout.python;
        let inspector = crate::object::Inspector::new(memory, &runtime.layout);
        let (states, _) = stack::interpreter_states(&inspector, &runtime.roots);
        let mut threads = states.iter().flat_map(|state| &state.threads);
        warnings.extend(runtime.warnings);
        LocatedRuntime {
            tid_offset: threads.find_map(|thread| natives.offset_of_tid(Address(thread.thread_id))),
            version: runtime.fit.version.unwrap_or_else(|| format!("{major}.{minor}")),
            layout: runtime.layout,
            roots: runtime.roots,
        }
    });
    let runtimes = runtimes.collect();
    Ok(Found { process: inferior.process().clone(), runtimes, warnings })
}
