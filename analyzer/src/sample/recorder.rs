//! Adds samples up.

use crate::addr::Address;
use crate::report::{ProfileFrame, ProfileStack, ProfileThread};
use crate::stack::{Code, RawFrame};
use std::collections::HashMap;
use std::rc::Rc;

/// The most code objects whose lines are kept at hand.
const MAX_CODES: usize = 1 << 16;
/// How many changes of stacks are kept in the order of time; beyond that the order is not known, the counts are.
const MAX_RUNS: usize = 1 << 24;

/// What tells one thread from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ThreadKey {
    /// Its native id, by which the process itself knows it.
    pub(super) tid: Option<u32>,
    /// Its thread state, of the runtime with this number. Threads have one for each interpreter.
    pub(super) state: Address,
    /// The number of its runtime.
    pub(super) runtime: usize,
}

/// A thread in a sample.
#[derive(Clone, Debug)]
pub(super) struct Met {
    pub(super) thread: ThreadKey,
    pub(super) running: bool,
    pub(super) gil: bool,
    /// Numbers of frames, innermost first.
    pub(super) frames: Vec<usize>,
}

/// All frames that were met, each once.
pub(super) struct Frames {
    /// Whether a frame has the line that was executed.
    lines: bool,
    /// By where the code lies in our own memory: its frames by their instruction.
    by_code: HashMap<*const Code, (Rc<Code>, HashMap<i64, usize>)>,
    by_content: HashMap<ProfileFrame, usize>,
    all: Vec<ProfileFrame>,
}

impl Frames {
    pub(super) fn new(lines: bool) -> Self {
        Frames { lines, by_code: HashMap::new(), by_content: HashMap::new(), all: Vec::new() }
    }

    /// The number of a frame.
    pub(super) fn number(&mut self, code: &Rc<Code>, raw: &RawFrame) -> usize {
        if self.by_code.len() >= MAX_CODES {
            self.by_code.clear();
        }
        let (code, by_instruction) =
            self.by_code.entry(Rc::as_ptr(code)).or_insert_with(|| (Rc::clone(code), HashMap::new()));
        let key = if self.lines { raw.last_instruction } else { 0 };
        if let Some(&known) = by_instruction.get(&key) {
            return known;
        }
        let line = if self.lines { raw.line.or_else(|| code.line(key)) } else { code.first_line() };
        let unknown = || "?".to_owned();
        let frame = ProfileFrame {
            function: code.qualname.clone().or_else(|| code.name.clone()).unwrap_or_else(unknown),
            file: code.file.clone().unwrap_or_else(unknown),
            line,
        };
        let all = &mut self.all;
        let number = *self.by_content.entry(frame).or_insert_with_key(|frame| {
            all.push(frame.clone());
            all.len() - 1
        });
        by_instruction.insert(key, number);
        number
    }

    /// By their numbers.
    pub(super) fn into_all(self) -> Vec<ProfileFrame> {
        self.all
    }
}

/// The samples so far.
#[derive(Default)]
pub(super) struct Recorder {
    threads: Vec<ProfileThread>,
    by_thread: HashMap<ThreadKey, usize>,
    stacks: Vec<ProfileStack>,
    by_stack: HashMap<(usize, Vec<usize>), usize>,
    runs: usize,
    /// The samples taken, also those in which no thread was met.
    pub(super) taken: u64,
}

impl Recorder {
    /// Adds a sample. `name` gives what a thread is called that was not met before.
    pub(super) fn add(&mut self, sample: Vec<Met>, mut name: impl FnMut(ThreadKey) -> Option<String>) {
        self.taken += 1;
        for met in sample {
            let threads = &mut self.threads;
            let thread = *self.by_thread.entry(met.thread).or_insert_with_key(|key| {
                threads.push(ProfileThread {
                    tid: key.tid,
                    name: name(*key),
                    samples: 0,
                    running: 0,
                    gil: 0,
                    timeline: Vec::new(),
                });
                threads.len() - 1
            });
            let stacks = &mut self.stacks;
            let stack = *self.by_stack.entry((thread, met.frames)).or_insert_with_key(|(thread, frames)| {
                stacks.push(ProfileStack { thread: *thread, frames: frames.clone(), samples: 0 });
                stacks.len() - 1
            });
            if let Some(stack) = self.stacks.get_mut(stack) {
                stack.samples += 1;
            }
            let Some(thread) = self.threads.get_mut(thread) else { continue };
            thread.samples += 1;
            thread.running += u64::from(met.running);
            thread.gil += u64::from(met.gil);
            match thread.timeline.last_mut() {
                Some((last, count)) if *last == stack => *count += 1,
                _ if self.runs < MAX_RUNS => {
                    self.runs += 1;
                    thread.timeline.push((stack, 1));
                }
                _ => {}
            }
        }
    }

    /// Whether the order of the last stacks is not kept.
    pub(super) fn is_cut(&self) -> bool {
        self.runs >= MAX_RUNS
    }

    /// Gives threads the names that they have by now.
    pub(super) fn rename(&mut self, name: impl Fn(ThreadKey) -> Option<String>) {
        for (&key, &thread) in &self.by_thread {
            if let (Some(name), Some(thread)) = (name(key), self.threads.get_mut(thread)) {
                thread.name = Some(name);
            }
        }
    }

    /// The threads and the stacks.
    pub(super) fn finish(self) -> (Vec<ProfileThread>, Vec<ProfileStack>) {
        (self.threads, self.stacks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_add_up_by_thread_and_stack() {
        let key = |tid| ThreadKey { tid: Some(tid), state: Address(u64::from(tid)), runtime: 0 };
        let met = |tid, frames: &[usize]| Met {
            thread: key(tid),
            running: true,
            gil: tid == 1,
            frames: frames.to_vec(),
        };
        let mut recorder = Recorder::default();
        let mut asked = Vec::new();
        for sample in [vec![met(1, &[2, 1])], vec![met(1, &[2, 1]), met(2, &[1])], vec![], vec![met(1, &[1])]]
        {
            recorder.add(sample, |key| {
                asked.push(key.tid);
                Some("a".to_owned())
            });
        }
        recorder.rename(|key| (key.tid == Some(2)).then(|| "b".to_owned()));
        assert_eq!(asked, [Some(1), Some(2)]);
        assert_eq!(recorder.taken, 4);
        let (threads, stacks) = recorder.finish();
        assert_eq!(threads[0].timeline, [(0, 2), (2, 1)]);
        assert_eq!((threads[0].samples, threads[0].gil, threads[1].gil), (3, 3, 0));
        assert_eq!(threads.iter().map(|thread| thread.name.as_deref().unwrap()).collect::<String>(), "ab");
        let counts: Vec<_> = stacks.iter().map(|stack| (stack.thread, stack.samples)).collect();
        assert_eq!(counts, [(0, 2), (1, 1), (0, 1)]);
    }
}
