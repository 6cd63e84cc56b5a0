//! One look at all threads.
//!
//! Not all threads have to be stopped for it: who does not hold the global interpreter lock changes nobody's frames. So
//! the thread that holds it is stopped, if it runs, and it is made sure of that it held it from before the look to after
//! it. Who took the lock of one that was stopped is stopped as well, and the look begins again. Where nobody holds it,
//! somebody who sleeps, or there is none (free-threaded builds: those that are attached are stopped), frames could change
//! meanwhile; then, and with `nonblocking` always, two pictures are taken, one right behind the other, and must show the
//! same frames and the same code.

use super::halt::Halt;
use super::picture::Picture;
use super::recorder::{Frames, Met, ThreadKey};
use super::tasks::Tasks;
use super::{LocatedRuntime, SampleOptions};
use crate::addr::Address;
use crate::layout::Layout;
use crate::live::Remote;
use crate::memory::Memory;
use crate::object::{Inspector, Unreadable};
use crate::report::SampledThreads;
use crate::stack::{self, InterpreterState, KeptCodes, RawFrame, Stacks, ThreadState};
use log::debug;
use nix::errno::Errno;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::time::Duration;

/// How often a look is taken when stacks change meanwhile, and when one cannot be read.
const ATTEMPTS: usize = 10;
const ATTEMPTS_TO_READ: usize = 3;
/// How many threads are stopped in one look because they took the lock of one that was.
const MAX_SUCCESSORS: usize = 16;

/// Looks at the threads of a process.
pub(super) struct Sampler {
    runtimes: Vec<LocatedRuntime>,
    options: SampleOptions,
    /// What frames lie in.
    picture: Picture,
    /// What tells who may run Python code.
    gil: Picture,
    tasks: Tasks,
    codes: Vec<KeptCodes>,
    /// The interpreters that were met last, by runtime.
    interpreters: Vec<Vec<Address>>,
    /// The threads that were met last: their native ids and thread states.
    threads: Vec<(u32, Address)>,
    /// How long threads took to stop since this was asked for.
    waited: Duration,
}

/// What came of a look.
pub(super) struct Look {
    /// The threads that were to be sampled.
    pub(super) met: Vec<Met>,
    /// Whether a stack could not be read.
    pub(super) unreadable: bool,
    /// The names that Python has for its threads, if they were asked for.
    pub(super) names: Option<Names>,
}

/// Names of threads.
pub(super) struct Names {
    pub(super) by_thread: HashMap<ThreadKey, String>,
    /// Whether nobody could change them while they were read.
    pub(super) certain: bool,
}

/// Why there is no sample.
#[derive(Debug)]
pub(super) enum Failure {
    /// The process has ended.
    Gone,
    /// It may not be stopped.
    Refused(Errno),
    /// The stacks changed while they were read.
    Torn,
    /// There is nothing that could be read.
    Unreadable(Unreadable),
}

impl From<Unreadable> for Failure {
    fn from(error: Unreadable) -> Self {
        Failure::Unreadable(error)
    }
}

/// By runtime and interpreter: the thread states that may run Python code, with the native ids of their threads.
type Runners = BTreeMap<(usize, Address), Vec<(Address, Option<u32>)>>;

impl Sampler {
    pub(super) fn new(pid: u32, runtimes: Vec<LocatedRuntime>, options: SampleOptions) -> Self {
        let remote = Rc::new(Remote::new(pid));
        Sampler {
            codes: runtimes.iter().map(|_| KeptCodes::default()).collect(),
            interpreters: runtimes.iter().map(|_| Vec::new()).collect(),
            runtimes,
            options,
            picture: Picture::new(Rc::clone(&remote)),
            gil: Picture::new(remote),
            tasks: Tasks::new(pid),
            threads: Vec::new(),
            waited: Duration::ZERO,
        }
    }

    /// How long threads took to stop since this was asked for last: the time that they waited for a processor.
    pub(super) fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }

    /// Looks at all threads, several times if need be; with `names`, also at what they are called.
    pub(super) fn look(&mut self, frames: &mut Frames, names: bool) -> Result<Look, Failure> {
        let mut unreadable = 0;
        for number in 1..ATTEMPTS {
            let look = self.attempt(frames, names, number > 1);
            match &look {
                Ok(Look { unreadable: false, .. }) | Err(Failure::Gone | Failure::Refused(_)) => return look,
                Err(Failure::Torn) => {}
                Ok(_) | Err(Failure::Unreadable(_)) => {
                    unreadable += 1;
                    if unreadable == ATTEMPTS_TO_READ {
                        return look;
                    }
                }
            }
        }
        self.attempt(frames, names, true)
    }

    /// Looks once. `again` is for when the holder of the lock changed while it was stopped.
    fn attempt(&mut self, frames: &mut Frames, names: bool, again: bool) -> Result<Look, Failure> {
        if self.interpreters.iter().all(Vec::is_empty) {
            self.find_interpreters()?;
        }
        let mut before = if self.options.blocking { self.runners_now()? } else { Runners::new() };
        let mut running = self.who_runs(&before);
        let mut halt = Halt::default();
        let mut stopped = HashSet::new();
        if self.options.blocking {
            self.stop_runners(&before, &running, &mut halt, &mut stopped)?;
            // Who took the lock meanwhile is stopped as well, beside those that had it.
            for _ in 0..if again { MAX_SUCCESSORS } else { 0 } {
                if !self.runners_changed(&before)? {
                    break;
                }
                before = self.runners_now()?;
                let running_now = self.who_runs(&before);
                self.stop_runners(&before, &running_now, &mut halt, &mut stopped)?;
            }
        }
        self.waited += halt.waited;
        // Whether nobody can change the frames of an interpreter's threads.
        let stands_still = |runtime: &LocatedRuntime, runners: &[(Address, Option<u32>)]| {
            !runtime.layout.free_threaded
                && !runners.is_empty()
                && runners.iter().all(|(state, _)| stopped.contains(state))
        };
        let all_stand_still = self.options.blocking
            && before.iter().all(|((runtime, _), runners)| {
                self.runtimes.get(*runtime).is_some_and(|runtime| stands_still(runtime, runners))
            });
        let wanted: Option<HashSet<Address>> = match (self.options.threads, self.options.blocking) {
            (SampledThreads::Running, _) => {
                let runs = self.threads.iter().filter(|(tid, _)| running.get(tid) == Some(&true));
                Some(runs.map(|(_, state)| *state).collect())
            }
            (SampledThreads::Gil, true) => Some(before.values().flatten().map(|(state, _)| *state).collect()),
            (SampledThreads::Gil, false) | (SampledThreads::All, _) => None,
        };
        let is_wanted = |owner| wanted.as_ref().is_none_or(|wanted| wanted.contains(&owner));
        self.picture.retake(is_wanted, !all_stand_still).map_err(|_| Failure::Gone)?;
        let mut look = Look { met: Vec::new(), unreadable: false, names: None };
        let mut threads = Vec::new();
        let mut torn = false;
        let mut doubtful = false;
        for (number, runtime) in self.runtimes.iter().enumerate() {
            let Some(codes) = self.codes.get(number) else { continue };
            let inspector = Inspector::new(&self.picture, &runtime.layout);
            let stacks = Stacks::with_kept(&inspector, codes);
            let (states, problems) = stack::interpreter_states(&inspector, &runtime.roots);
            if let Some(problem) = problems.into_iter().next() {
                return Err(problem.into());
            }
            for interpreter in &states {
                let key = (number, interpreter.address);
                let runners = match before.get(&key) {
                    Some(runners) => runners.clone(),
                    None => runners_of(&inspector, runtime, interpreter.address)?,
                };
                let still =
                    self.options.blocking && before.contains_key(&key) && stands_still(runtime, &runners);
                for thread in &interpreter.threads {
                    let tid = runtime.tid(&inspector, thread);
                    threads.extend(tid.map(|tid| (tid, thread.address)));
                    // The next attempt is to meet what runs now, however shortly it runs.
                    if torn {
                        continue;
                    }
                    let gil = runners.iter().any(|(state, _)| *state == thread.address);
                    if self.options.threads == SampledThreads::Gil && !gil {
                        continue;
                    }
                    let runs = tid.is_some_and(|tid| {
                        *running.entry(tid).or_insert_with(|| self.tasks.is_running(tid) == Some(true))
                    });
                    if self.options.threads != SampledThreads::All && !runs {
                        continue;
                    }
                    let in_doubt = !still && !stopped.contains(&thread.address);
                    doubtful |= in_doubt;
                    self.picture.set_owner(thread.address);
                    match self.read_stack(&runtime.layout, &stacks, codes, thread, in_doubt, frames) {
                        Ok(read) if read.is_empty() => {}
                        Ok(read) => look.met.push(Met {
                            thread: ThreadKey { tid, state: thread.address, runtime: number },
                            running: runs,
                            gil,
                            frames: read,
                        }),
                        Err(Failure::Torn) => torn = true,
                        Err(_) => look.unreadable = true,
                    }
                    self.picture.set_owner(Address::NULL);
                }
            }
            let (gaps, _) = inspector.take_gaps();
            if let Some(gap) = gaps.first() {
                debug!("not readable: {}: {}", gap.what, gap.why);
                look.unreadable = true;
            }
            if let Some(known) = self.interpreters.get_mut(number) {
                *known = states.iter().map(|state| state.address).collect();
            }
        }
        self.threads = threads;
        // What makes no sense may just have been about to change.
        if doubtful && (torn || look.unreadable || !self.picture.is_whole()) {
            return Err(Failure::Torn);
        }
        if names {
            look.names = Some(Names { by_thread: self.names(), certain: all_stand_still });
        }
        if self.options.blocking && self.runners_changed(&before)? {
            return Err(Failure::Torn);
        }
        Ok(look)
    }

    /// Stops those of `runners` that run and do not stand already.
    fn stop_runners(
        &mut self,
        runners: &Runners,
        running: &HashMap<u32, bool>,
        halt: &mut Halt,
        stopped: &mut HashSet<Address>,
    ) -> Result<(), Failure> {
        for &(state, tid) in runners.values().flatten() {
            if let Some(tid) = tid.filter(|tid| running.get(tid) == Some(&true))
                && stopped.insert(state)
            {
                let here = self.tasks.id_here(tid);
                halt.stop(here).map_err(Failure::Refused)?;
            }
        }
        Ok(())
    }

    /// Which of the threads run that were met last, or that may run Python code: asked before any is stopped.
    fn who_runs(&mut self, runners: &Runners) -> HashMap<u32, bool> {
        let mut running = HashMap::new();
        let of_runners = runners.values().flatten().filter_map(|(_, tid)| *tid);
        let others = self.threads.iter().map(|(tid, _)| *tid);
        let others = others.filter(|_| self.options.threads != SampledThreads::Gil);
        for tid in of_runners.chain(others) {
            running.entry(tid).or_insert_with(|| self.tasks.is_running(tid) == Some(true));
        }
        running
    }

    fn find_interpreters(&mut self) -> Result<(), Failure> {
        self.gil.retake(|_| true, false).map_err(|_| Failure::Gone)?;
        for (runtime, known) in self.runtimes.iter().zip(&mut self.interpreters) {
            let inspector = Inspector::new(&self.gil, &runtime.layout);
            let (states, _) = stack::interpreter_states(&inspector, &runtime.roots);
            *known = states.iter().map(|state| state.address).collect();
        }
        Ok(())
    }

    fn runners_now(&self) -> Result<Runners, Failure> {
        self.gil.retake(|_| true, false).map_err(|_| Failure::Gone)?;
        let mut runners = Runners::new();
        for (number, (runtime, interpreters)) in self.runtimes.iter().zip(&self.interpreters).enumerate() {
            let inspector = Inspector::new(&self.gil, &runtime.layout);
            for &interpreter in interpreters {
                runners.insert((number, interpreter), runners_of(&inspector, runtime, interpreter)?);
            }
        }
        Ok(runners)
    }

    /// Whether others hold the global interpreter lock than before. Where there is none, threads are attached and detached
    /// all the time.
    fn runners_changed(&self, before: &Runners) -> Result<bool, Failure> {
        let now = self.runners_now()?;
        Ok(before.iter().any(|(key, runners)| {
            let free_threaded = self.runtimes.get(key.0).is_some_and(|runtime| runtime.layout.free_threaded);
            !free_threaded && now.get(key) != Some(runners)
        }))
    }

    /// The numbers of a thread's frames, innermost first; those that are `in_doubt` must be the same in both pictures.
    fn read_stack(
        &self,
        layout: &Layout,
        stacks: &Stacks<'_, '_>,
        codes: &KeptCodes,
        thread: &ThreadState,
        in_doubt: bool,
        frames: &mut Frames,
    ) -> Result<Vec<usize>, Failure> {
        self.picture.set_brief(true);
        let (raw, problem) = stacks.frames_of(thread.address);
        self.picture.set_brief(false);
        let twin = self.picture.twin();
        if in_doubt {
            let inspector = Inspector::new(&twin, layout);
            let (again, problem) = Stacks::with_kept(&inspector, codes).frames_of(thread.address);
            let frames = |raw: &[RawFrame]| raw.iter().map(|raw| (raw.address, raw.code)).collect::<Vec<_>>();
            if problem.is_some() || frames(&again) != frames(&raw) {
                return Err(Failure::Torn);
            }
        }
        let numbers = problem.map_or_else(|| numbers(stacks, &raw, frames), Err)?;
        if in_doubt && !raw.iter().all(|raw| codes.holds(raw.code, &twin)) {
            return Err(Failure::Torn);
        }
        Ok(numbers)
    }

    /// The names that Python has for its threads.
    fn names(&self) -> HashMap<ThreadKey, String> {
        let mut names = HashMap::new();
        for (number, runtime) in self.runtimes.iter().enumerate() {
            let inspector = Inspector::new(&self.picture, &runtime.layout);
            let (states, _) = stack::interpreter_states(&inspector, &runtime.roots);
            for InterpreterState { sysdict, threads, .. } in states {
                let by_ident = stack::thread_names(&inspector, sysdict).unwrap_or_default();
                for thread in threads {
                    if let Some(name) = by_ident.get(&thread.thread_id) {
                        let tid = runtime.tid(&inspector, &thread);
                        names.insert(ThreadKey { tid, state: thread.address, runtime: number }, name.clone());
                    }
                }
            }
        }
        names
    }

    /// The operating system's name of a thread.
    pub(super) fn native_name(&mut self, thread: ThreadKey) -> Option<String> {
        self.tasks.name(thread.tid?)
    }
}

fn runners_of(
    inspector: &Inspector<'_>,
    runtime: &LocatedRuntime,
    interpreter: Address,
) -> Result<Vec<(Address, Option<u32>)>, Unreadable> {
    let mut runners = Vec::new();
    for state in stack::runners(inspector, &runtime.roots, interpreter)? {
        let (thread, _) = stack::thread_state(inspector, state)?;
        runners.push((state, runtime.tid(inspector, &thread)));
    }
    Ok(runners)
}

/// The numbers of frames, innermost first.
fn numbers(stacks: &Stacks<'_, '_>, raw: &[RawFrame], frames: &mut Frames) -> Result<Vec<usize>, Unreadable> {
    let mut numbers = Vec::with_capacity(raw.len());
    for raw in raw {
        let code = stacks.code(raw.code)?;
        code.whole(raw.last_instruction).map_err(|what| Unreadable::Nonsense { at: raw.code, what })?;
        numbers.push(frames.number(&code, raw));
    }
    Ok(numbers)
}

impl LocatedRuntime {
    /// The native id of a thread, by which the process itself knows it.
    fn tid(&self, inspector: &Inspector<'_>, thread: &ThreadState) -> Option<u32> {
        let own = thread.native_thread_id.and_then(|id| u32::try_from(id).ok()).filter(|&id| id != 0);
        own.or_else(|| {
            let memory: &dyn Memory = inspector.memory;
            memory.u32(Address(thread.thread_id).add(self.tid_offset?)).ok().filter(|&id| id != 0)
        })
    }
}
