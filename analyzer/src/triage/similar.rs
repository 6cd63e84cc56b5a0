//! Which fingerprints that are not the same tell of the same crash nevertheless.
//!
//! What the program itself called must be the same, frame by frame: another name is another crash. What may differ is what
//! is not the program's: frames of Python's library, which differ from version to version; frames that are missing; and
//! qualified names, which dumps of Python 3.10 and older do not always tell.

use super::fingerprint::{Frames, Shape, Stack};
use super::normalise::UNKNOWN;
use crate::report::{Fingerprint, PartKind};
use std::collections::BTreeSet;

/// How far apart frames of Python's library may be: in one version of Python, and where the versions differ.
const NEAR: f64 = 0.2;
const NEAR_OVER_VERSIONS: f64 = 0.5;
/// How many frames of the library another version may have where one has none of them.
const FEW: usize = 2;
/// How much of the frames of packages another version of them may have more.
const NEAR_IN_PACKAGES: f64 = 0.3;
/// How many of a program's frames a stack must have left to be taken for a part of another one.
const ENOUGH: usize = 2;
/// How many functions may be above a deep recursion, which ends in any of them.
const MAX_LEAVES: usize = 4;
/// By how many of the library's frames a stack is found that has no others.
const FOUND_BY: usize = 3;

/// What is compared of a fingerprint.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    pub(super) shape: Shape,
    /// The versions of Python that it was seen in.
    pub(super) versions: BTreeSet<String>,
}

impl Variant {
    /// Whether it tells less than it could, so that others may be similar to more than it is.
    pub(super) fn is_partial(&self) -> bool {
        let unknown = |frames: &Frames| frames.values().any(has_unknown);
        let shape = &self.shape;
        shape.cut
            || [&shape.stack, &shape.raised]
                .iter()
                .any(|stack| unknown(&stack.app) || unknown(&stack.library))
    }

    /// How many frames it has.
    pub(super) fn depth(&self) -> usize {
        self.shape.stack.app.parts.len()
    }

    /// What to look for to find what it may be similar to.
    pub(super) fn looks_for(&self) -> Vec<String> {
        let stack = &self.shape.stack;
        let own = own(&stack.app);
        let mut keys = vec![self.key('=', &own.join("\0"))];
        if own.is_empty() {
            keys.extend(stack.library.values().take(FOUND_BY).map(|value| self.key('l', last(value))));
        }
        if stack.app.recursive {
            keys.push(self.key('r', &set(&stack.app)));
        }
        if let Some(at) = stack.app.deep_at {
            let tail: Vec<&str> = stack.app.values().skip(at).map(last).collect();
            keys.push(self.key('d', &tail.join("\0")));
        }
        if self.shape.cut && own.len() >= ENOUGH {
            keys.push(self.key('c', &own.join("\0")));
        }
        keys
    }

    /// What it is found by.
    pub(super) fn found_by(&self) -> Vec<String> {
        let app = &self.shape.stack.app;
        let own = own(app);
        let mut keys = self.looks_for();
        if !app.recursive {
            keys.push(self.key('r', &set(app)));
        }
        let beginnings = (ENOUGH..own.len()).filter_map(|length| own.get(..length));
        keys.extend(beginnings.map(|beginning| self.key('c', &beginning.join("\0"))));
        keys
    }

    fn key(&self, kind: char, names: &str) -> String {
        let exception = self.shape.exception.as_ref().map(|(name, _)| name.as_str()).unwrap_or_default();
        format!("{kind}\0{}\0{exception}\0{names}", self.shape.signal)
    }

    /// Whether both tell of one crash, as far as can be told; `self` is what others join, `other` may be a part of it.
    pub(super) fn is_similar(&self, other: &Variant) -> bool {
        let (one, two) = (&self.shape, &other.shape);
        let exception = |shape: &Shape| shape.exception.as_ref().map(|(name, _)| name.clone());
        let elsewhere = self.versions.is_disjoint(&other.versions);
        one.signal == two.signal
            && exception(one) == exception(two)
            && one.native() == two.native()
            && are_similar(&one.stack, &two.stack, two.cut, elsewhere)
            && are_similar(&one.raised, &two.raised, two.cut, elsewhere)
    }
}

/// Whether names in a fingerprint are not known whole.
pub(super) fn is_partial(fingerprint: &Fingerprint) -> bool {
    fingerprint.parts.iter().any(|part| part.kind == PartKind::Frame && has_unknown(&part.value))
}

/// `elsewhere`: whether no version of Python is common to both.
fn are_similar(one: &Stack, two: &Stack, two_is_cut: bool, elsewhere: bool) -> bool {
    let same_calls = same_calls(&one.app, &two.app, two_is_cut) || same_recursion(&one.app, &two.app);
    same_calls && library_is_near(&one.library, &two.library, elsewhere)
}

/// Whether the program's own frames are the same, and those of packages but for some that one of both has more. Where
/// `two_is_cut`, it may end before the other does.
fn same_calls(one: &Frames, two: &Frames, two_is_cut: bool) -> bool {
    let weight = |depth: usize| 1.0 / (1.0 + depth as f64 / 4.0);
    let (mut more, mut fewer, mut all) = (0.0, 0.0, 0.0);
    let (mut ones, mut twos) = (one.values().enumerate().peekable(), two.values().peekable());
    let mut common = 0;
    loop {
        match (ones.peek(), twos.peek()) {
            (Some((depth, call)), Some(other)) if may_be_same(call, other) => {
                all += weight(*depth);
                common += 1;
                ones.next();
                twos.next();
            }
            (Some((depth, call)), other)
                if one.of_packages.contains(*call)
                    && (other.is_none() || two.values().all(|known| !may_be_same(call, known))) =>
            {
                more += weight(*depth);
                all += weight(*depth);
                ones.next();
            }
            (call, Some(other)) if two.of_packages.contains(*other) => {
                let depth = call.map_or(one.parts.len(), |(depth, _)| *depth);
                fewer += weight(depth);
                all += weight(depth);
                twos.next();
            }
            (None, None) => break,
            (Some(_), None) if two_is_cut && common >= ENOUGH => break,
            _ => return false,
        }
    }
    (more == 0.0 || fewer == 0.0) && f64::max(more, fewer) <= NEAR_IN_PACKAGES * all
}

/// Whether both recur through the same functions, one of them deeper or from another function than the other; or deeply,
/// one of them with a few calls at the end.
fn same_recursion(one: &Frames, two: &Frames) -> bool {
    if !one.recursive && !two.recursive {
        return false;
    }
    let as_set = |frames: &Frames| frames.values().map(str::to_owned).collect::<BTreeSet<_>>();
    if as_set(one) == as_set(two) {
        return true;
    }
    let (Some(at), Some(other_at)) = (one.deep_at, two.deep_at) else { return false };
    let tail = |frames: &Frames, at: usize| frames.values().skip(at).map(str::to_owned).collect::<Vec<_>>();
    at.min(other_at) == 0 && at.max(other_at) <= MAX_LEAVES && tail(one, at) == tail(two, other_at)
}

/// Whether two frames may be of the same function: they have the same name as far as it is known.
fn may_be_same(one: &str, two: &str) -> bool {
    one == two
        || match (has_unknown(one), has_unknown(two)) {
            (true, false) => fits(one, two),
            (false, true) => fits(two, one),
            _ => false,
        }
}

fn has_unknown(value: &str) -> bool {
    value.split('.').any(|part| part == UNKNOWN)
}

/// Whether a name with unknown parts, each of which stands for any number of names, can be `whole`.
fn fits(partial: &str, whole: &str) -> bool {
    let mut rest: Vec<&str> = whole.split('.').collect();
    let mut runs = partial.split('.').collect::<Vec<_>>();
    let starts_unknown = runs.first() == Some(&UNKNOWN);
    if runs.last() == Some(&UNKNOWN) {
        return false;
    }
    let mut groups: Vec<Vec<&str>> = vec![Vec::new()];
    for part in runs.drain(..) {
        match groups.last_mut() {
            Some(group) if part != UNKNOWN => group.push(part),
            _ => groups.push(Vec::new()),
        }
    }
    let Some(end) = groups.pop() else { return false };
    if !rest.ends_with(&end) {
        return false;
    }
    rest.truncate(rest.len() - end.len());
    for (index, group) in groups.iter().enumerate() {
        if group.is_empty() {
            continue;
        }
        let anchored = index == 0 && !starts_unknown;
        let found = rest.windows(group.len()).position(|window| window == group.as_slice());
        match found {
            Some(at) if !anchored || at == 0 => rest = rest.split_off(at + group.len()),
            _ => return false,
        }
    }
    true
}

/// Whether what Python's library did above the program's own frames is about the same.
fn library_is_near(one: &Frames, two: &Frames, elsewhere: bool) -> bool {
    let ones: Vec<&str> = one.values().collect();
    let twos: Vec<&str> = two.values().collect();
    let near = if elsewhere { NEAR_OVER_VERSIONS } else { NEAR };
    let few = |longer: &[&str], shorter: &[&str]| shorter.is_empty() && longer.len() <= FEW;
    (elsewhere && (few(&ones, &twos) || few(&twos, &ones))) || distance(&ones, &twos) <= near
}

/// How much of two stacks is not in both, from 0 to 1: the least weight of frames that must be left out of them to make
/// them the same, over the weight of all. A frame weighs the less the farther it is from where it ended.
fn distance(one: &[&str], two: &[&str]) -> f64 {
    let weight = |depth: usize| 1.0 / (1.0 + depth as f64 / 4.0);
    let mut before: Vec<f64> = vec![0.0];
    for at in 0..two.len() {
        before.push(before.last().copied().unwrap_or_default() + weight(at));
    }
    let total = before.last().copied().unwrap_or_default() + (0..one.len()).map(weight).sum::<f64>();
    for (row, frame) in one.iter().enumerate() {
        let mut costs = vec![before.first().copied().unwrap_or_default() + weight(row)];
        for (column, other) in two.iter().enumerate() {
            let above = before.get(column + 1).copied().unwrap_or(f64::MAX) + weight(row);
            let left = costs.last().copied().unwrap_or(f64::MAX) + weight(column);
            let matched = if may_be_same(frame, other) {
                before.get(column).copied().unwrap_or(f64::MAX)
            } else {
                f64::MAX
            };
            costs.push(above.min(left).min(matched));
        }
        before = costs;
    }
    if total == 0.0 { 0.0 } else { before.last().copied().unwrap_or(total) / total }
}

/// The last names of the program's own frames.
fn own(frames: &Frames) -> Vec<&str> {
    frames.values().filter(|value| !frames.of_packages.contains(*value)).map(last).collect()
}

fn set(frames: &Frames) -> String {
    frames.values().map(last).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("\0")
}

fn last(value: &str) -> &str {
    value.rsplit('.').next().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint::FrameRules;
    use super::super::samples::{app, crash, frame};
    use super::*;
    use crate::report::{Crash, CrashFrame};

    fn variant(crash: &Crash) -> Variant {
        Variant {
            shape: Shape::of(crash, &FrameRules::default()),
            versions: crash.python.iter().cloned().collect(),
        }
    }

    fn similar(one: &Crash, two: &Crash) -> bool {
        let (one, two) = (variant(one), variant(two));
        let found = two.looks_for().iter().any(|key| one.found_by().contains(key));
        let is_similar = one.is_similar(&two);
        assert!(found || !is_similar, "similar, but not found");
        is_similar
    }

    fn segfault(frames: Vec<CrashFrame>) -> Crash {
        crash(Some("SIGSEGV"), frames)
    }

    fn in_python(version: &str, crash: Crash) -> Crash {
        Crash { python: Some(version.into()), ..crash }
    }

    fn unqualified(name: &str) -> CrashFrame {
        CrashFrame { unqualified: true, ..app(&[name]).remove(0) }
    }

    fn library(function: &str) -> CrashFrame {
        frame("asyncio.events", function, "/usr/lib/python3.11/asyncio/events.py")
    }

    fn package(function: &str) -> CrashFrame {
        frame("flask.app", function, "/v/lib/python3.11/site-packages/flask/app.py")
    }

    #[test]
    fn another_name_is_never_similar() {
        let one = segfault(app(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "<module>"]));
        for at in 0..10 {
            let mut other = one.clone();
            other.frames[at].function = "renamed".into();
            assert!(!similar(&one, &in_python("3.8.1", other)));
        }
        let mut class = one.clone();
        class.frames[0].function = "A.a".into();
        assert!(!similar(&one, &class));
        assert!(!similar(&one, &segfault(app(&["a", "b", "c", "d", "e", "f", "g", "h", "<module>"]))));
    }

    #[test]
    fn a_name_that_is_not_whole_may_be_any_that_ends_so() {
        let method = segfault(app(&["Worker.run", "main"]));
        let function = segfault(app(&["run", "main"]));
        let partial = segfault([vec![unqualified("run")], app(&["main"])].concat());
        let other = segfault([vec![unqualified("runs")], app(&["main"])].concat());
        assert!(similar(&method, &partial) && similar(&function, &partial));
        assert!(!similar(&method, &function) && !similar(&method, &other));
    }

    #[test]
    fn names_with_unknown_parts_fit_whole_ones() {
        assert!(fits("app.*.run", "app.run") && fits("app.*.run", "app.Worker.Inner.run"));
        assert!(fits("*.app.run", "shop.app.run") && fits("*.app.*.run", "a.b.app.C.run"));
        assert!(!fits("app.*.run", "shop.app.run") && !fits("app.*.run", "app.Worker.rerun"));
        assert!(!fits("*.app.run", "app.Worker.run") && !fits("*", "a") && !fits("a.*", "a.b"));
        assert!(!fits("a.b.*.b", "a.b"));
    }

    #[test]
    fn what_the_library_did_may_differ_over_versions_only() {
        let with = |library_frames: &[&str]| {
            let library: Vec<CrashFrame> = library_frames.iter().map(|name| library(name)).collect();
            segfault([library, app(&["wait", "main"])].concat())
        };
        let one = with(&["select", "poll", "turn", "run"]);
        let inserted = with(&["select", "poll", "step", "turn", "run"]);
        assert!(similar(&one, &in_python("3.14.0", inserted.clone())));
        assert!(similar(&one, &inserted));
        assert!(similar(&with(&["select"]), &in_python("3.14.0", with(&[]))));
        assert!(!similar(&with(&["select"]), &with(&[])));
        assert!(!similar(&with(&["select"]), &in_python("3.14.0", with(&["close"]))));
    }

    #[test]
    fn another_version_of_a_package_may_have_a_few_frames_more() {
        let calls = |names: &[&str]| {
            let mut frames = app(&["view"]);
            frames.extend(names.iter().map(|name| package(name)));
            frames.extend(app(&["<module>"]));
            segfault(frames)
        };
        let one = calls(&["dispatch", "full_dispatch", "wsgi_app", "call"]);
        assert!(similar(&one, &calls(&["dispatch", "full_dispatch", "wrapped", "wsgi_app", "call"])));
        assert!(similar(&calls(&["dispatch", "full_dispatch", "wrapped", "wsgi_app", "call"]), &one));
        assert!(!similar(&one, &calls(&["dispatch", "full_dispatch", "other_app", "call"])));
        assert!(!similar(&one, &calls(&[])));
    }

    #[test]
    fn a_stack_that_is_cut_is_a_part_of_a_whole_one() {
        let whole = segfault(app(&["a", "b", "c", "<module>"]));
        let part = |names: &[&str]| Crash { cut: true, ..segfault(app(names)) };
        assert!(similar(&whole, &part(&["a", "b"])));
        assert!(!similar(&whole, &part(&["a"])));
        assert!(!similar(&whole, &part(&["b", "c"])));
        assert!(!similar(&whole, &segfault(app(&["a", "b"]))));
    }

    #[test]
    fn a_recursion_may_end_in_any_of_its_functions() {
        let recursion = |depth: usize, first: &[&str], cycle: &[&str]| {
            let cycle = cycle.iter().copied().cycle().take(depth);
            let names: Vec<&str> = first.iter().copied().chain(cycle).chain(["main"]).collect();
            segfault(app(&names))
        };
        let deep = recursion(100, &[], &["even", "odd"]);
        assert!(similar(&deep, &recursion(10, &[], &["odd", "even"])));
        assert!(similar(&deep, &recursion(100, &["check"], &["odd", "even"])));
        assert!(!similar(&deep, &recursion(100, &[], &["od", "even"])));
        assert!(!similar(&recursion(10, &[], &["f"]), &recursion(10, &["check"], &["f"])));
    }
}
