//! Stopping all threads of a process by ptrace, and letting them go on.
//!
//! Threads are seized (`PTRACE_SEIZE`), which sends no signal. All that a tracer did ends when the *thread* that traces
//! ends, however it does: the kernel lets its threads go, with the signals that they were about to take. So each stop is
//! a thread of its own, and what happens when pycore is killed is what always happens.

use super::error::LiveProblem;
use super::memory::pid;
use super::permission;
use super::place::Place;
use super::{registers, threads};
use crate::addr::Machine;
use crate::process::NativeThread;
use crate::report::ThreadState;
use log::info;
use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::{Duration, Instant};

/// How often threads are listed in search of new ones.
const MAX_ROUNDS: usize = 1000;
/// How long a thread may take to stop. It needs a processor for that.
const STOP_TIME: Duration = Duration::from_secs(5);
/// How long a thread in uninterruptible sleep may take.
const SLEEP_TIME: Duration = Duration::from_millis(2);
/// How long a stop of our own may take to end before the next one begins.
const END_TIME: Duration = Duration::from_secs(1);

/// What is to be stopped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Where it is.
    pub(super) place: Place,
    /// Its machine.
    pub(super) machine: Machine,
    /// Whether it is in a pid namespace of its own.
    pub(super) inner: bool,
}

/// All threads of a process, stopped.
pub(super) struct Stopped {
    /// Ascending by id.
    pub(super) threads: Vec<NativeThread>,
    /// What is not as it should be.
    pub(super) warnings: Vec<String>,
}

/// How a thread is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// It runs, and reports to us.
    Seized,
    /// It is stopped; the signal that it was about to take.
    Stopped(Option<Signal>),
    /// It is stopped before a signal that has no name here: only the end of the tracing thread lets it go as it should.
    StoppedBeforeSignal,
    /// It will stop before it leaves the kernel, if it ever does.
    Awaited,
    /// It has ended.
    Gone,
}

/// Stops all threads of `target`, calls `body`, and lets them go on. The calling thread has to end afterwards.
///
/// # Errors
/// A thread cannot be traced.
pub(super) fn while_stopped<T>(target: Target, body: impl FnOnce(Stopped) -> T) -> Result<T, LiveProblem> {
    let mut tracer = Tracer { target, held: BTreeMap::new(), warnings: Vec::new(), began: Instant::now() };
    let result = tracer.stop().map(|()| body(tracer.stopped()));
    tracer.let_go();
    info!("all {} threads were stopped for {:?}", tracer.held.len(), tracer.began.elapsed());
    result
}

struct Tracer {
    target: Target,
    held: BTreeMap<u32, (Hold, NativeThread)>,
    warnings: Vec<String>,
    /// When the threads were stopped that had something to do.
    began: Instant,
}

impl Tracer {
    fn stop(&mut self) -> Result<(), LiveProblem> {
        self.seize_new()?;
        // Who sleeps does not miss the time that it takes to stop the others.
        self.interrupt(|thread| thread.state != Some(ThreadState::Running));
        self.began = Instant::now();
        self.interrupt(|_| true);
        for _ in 0..MAX_ROUNDS {
            if self.is_complete() || !self.seize_new()? {
                return Ok(());
            }
            self.interrupt(|_| true);
        }
        self.warnings
            .push("new threads began faster than they could be stopped: some may have gone on".to_owned());
        Ok(())
    }

    /// Whether the kernel counts as many threads as are held.
    fn is_complete(&self) -> bool {
        // A folder has two links of its own, and one for each folder in it.
        let listed = std::fs::metadata(self.target.place.tasks()).map(|tasks| tasks.nlink());
        let gone = self.held.values().any(|(hold, _)| *hold == Hold::Gone);
        !gone && listed.is_ok_and(|links| links == self.held.len() as u64 + 2)
    }

    /// Seizes the threads that are not held yet; whether there were any.
    fn seize_new(&mut self) -> Result<bool, LiveProblem> {
        let Target { place, inner, .. } = self.target;
        let listed = threads::ids(place).map_err(|_| LiveProblem::Ended)?;
        let mut any = false;
        for tid in listed {
            if self.held.contains_key(&tid) {
                continue;
            }
            let thread = threads::describe(place, tid, inner);
            let hold = if self.seize(tid)? { Hold::Seized } else { Hold::Gone };
            any |= hold == Hold::Seized;
            self.held.insert(tid, (hold, thread));
        }
        Ok(any)
    }

    /// Seizes one thread; `false` if it has ended.
    fn seize(&self, tid: u32) -> Result<bool, LiveProblem> {
        let began = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match ptrace::seize(pid(tid), ptrace::Options::empty()) {
                Ok(()) => return Ok(true),
                Err(Errno::ESRCH) => return Ok(false),
                Err(error) => error,
            };
            if matches!(threads::state_of(self.target.place, tid), None | Some(ThreadState::Ended)) {
                return Ok(false);
            }
            let tracer = permission::tracer_of(tid);
            let is_own = tracer
                .is_some_and(|tracer| std::fs::exists(format!("/proc/self/task/{tracer}")).unwrap_or(false));
            // The stop before this one may have ended between the two looks.
            let may_be_over = tries == 1 && tracer.is_none();
            if !(is_own || may_be_over) || began.elapsed() > END_TIME {
                return Err(permission::problem(
                    "stopping it with ptrace",
                    error.into(),
                    self.target.place,
                    tracer,
                ));
            }
            thread::sleep(Duration::from_micros(100));
        }
    }

    /// Stops those of the seized threads that are `meant`, and reads their registers.
    fn interrupt(&mut self, meant: impl Fn(&NativeThread) -> bool) {
        let Target { place, machine, .. } = self.target;
        let mut running = Vec::new();
        for (&tid, (hold, thread)) in &mut self.held {
            if *hold == Hold::Seized && meant(thread) {
                match ptrace::interrupt(pid(tid)) {
                    Ok(()) => running.push((tid, hold, thread)),
                    Err(_) => *hold = Hold::Gone,
                }
            }
        }
        for (tid, hold, thread) in running {
            *hold = wait(place, tid, &mut thread.state);
            match hold {
                Hold::Gone => continue,
                Hold::Awaited if thread.state != Some(ThreadState::Uninterruptible) => {
                    self.warnings.push(format!("thread {tid} did not stop within {} s", STOP_TIME.as_secs()));
                }
                _ => {}
            }
            if let Ok(found) = ptrace::getregs(pid(tid)) {
                let slept = thread.state == Some(ThreadState::Sleeping);
                threads::add_registers(thread, &registers::read(&found, slept), machine);
            }
        }
    }

    fn stopped(&mut self) -> Stopped {
        let threads = self.held.values().filter(|(hold, _)| *hold != Hold::Gone);
        Stopped {
            threads: threads.map(|(_, thread)| thread.clone()).collect(),
            warnings: std::mem::take(&mut self.warnings),
        }
    }

    /// Lets all threads go on, those first that have something to do.
    fn let_go(&self) {
        let is_running = |thread: &NativeThread| thread.state == Some(ThreadState::Running);
        let (running, rest): (Vec<_>, Vec<_>) =
            self.held.iter().partition(|(_, (_, thread))| is_running(thread));
        for (&tid, (hold, _)) in running.into_iter().chain(rest) {
            if let Hold::Stopped(signal) = *hold {
                // Who was killed meanwhile needs no more.
                let _ = ptrace::detach(pid(tid), signal);
            }
        }
    }
}

/// Waits until the thread `tid` has stopped.
fn wait(place: Place, tid: u32, state: &mut Option<ThreadState>) -> Hold {
    const SPINS: u32 = 200;
    let began = Instant::now();
    let mut spins = 0;
    loop {
        match waitpid(pid(tid), Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::PtraceEvent(_, signal, libc::PTRACE_EVENT_STOP)) => {
                // Job control had stopped it before, and will keep it stopped.
                if signal != Signal::SIGTRAP {
                    *state = Some(ThreadState::Stopped);
                }
                return Hold::Stopped(None);
            }
            Ok(WaitStatus::Stopped(_, signal)) => return Hold::Stopped(Some(signal)),
            Ok(WaitStatus::PtraceEvent(..) | WaitStatus::PtraceSyscall(_)) => return Hold::Stopped(None),
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::ECHILD | Errno::ESRCH) => {
                return Hold::Gone;
            }
            // It stopped before a real-time signal, which has no name.
            Err(Errno::EINVAL) => return Hold::StoppedBeforeSignal,
            Ok(WaitStatus::StillAlive | WaitStatus::Continued(_)) | Err(_) => {}
        }
        spins += 1;
        if spins < SPINS {
            thread::yield_now();
            continue;
        }
        thread::sleep(Duration::from_micros(50));
        let waited = began.elapsed();
        if waited > SLEEP_TIME {
            match threads::state_of(place, tid) {
                None => return Hold::Gone,
                Some(ThreadState::Uninterruptible) => {
                    *state = Some(ThreadState::Uninterruptible);
                    return Hold::Awaited;
                }
                now if waited > STOP_TIME => {
                    *state = now;
                    return Hold::Awaited;
                }
                Some(_) => {}
            }
        }
    }
}
