//! Greenlets: those that run first, then the suspended ones.

use crate::render::printer::Printer;
use crate::render::sanitize::line;
use crate::render::shown::Shown;
use crate::render::stack::frames;
use crate::report::{Greenlet, GreenletState};
use std::io::{self, Write};

/// Prints the greenlets that have a stack or were not started; those that ended are counted.
pub(crate) fn greenlets<W: Write>(p: &mut Printer<W>, shown: &mut Shown, all: &[Greenlet]) -> io::Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    writeln!(p)?;
    let states = [
        (GreenletState::Running, "running"),
        (GreenletState::Suspended, "suspended"),
        (GreenletState::Unstarted, "not started"),
        (GreenletState::Dead, "dead"),
    ];
    let counts: Vec<String> = states
        .iter()
        .map(|(state, name)| (all.iter().filter(|greenlet| greenlet.state == *state).count(), name))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    p.paint(p.styles.heading, format_args!("Greenlets: {}", counts.join(", ")))?;
    writeln!(p)?;
    for (state, name) in states.iter().filter(|(state, _)| *state != GreenletState::Dead) {
        for greenlet in all.iter().filter(|greenlet| greenlet.state == *state) {
            writeln!(p)?;
            p.paint(p.styles.heading, line(&title(greenlet, name)))?;
            writeln!(p)?;
            if *state == GreenletState::Running {
                writeln!(p, "  (its stack is its thread's, above)")?;
            } else {
                frames(p, shown, &greenlet.stack)?;
            }
        }
    }
    Ok(())
}

/// `Greenlet "Greenlet-3", sleeper (suspended, thread 4711)`.
fn title(greenlet: &Greenlet, state: &str) -> String {
    let mut text = match &greenlet.name {
        Some(name) => format!("Greenlet \"{name}\""),
        None => format!("Greenlet at {}", greenlet.address),
    };
    if let Some(run) = &greenlet.coroutine {
        text = format!("{text}, {run}");
    }
    let mut states = vec![state.to_owned()];
    if greenlet.type_name != "greenlet.greenlet" {
        states.push(greenlet.type_name.clone());
    }
    if greenlet.main {
        states.push("its thread's first".to_owned());
    }
    states.extend(greenlet.thread.map(|thread| format!("thread {thread}")));
    states.extend(greenlet.interpreter.filter(|&id| id != 0).map(|id| format!("interpreter {id}")));
    format!("{text} ({})", states.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Address;
    use crate::render::samples::frame;

    fn greenlet(name: Option<&str>, state: GreenletState) -> Greenlet {
        Greenlet {
            address: Address(0x10),
            type_name: "gevent.Greenlet".into(),
            name: name.map(str::to_owned),
            state,
            main: false,
            coroutine: Some("run".into()),
            parent: None,
            thread: Some(7),
            runtime: None,
            interpreter: Some(0),
            stack: vec![frame("app.py", 3, "run")],
            awaits: Vec::new(),
            awaited_by: Vec::new(),
        }
    }

    #[test]
    fn greenlets_come_by_their_state() {
        let all = [
            greenlet(Some("a\x1b[m"), GreenletState::Suspended),
            greenlet(None, GreenletState::Dead),
            greenlet(None, GreenletState::Running),
        ];
        let mut out = Vec::new();
        greenlets(&mut Printer::new(&mut out, false), &mut Shown::default(), &all).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "
Greenlets: 1 running, 1 suspended, 1 dead

Greenlet at 0x10, run (running, gevent.Greenlet, thread 7)
  (its stack is its thread's, above)

Greenlet \"a\\x1b[m\", run (suspended, gevent.Greenlet, thread 7)
  File \"app.py\", line 3, in run
"
        );
    }
}
