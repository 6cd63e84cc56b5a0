//! What expressions name.

use super::path::{self, Path, Root, Step};
use super::reading::Reading;
use super::request::Request;
use super::scope::Scope;
use super::{Answer, AskError, View};
use crate::object::{Inspector, NoPart, Part, near_names};
use crate::render::{self, TextOptions};
use crate::report::{Completions, NameScope, Printed};

/// The most completions that are given.
const MAX_COMPLETIONS: usize = 1000;

/// The value of an expression.
pub(super) fn print(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let expression = request.expression.as_deref().unwrap_or_default();
    let path = path::parse(expression).map_err(|error| AskError::NotThere(error.to_string()))?;
    let readings = Reading::all(view);
    let scope = Scope::select(view, &readings, request);
    let (inspector, part, name_scope, remarks) = follow(&readings, scope.as_ref(), &path, expression)?;
    let mut remarks = remarks;
    let (value, address) = match part {
        Part::Object(object, remark) => {
            remarks.extend(remark);
            (inspector.value(object, request.limits()), Some(object))
        }
        Part::Value(value) => (*value, None),
    };
    let scope = scope.ok();
    let found = Printed {
        expression: expression.trim().to_owned(),
        thread: scope.as_ref().and_then(|scope| scope.tid),
        frame: scope.as_ref().map(|scope| scope.index),
        scope: name_scope,
        address,
        value,
        remarks,
        gaps: inspector.take_gaps().0,
    };
    let options = TextOptions { colour: request.colour };
    Ok(Answer::new(render::to_string(|out| render::printed(&found, out, options)), &found))
}

/// What a path leads to, with who reads it.
type Followed<'r, 'v> = (&'r Inspector<'v>, Part, Option<NameScope>, Vec<String>);

fn follow<'r, 'v>(
    readings: &'r [Reading<'v>],
    scope: Result<&Scope<'r, 'v>, &AskError>,
    path: &Path,
    expression: &str,
) -> Result<Followed<'r, 'v>, AskError> {
    let (inspector, object, name_scope) = match &path.root {
        Root::Name(name) => {
            let scope = scope.map_err(|error| AskError::NotThere(error.to_string()))?;
            let named = scope.name(name)?;
            (scope.inspector(), named.object, Some(named.scope))
        }
        Root::Address(address) => {
            let own = scope.ok().map(Scope::inspector);
            let all = own.into_iter().chain(readings.iter().map(|reading| &reading.inspector));
            let mut problem = None;
            let mut found = None;
            for inspector in all {
                match inspector.type_of(*address) {
                    Ok(_) => {
                        found = Some(inspector);
                        break;
                    }
                    Err(error) => problem = problem.or(Some(error)),
                }
            }
            let inspector = found.ok_or_else(|| {
                let why = problem.map(|error| format!(": {error}")).unwrap_or_default();
                AskError::NotThere(format!("no Python object is at {address}{why}"))
            })?;
            (inspector, *address, None)
        }
    };
    let mut part = Part::Object(object, None);
    let mut end = path.root_end;
    let mut remarks = Vec::new();
    for (step, step_end) in &path.steps {
        let before = expression.get(..end).unwrap_or(expression).trim();
        let object = match part {
            Part::Object(object, remark) => {
                remarks.extend(remark.map(|remark| format!("{before} is {remark}")));
                object
            }
            Part::Value(value) => {
                return Err(AskError::NotThere(format!(
                    "{before} is {}, which is no object in memory: it has no parts to look up",
                    value.repr
                )));
            }
        };
        let found = match step {
            Step::Attribute(name) => inspector.part_by_name(object, name),
            Step::Item(key) => inspector.part_by_key(object, key),
        };
        part = found.map_err(|problem| {
            let whole = expression.get(..*step_end).unwrap_or(expression).trim();
            AskError::NotThere(match problem {
                NoPart::None(why) => format!("{whole}: {why}"),
                NoPart::Unreadable(error) => format!("{whole} cannot be read: {error}"),
            })
        })?;
        end = *step_end;
    }
    Ok((inspector, part, name_scope, remarks))
}

/// The ways in which an expression that is being typed may go on.
pub(super) fn complete(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let text = request.text.as_deref().unwrap_or_default();
    let readings = Reading::all(view);
    let scope = Scope::select(view, &readings, request);
    let (start, mut completions) = completions(&readings, scope.as_ref(), text).unwrap_or_default();
    completions.sort_unstable();
    completions.dedup();
    let truncated = completions.len() > MAX_COMPLETIONS;
    completions.truncate(MAX_COMPLETIONS);
    let found = Completions { start, completions, truncated };
    Ok(Answer::new(render::to_string(|out| render::completions(&found, out)), &found))
}

/// Where in `text` what is completed begins, in bytes, and what may stand there.
fn completions<'r, 'v>(
    readings: &'r [Reading<'v>],
    scope: Result<&Scope<'r, 'v>, &AskError>,
    text: &str,
) -> Option<(usize, Vec<String>)> {
    let start = text
        .rfind(|c: char| !path::is_name_part(c))
        .map_or(0, |at| at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8));
    let typed = text.get(start..)?;
    let matching = |names: Vec<String>| {
        names.into_iter().filter(|name| name.starts_with(typed) && is_name(name)).collect::<Vec<_>>()
    };
    let before = text.get(..start)?.trim_end();
    if before.is_empty() {
        return Some((start, matching(scope.ok()?.names())));
    }
    let object_of = |expression: &str| {
        let path = path::parse(expression).ok()?;
        match follow(readings, scope, &path, expression).ok()? {
            (inspector, Part::Object(object, _), _, _) => Some((inspector, object)),
            _ => None,
        }
    };
    if let Some(expression) = before.strip_suffix('.') {
        let (inspector, object) = object_of(expression)?;
        return Some((start, matching(inspector.names_of_parts(object).ok()?)));
    }
    let quote = before.chars().next_back().filter(|c| matches!(c, '"' | '\''))?;
    let expression = before.strip_suffix(quote)?.trim_end().strip_suffix('[')?;
    let (inspector, object) = object_of(expression)?;
    let keys = inspector.names_of_keys(object).ok()?;
    let is_plain = |key: &String| !key.contains(['"', '\'', '\\']) && !key.chars().any(char::is_control);
    let keys = keys.into_iter().filter(|key| key.starts_with(typed) && is_plain(key));
    Some((start, keys.map(|key| format!("{key}{quote}]")).collect()))
}

fn is_name(name: &str) -> bool {
    name.starts_with(path::is_name_start) && name.chars().all(path::is_name_part)
}

/// `; near it: ...` for a thread's or module's name.
pub(super) fn near(wanted: &str, names: &[String]) -> String {
    near_names(wanted, names)
}
