//! Hiding secrets: in a report, and in the memory that a smaller core takes along.
//!
//! What is a secret is decided by names (`password = ...`, in variables, attributes, keys, arguments, options, headers
//! and the environment) and by shapes (private keys, tokens of known issuers, passwords in URLs). What was found to be
//! one is hidden wherever else it stands, too.

mod names;
mod pages;
mod shapes;
mod text;

pub(crate) use pages::{redact_notes, redact_pages};

use crate::addr::Address;
use crate::report::{Child, ChildKind, Exception, Frame, Report, Value};
use aho_corasick::{AhoCorasick, MatchKind};
use names::{Suspicion, suspicion};
use std::collections::BTreeSet;
use text::{Kind, REDACTED, Secret};

/// The shortest secret, in characters, that is looked for elsewhere, and the shortest of letters alone.
const SHORTEST: usize = 5;
const SHORTEST_WORD: usize = 8;
/// The shortest value of a variable that is called `key` and that is looked for elsewhere.
const SHORTEST_KEY: usize = 16;
/// The most characters of secrets that are looked for elsewhere, all together.
const MAX_NEEDLES: usize = 1 << 20;

/// Hides the secrets among the variables of an environment, each `NAME=value`.
pub(crate) fn redact_variables(variables: &mut [String]) {
    for variable in variables {
        hide(variable, Kind::Plain, None);
    }
}

/// Hides the secrets of a report; types and addresses stay.
pub(crate) fn redact(report: &mut Report) {
    let secrets = Secrets::of(std::slice::from_mut(report));
    let mut hidden = 0;
    let elsewhere = secrets.searcher(Needle::in_reprs);
    let in_text = |text: &mut String, kind| hide(text, kind, elsewhere.as_ref());
    each_part(report, &mut |part| {
        hidden += match part {
            Part::Value(value, Some(_)) if holds_secret(value) => {
                REDACTED.clone_into(&mut value.repr);
                value.note = None;
                value.children.clear();
                value.redacted = true;
                1
            }
            Part::Value(value, _) => {
                let count = in_text(&mut value.repr, Kind::Plain);
                value.redacted |= count > 0;
                count
            }
            Part::Name(name) => in_text(name, Kind::Plain),
            Part::Text(text, kind) => in_text(text, kind),
            Part::Message(exception) => {
                let texts = exception.message.iter_mut().chain(&mut exception.notes);
                let count = texts.map(|text| in_text(text, Kind::Plain)).sum::<usize>();
                exception.redacted |= count > 0;
                count
            }
            Part::Arguments(arguments) => hide_arguments(arguments, elsewhere.as_ref()),
        };
    });
    report.redacted = Some(hidden);
    report.warnings.push(match hidden {
        0 => "redacted: nothing looked like a secret".to_owned(),
        1 => "redacted: 1 value that looked like a secret is not shown".to_owned(),
        many => format!("redacted: {many} values that looked like secrets are not shown"),
    });
}

/// What may hold a secret.
enum Part<'a> {
    /// A value, and whether its name looks secret. What is below one of those is not visited any more.
    Value(&'a mut Value, Option<Suspicion>),
    /// The repr of a key.
    Name(&'a mut String),
    Text(&'a mut String, Kind),
    Message(&'a mut Exception),
    Arguments(&'a mut [String]),
}

fn each_part(report: &mut Report, visit: &mut dyn FnMut(Part<'_>)) {
    if let Some(arguments) = &mut report.process.command_line {
        visit(Part::Arguments(arguments));
    }
    for comment in &mut report.process.comments {
        visit(Part::Text(comment, Kind::Plain));
    }
    if let Some(expression) = report.process.assertion.as_mut().and_then(|failed| failed.expression.as_mut())
    {
        visit(Part::Text(expression, Kind::Code));
    }
    for thread in &mut report.threads {
        visit_name(&mut thread.name, visit);
        visit_frames(&mut thread.frames, visit);
        if let Some(exceptions) = &mut thread.exceptions {
            exceptions
                .handling
                .iter_mut()
                .chain(&mut exceptions.raising)
                .for_each(|exception| visit_exception(exception, visit));
        }
    }
    for task in report.tasks.iter_mut().flatten() {
        visit_name(&mut task.name, visit);
        visit_frames(&mut task.stack, visit);
        task.exception.iter_mut().for_each(|exception| visit_exception(exception, visit));
        task.result.iter_mut().for_each(|value| visit_value(value, None, visit));
    }
    for generator in report.generators.iter_mut().flatten() {
        visit_frames(&mut generator.stack, visit);
    }
    for greenlet in report.greenlets.iter_mut().flatten() {
        visit_name(&mut greenlet.name, visit);
        visit_frames(&mut greenlet.stack, visit);
    }
    for python in report.python.iter_mut().chain(&mut report.other_pythons) {
        let exceptions = python.interpreters.iter_mut().filter_map(|one| one.last_exception.as_mut());
        exceptions.for_each(|exception| visit_exception(exception, visit));
    }
}

fn visit_name(name: &mut Option<String>, visit: &mut dyn FnMut(Part<'_>)) {
    name.iter_mut().for_each(|name| visit(Part::Text(name, Kind::Plain)));
}

fn visit_exception(exception: &mut Exception, visit: &mut dyn FnMut(Part<'_>)) {
    visit(Part::Message(exception));
    visit_frames(&mut exception.traceback, visit);
    let related = exception.cause.iter_mut().chain(&mut exception.context).map(|boxed| &mut **boxed);
    related.chain(&mut exception.exceptions).for_each(|related| visit_exception(related, visit));
}

fn visit_frames(frames: &mut [Frame], visit: &mut dyn FnMut(Part<'_>)) {
    for frame in frames {
        if let Some(source) = &mut frame.source {
            visit(Part::Text(source, Kind::Code));
        }
        for local in frame.locals.iter_mut().flatten() {
            visit_value(&mut local.value, suspicion(&local.name), visit);
        }
    }
}

fn visit_value(value: &mut Value, name: Option<Suspicion>, visit: &mut dyn FnMut(Part<'_>)) {
    let is_secret = name.is_some() && holds_secret(value);
    visit(Part::Value(value, name));
    if is_secret {
        return;
    }
    if let Some(note) = &mut value.note {
        visit(Part::Text(note, Kind::Plain));
    }
    for child in &mut value.children {
        let name = suspicion_of(child);
        visit_value(&mut child.value, name, visit);
        if child.kind == ChildKind::Item {
            visit(Part::Name(&mut child.name));
        }
    }
}

/// An attribute's name, or a key that is a string.
fn suspicion_of(child: &Child) -> Option<Suspicion> {
    match child.kind {
        ChildKind::Attribute => suspicion(&child.name),
        ChildKind::Item => match text::literals(&child.name).as_slice() {
            [(key, _)] => suspicion(key),
            _ => None,
        },
    }
}

/// Whether a value that is bound to a secret name can be the secret: no definition, and not empty.
fn holds_secret(value: &Value) -> bool {
    !matches!(
        value.type_name.as_str(),
        "NoneType" | "bool" | "module" | "function" | "method" | "builtin_function_or_method" | "type"
    ) && !["<class ", "<enum ", "<flag "].iter().any(|start| value.repr.starts_with(start))
        && !matches!(
            value.repr.as_str(),
            "''" | "b''" | "u''" | "bytearray(b'')" | "()" | "[]" | "{}" | "set()" | "frozenset()"
        )
}

/// Hides what looks secret in a text, and known secrets; gives how many were hidden.
fn hide(text: &mut String, kind: Kind, elsewhere: Option<&AhoCorasick>) -> usize {
    let mut secrets = text::secrets(text, kind);
    if let Some(elsewhere) = elsewhere {
        let known =
            elsewhere.find_iter(text.as_str()).map(|found| Secret { range: found.range(), sure: true });
        let known = known.filter(|known| {
            !secrets.iter().any(|one| one.range.start < known.range.end && known.range.start < one.range.end)
        });
        let known = known.collect::<Vec<_>>();
        secrets.extend(known);
        secrets.sort_by_key(|secret| secret.range.start);
    }
    if !secrets.is_empty() {
        *text = text::without(text, &secrets);
    }
    secrets.len()
}

/// Hides what options give, in one argument (`--token=x`) or two (`--token x`).
fn hide_arguments(arguments: &mut [String], elsewhere: Option<&AhoCorasick>) -> usize {
    let mut hidden = 0;
    let mut next_is_secret = false;
    for argument in arguments {
        let is_option = argument.starts_with('-');
        if next_is_secret && !is_option {
            REDACTED.clone_into(argument);
            hidden += 1;
        } else {
            hidden += hide(argument, Kind::Plain, elsewhere);
        }
        next_is_secret = is_secret_option(argument);
    }
    hidden
}

/// Whether the next argument is this one's value, and a secret.
fn is_secret_option(argument: &str) -> bool {
    argument.starts_with('-') && !argument.contains('=') && suspicion(argument).is_some()
}

/// One secret, in the forms it may stand in.
#[derive(Debug)]
struct Needle {
    /// Its code points, or bytes.
    units: Vec<u32>,
    /// As it stands in a repr.
    escaped: String,
}

impl Needle {
    /// In text: as it is, as a repr has it, and as the repr of its bytes in some encoding has it.
    fn in_reprs(&self) -> [String; 5] {
        let [_, utf8, utf16, utf32] = self.encoded().map(|bytes| {
            bytes.iter().flat_map(|&byte| std::ascii::escape_default(byte)).map(char::from).collect()
        });
        [self.escaped.clone(), self.plain(), utf8, utf16, utf32]
    }

    /// In memory: as Latin-1 or bytes where it can be, as UTF-8, UTF-16, UTF-32.
    fn encoded(&self) -> [Vec<u8>; 4] {
        let narrow = self.units.iter().map(|&unit| u8::try_from(unit)).collect::<Result<Vec<_>, _>>();
        let text = self.plain();
        [
            narrow.unwrap_or_else(|_| text.clone().into_bytes()),
            text.clone().into_bytes(),
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            self.units.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        ]
    }

    fn plain(&self) -> String {
        self.units.iter().map(|&unit| char::from_u32(unit).unwrap_or('\u{fffd}')).collect()
    }
}

/// What reports show to be secret.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// What is hidden wherever it stands.
    needles: Vec<Needle>,
    /// Objects whose content is hidden in place.
    objects: Vec<(Address, Content)>,
    /// How many secrets are hidden only where they are bound: those that are names of the program, too, and those
    /// beyond what is looked for.
    pub(crate) bound_only: usize,
}

/// What an object holds.
#[derive(Debug)]
enum Content {
    Units(Vec<u32>),
    Number(String),
}

impl Secrets {
    /// All that `reports` show, in none of which anything was hidden yet.
    pub(crate) fn of(reports: &mut [Report]) -> Secrets {
        let names = Names::of(reports);
        let mut needles = Vec::<(Vec<u32>, String)>::new();
        let mut objects = Vec::new();
        let mut collect_part = |part: Part<'_>| match part {
            Part::Value(value, Some(suspicion)) if holds_secret(value) => {
                collect(value, suspicion, &mut needles, &mut objects);
            }
            Part::Value(value, _) => in_text(&value.repr, Kind::Plain, &mut needles),
            Part::Name(name) => in_text(name, Kind::Plain, &mut needles),
            Part::Text(text, kind) => in_text(text, kind, &mut needles),
            Part::Message(exception) => {
                let texts = exception.message.iter().chain(&exception.notes);
                texts.for_each(|text| in_text(text, Kind::Plain, &mut needles));
            }
            Part::Arguments(arguments) => {
                let mut next_is_secret = false;
                for argument in arguments.iter() {
                    if next_is_secret && !argument.starts_with('-') {
                        needles.push((argument.chars().map(u32::from).collect(), argument.clone()));
                    }
                    in_text(argument, Kind::Plain, &mut needles);
                    next_is_secret = is_secret_option(argument);
                }
            }
        };
        for report in reports {
            each_part(report, &mut collect_part);
        }
        let (mut left, mut room) = (0, MAX_NEEDLES);
        let mut seen = BTreeSet::new();
        let mut secrets = Secrets { needles: Vec::new(), objects, bound_only: 0 };
        for (units, escaped) in needles {
            let needle = Needle { units, escaped };
            if !is_distinctive(&needle.units) {
                continue;
            }
            if seen.insert(needle.units.clone()) {
                if names.hold(&needle.plain()) || needle.units.len() > room {
                    left += 1;
                } else {
                    room -= needle.units.len();
                    secrets.needles.push(needle);
                }
            }
        }
        secrets.objects.retain(|(_, content)| match content {
            Content::Units(units) => {
                let text: String = units.iter().filter_map(|&unit| char::from_u32(unit)).collect();
                !names.are(&text)
            }
            Content::Number(_) => true,
        });
        secrets.bound_only = left;
        secrets
    }

    /// Finds the needles in the forms that `forms` gives.
    fn searcher<F: AsRef<[u8]>, const N: usize>(
        &self,
        forms: impl Fn(&Needle) -> [F; N],
    ) -> Option<AhoCorasick> {
        if self.needles.is_empty() {
            return None;
        }
        let forms = self.needles.iter().flat_map(forms);
        AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(forms).ok()
    }
}

/// The names that a report shows: of variables, functions, types, files. What is one of those, or a part of one, cannot
/// be hidden everywhere.
struct Names(BTreeSet<String>, String);

impl Names {
    fn of(reports: &[Report]) -> Names {
        fn of_value(value: &Value, names: &mut BTreeSet<String>) {
            names.insert(value.type_name.clone());
            for child in &value.children {
                match child.kind {
                    ChildKind::Attribute => {
                        names.insert(child.name.clone());
                    }
                    ChildKind::Item => names.extend(
                        text::literals(&child.name).first().map(|(key, _)| (*key).to_owned()).filter(|key| {
                            key.len() < 64 && key.chars().all(|c| c.is_ascii_alphabetic() || "_-".contains(c))
                        }),
                    ),
                }
                of_value(&child.value, names);
            }
        }
        fn of_frame(frame: &Frame, names: &mut BTreeSet<String>) {
            names.extend([&frame.function, &frame.qualname, &frame.file].into_iter().flatten().cloned());
            for local in frame.locals.iter().flatten() {
                names.insert(local.name.clone());
                of_value(&local.value, names);
            }
        }
        fn of_exception(exception: &Exception, names: &mut BTreeSet<String>) {
            names.insert(exception.type_name.clone());
            exception.traceback.iter().for_each(|frame| of_frame(frame, names));
            let related = exception.cause.iter().chain(&exception.context).map(|boxed| &**boxed);
            related.chain(&exception.exceptions).for_each(|related| of_exception(related, names));
        }
        let mut names = BTreeSet::new();
        names.extend(reports.iter().filter_map(|report| report.process.executable.clone()));
        for report in reports {
            let tasks = report.tasks.iter().flatten().flat_map(|task| &task.stack);
            let generators = report.generators.iter().flatten().flat_map(|generator| &generator.stack);
            let greenlets = report.greenlets.iter().flatten().flat_map(|greenlet| &greenlet.stack);
            let suspended = tasks.chain(generators).chain(greenlets);
            suspended.for_each(|frame| of_frame(frame, &mut names));
        }
        for thread in reports.iter().flat_map(|report| &report.threads) {
            thread.frames.iter().for_each(|frame| of_frame(frame, &mut names));
            let exceptions =
                thread.exceptions.iter().flat_map(|both| both.handling.iter().chain(&both.raising));
            exceptions.for_each(|exception| of_exception(exception, &mut names));
        }
        let all = names.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        Names(names, all)
    }

    /// Whether the text is a part of a name.
    fn hold(&self, text: &str) -> bool {
        self.1.contains(text)
    }

    /// Whether the text is a name.
    fn are(&self, text: &str) -> bool {
        self.0.contains(text)
    }
}

/// The secrets in a text that may stand elsewhere, too.
fn in_text(text: &str, kind: Kind, needles: &mut Vec<(Vec<u32>, String)>) {
    for secret in text::secrets(text, kind).into_iter().filter(|secret| secret.sure) {
        let found = text.get(secret.range).unwrap_or_default();
        match found.chars().next() {
            Some('(' | '[' | '{') => needles.extend(literals(found).filter(|(units, _)| !is_word(units))),
            _ => needles.push((text::unescaped(found), found.to_owned())),
        }
    }
}

fn literals(repr: &str) -> impl Iterator<Item = (Vec<u32>, String)> + '_ {
    text::literals(repr).into_iter().map(|(literal, _)| (text::unescaped(literal), literal.to_owned()))
}

/// What is in a value whose name looks secret.
fn collect(
    value: &Value,
    suspicion: Suspicion,
    needles: &mut Vec<(Vec<u32>, String)>,
    objects: &mut Vec<(Address, Content)>,
) {
    let mut found = literals(&value.repr).collect::<Vec<_>>();
    let is_literal = value.children.is_empty() && found.len() == 1;
    if let Some(address) = value.address {
        if value.repr.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            objects.push((address, Content::Number(value.repr.clone())));
        } else if is_literal {
            objects.extend(found.first().map(|(units, _)| (address, Content::Units(units.clone()))));
        }
    }
    let long_enough = |units: &[u32]| suspicion == Suspicion::Strong || units.len() >= SHORTEST_KEY;
    found.retain(|(units, _)| long_enough(units) && (is_literal || !is_word(units)));
    needles.extend(found);
    for child in &value.children {
        collect(&child.value, suspicion, needles, objects);
    }
}

/// Whether a text is so much its own that it can be looked for everywhere.
fn is_distinctive(units: &[u32]) -> bool {
    units.len() >= if is_word(units) { SHORTEST_WORD } else { SHORTEST }
}

fn is_word(units: &[u32]) -> bool {
    units.iter().all(|&unit| char::from_u32(unit).is_some_and(|c| c.is_alphabetic() || c == '_'))
}
