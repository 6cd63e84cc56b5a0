//! What threads do not show: tasks as a tree of who awaits whom, then suspended generators.

use crate::addr::Address;
use crate::render::exception;
use crate::render::grouping;
use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::render::shown::Shown;
use crate::render::stack::frames;
use crate::report::{Generator, GeneratorKind, GeneratorState, Task, TaskState};
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

/// Tasks further down than this are shown on their own.
const MAX_DEPTH: usize = 32;

/// Prints all tasks: those that nobody awaits, each with those that it awaits below it.
pub(crate) fn tasks<W: Write>(p: &mut Printer<W>, shown: &mut Shown, tasks: &[Task]) -> io::Result<()> {
    writeln!(p)?;
    p.paint(p.styles.heading, format_args!("Asyncio tasks: {}", counts(tasks)))?;
    writeln!(p)?;
    let mut tree = Tree {
        by_address: tasks.iter().map(|task| (task.address, task)).collect(),
        printed: HashSet::new(),
        path: Vec::new(),
    };
    let (mut roots, mut others): (Vec<&Task>, Vec<&Task>) =
        tasks.iter().partition(|task| task.awaited_by.is_empty());
    in_order(&mut roots);
    in_order(&mut others);
    // What no root leads to: tasks that await one another in a circle, and those too far down.
    for tasks in [roots, others] {
        for group in grouping::tasks(tasks.into_iter(), |task| tree.leads_on(task)) {
            let left: Vec<&Task> =
                group.into_iter().filter(|task| !tree.printed.contains(&task.address)).collect();
            if !left.is_empty() {
                writeln!(p)?;
                tree.print(p, shown, &left)?;
            }
        }
    }
    Ok(())
}

/// `31 pending, 2 finished`.
fn counts(tasks: &[Task]) -> String {
    let states = [
        (Some(TaskState::Pending), "pending"),
        (Some(TaskState::Finished), "finished"),
        (Some(TaskState::Cancelled), "cancelled"),
        (None, "in an unknown state"),
    ];
    let count = |state| tasks.iter().filter(|task| task.state == state).count();
    let counts: Vec<String> = states
        .into_iter()
        .map(|(state, name)| (count(state), name))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}

/// `Task-2` before `Task-10`: names of the same beginning by their numbers.
fn in_order(tasks: &mut [&Task]) {
    tasks.sort_by_cached_key(|task| {
        let name = task.name.as_deref().unwrap_or_default();
        let text = name.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let digits = name.get(text.len()..).unwrap_or_default();
        (!task.running, text.to_owned(), digits.len(), digits.to_owned(), task.address)
    });
}

/// The tasks by who awaits whom, while they are printed.
struct Tree<'r> {
    by_address: HashMap<Address, &'r Task>,
    printed: HashSet<Address>,
    /// The tasks around the one that is printed, outermost first.
    path: Vec<Address>,
}

impl<'r> Tree<'r> {
    /// The tasks that a task awaits.
    fn below(&self, task: &Task) -> Vec<&'r Task> {
        task.awaits.iter().filter_map(|awaited| self.by_address.get(awaited).copied()).collect()
    }

    fn leads_on(&self, task: &Task) -> bool {
        task.awaits.iter().any(|awaited| self.by_address.contains_key(awaited))
    }

    /// Prints tasks that are all in the same place, with what they await.
    fn print<W: Write>(
        &mut self,
        p: &mut Printer<W>,
        shown: &mut Shown,
        group: &[&'r Task],
    ) -> io::Result<()> {
        let Some(&first) = group.first() else { return Ok(()) };
        let style = if first.running { p.styles.crashed } else { p.styles.heading };
        p.paint(style, line(&title(group, first)))?;
        let note = if self.path.contains(&first.address) {
            "  (awaits itself: a circle)"
        } else if self.printed.contains(&first.address) {
            "  (shown above)"
        } else if self.path.len() >= MAX_DEPTH {
            "  (shown below)"
        } else {
            ""
        };
        writeln!(p, "{note}")?;
        if !note.is_empty() {
            return Ok(());
        }
        self.printed.extend(group.iter().map(|task| task.address));
        frames(p, shown, &first.stack)?;
        if let Some(exception) = &first.exception {
            p.indented("  ", |p| {
                if shown.has_exception(exception.address) {
                    return writeln!(p, "{} (shown above)", exception::one_line(exception));
                }
                exception::chain(p, shown, exception)
            })?;
        }
        if let Some(result) = &first.result {
            writeln!(p, "  returned {}", line(&result.repr))?;
        }
        let mut below = self.below(first);
        in_order(&mut below);
        if below.is_empty() {
            return Ok(());
        }
        writeln!(p, "  awaits:")?;
        self.path.push(first.address);
        p.indented("  | ", |p| {
            let (before, new): (Vec<&Task>, Vec<&Task>) =
                below.into_iter().partition(|task| self.printed.contains(&task.address));
            before.into_iter().try_for_each(|task| self.print(p, shown, &[task]))?;
            let groups = grouping::tasks(new.into_iter(), |task| self.leads_on(task));
            groups.iter().try_for_each(|group| self.print(p, shown, group))
        })?;
        self.path.pop();
        Ok(())
    }
}

/// `Task "Task-7", consumer (pending, event loop of thread 4711)`, or the same for many.
fn title(group: &[&Task], first: &Task) -> String {
    let mut text = match (group, &first.name) {
        ([_], Some(name)) => format!("Task \"{name}\""),
        ([_], None) => format!("Task at {}", first.address),
        (many, Some(name)) => {
            let last = many.last().and_then(|last| last.name.as_deref()).unwrap_or("?");
            format!("{} tasks like this, \"{name}\" ... \"{last}\"", many.len())
        }
        (many, None) => format!("{} tasks like this", many.len()),
    };
    if let Some(coroutine) = &first.coroutine {
        text = format!("{text}, {coroutine}");
    }
    let mut states = vec![match first.state {
        Some(TaskState::Pending) if first.running => "running".to_owned(),
        Some(TaskState::Pending) => "pending".to_owned(),
        Some(TaskState::Finished) => "finished".to_owned(),
        Some(TaskState::Cancelled) => "cancelled".to_owned(),
        None => "in an unknown state".to_owned(),
    }];
    let is_pending = first.state == Some(TaskState::Pending);
    if is_pending && (first.must_cancel == Some(true) || first.cancel_requests.is_some_and(|count| count > 0))
    {
        states.push("asked to cancel itself".to_owned());
    }
    if let Some(awaited) = &first.awaits_type {
        states.push(format!("awaits {awaited}"));
    }
    states.extend(first.thread.map(|thread| format!("thread {thread}")));
    if let Some(id) = first.interpreter.filter(|&id| id != 0) {
        states.push(format!("interpreter {id}"));
    }
    format!("{text} ({})", states.join(", "))
}

/// Prints generators that no thread executes and no task awaits; those that others of them await are in those others'
/// stacks.
pub(crate) fn generators<W: Write>(
    p: &mut Printer<W>,
    shown: &mut Shown,
    generators: &[Generator],
) -> io::Result<()> {
    if generators.is_empty() {
        return Ok(());
    }
    writeln!(p)?;
    let count = generators.len();
    let plural = if count == 1 { "" } else { "s" };
    p.paint(
        p.styles.heading,
        format_args!(
            "{count} generator{plural} and coroutine{plural} that no thread executes and no task awaits"
        ),
    )?;
    writeln!(p)?;
    let known: HashSet<Address> = generators.iter().map(|generator| generator.address).collect();
    let is_root = |generator: &&Generator| !generator.awaited_by.iter().any(|by| known.contains(by));
    for group in grouping::generators(generators.iter().filter(is_root)) {
        let Some(first) = group.first() else { continue };
        writeln!(p)?;
        let kind = match first.kind {
            GeneratorKind::Generator => "Generator",
            GeneratorKind::Coroutine => "Coroutine",
            GeneratorKind::AsyncGenerator => "Asynchronous generator",
        };
        let state = match (first.state, first.kind) {
            (GeneratorState::Created, GeneratorKind::Coroutine) => "never awaited",
            (GeneratorState::Created, _) => "not started",
            (GeneratorState::Suspended, _) => "suspended",
            (GeneratorState::Running, _) => "running",
            (GeneratorState::Closed, _) => "closed",
        };
        let name = first.name.as_deref().unwrap_or("?");
        let which = match group.as_slice() {
            [_] => format!("{kind} {name} at {}", first.address),
            many => format!("{kind} {name}, {} like this, the first at {}", many.len(), first.address),
        };
        p.paint(p.styles.heading, line(&format!("{which} ({state})")))?;
        writeln!(p)?;
        frames(p, shown, &first.stack)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::{exception, frame, local, value};

    fn task(address: u64, name: &str, awaits: &[u64], awaited_by: &[u64]) -> Task {
        Task {
            address: Address(address),
            type_name: "_asyncio.Task".into(),
            name: Some(name.into()),
            state: Some(TaskState::Pending),
            running: false,
            must_cancel: Some(false),
            cancel_requests: Some(0),
            coroutine: Some("run".into()),
            coroutine_address: None,
            event_loop: None,
            thread: Some(7),
            runtime: None,
            interpreter: Some(0),
            stack: vec![frame("app.py", 3, "run")],
            awaits: awaits.iter().map(|&address| Address(address)).collect(),
            awaits_type: awaits.first().map(|_| "_asyncio.Future".into()),
            awaited_by: awaited_by.iter().map(|&address| Address(address)).collect(),
            exception: None,
            result: None,
        }
    }

    fn shown(all: &[Task]) -> String {
        let mut out = Vec::new();
        tasks(&mut Printer::new(&mut out, false), &mut Shown::default(), all).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tasks_are_a_tree_of_who_awaits_whom() {
        let mut failed = task(0x30, "Task-10", &[], &[]);
        failed.state = Some(TaskState::Finished);
        failed.stack.clear();
        failed.exception = Some(exception(0x90, "KeyError", "'k'"));
        let mut inner = task(0x20, "Task-2", &[0x99], &[0x10, 0x11]);
        inner.stack = vec![frame("app.py", 9, "inner")];
        inner.cancel_requests = Some(1);
        let all =
            [failed, task(0x11, "Task-3", &[0x20], &[]), task(0x10, "Task-1", &[0x50, 0x20], &[]), inner];
        assert_eq!(
            shown(&all),
            "
Asyncio tasks: 3 pending, 1 finished

Task \"Task-1\", run (pending, awaits _asyncio.Future, thread 7)
  File \"app.py\", line 3, in run
  awaits:
  | Task \"Task-2\", run (pending, asked to cancel itself, awaits _asyncio.Future, thread 7)
  |   File \"app.py\", line 9, in inner

Task \"Task-3\", run (pending, awaits _asyncio.Future, thread 7)
  File \"app.py\", line 3, in run
  awaits:
  | Task \"Task-2\", run (pending, asked to cancel itself, awaits _asyncio.Future, thread 7)  (shown above)

Task \"Task-10\", run (finished, thread 7)
  KeyError: 'k'
"
        );
    }

    #[test]
    fn a_circle_of_tasks_ends() {
        let all = [task(0x10, "a", &[0x20], &[0x20]), task(0x20, "b", &[0x10], &[0x10])];
        let text = shown(&all);
        assert!(text.contains("  | Task \"b\""), "{text}");
        assert!(
            text.contains(
                "  |   | Task \"a\", run (pending, awaits _asyncio.Future, thread 7)  (awaits itself"
            )
        );
        assert_eq!(text.matches("Task \"b\"").count(), 1);
    }

    #[test]
    fn a_long_chain_of_tasks_is_cut_into_pieces() {
        let all: Vec<Task> = (1..=1000)
            .map(|n| task(n, &format!("t{n}"), &[n + 1], if n == 1 { &[] } else { std::slice::from_ref(&0) }))
            .collect();
        let text = shown(&all);
        assert!(text.lines().all(|line| line.len() < 300));
        assert_eq!(text.matches("  File \"app.py\"").count(), 1000);
    }

    #[test]
    fn many_tasks_in_the_same_place_are_shown_once() {
        let mut all: Vec<Task> = (0..500).map(|n| task(0x100 + n, &format!("Task-{n}"), &[], &[])).collect();
        all[3].stack[0].locals = Some(vec![local("n", value("int", "3"))]);
        let text = shown(&all);
        assert!(
            text.contains("\n499 tasks like this, \"Task-0\" ... \"Task-499\", run (pending, thread 7)\n"),
            "{text}"
        );
        assert!(text.contains("Task \"Task-3\", run"), "{text}");
    }
}
