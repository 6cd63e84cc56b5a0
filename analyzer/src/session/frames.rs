//! One frame: what it is, its variables, the lines around it.

use super::reading::Reading;
use super::request::Request;
use super::scope::Scope;
use super::{Answer, AskError, View};
use crate::render::{self, TextOptions};
use crate::report::{FrameAnswer, Listing, Local, LocalKind, SourceFormat};
use crate::source::SourceFiles;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How many lines are listed around the current one, unless it is said.
const LISTED: u32 = 10;
/// The most lines that are listed.
const MAX_LISTED: u32 = 10_000;
/// The most global names that are looked at.
const MAX_GLOBALS: usize = 10_000;

/// What a frame is.
pub(super) fn frame(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let readings = Reading::all(view);
    let scope = Scope::select(view, &readings, request)?;
    let mut found = answer(&scope, request);
    if request.locals {
        found.locals = Some(locals_of(&scope, request));
    }
    SourceFiles::new(view.source_root(request)).fill_frames(std::slice::from_mut(&mut found.frame));
    found.gaps = scope.inspector().take_gaps().0;
    let options = TextOptions { colour: request.colour };
    Ok(Answer::new(render::to_string(|out| render::frame(&found, out, options)), &found))
}

/// The variables of a frame.
pub(super) fn locals(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let readings = Reading::all(view);
    let scope = Scope::select(view, &readings, request)?;
    let mut found = answer(&scope, request);
    found.locals = Some(locals_of(&scope, request));
    found.gaps = scope.inspector().take_gaps().0;
    let options = TextOptions { colour: request.colour };
    Ok(Answer::new(render::to_string(|out| render::locals(&found, out, options)), &found))
}

fn locals_of(scope: &Scope<'_, '_>, request: &Request) -> Vec<Local> {
    scope.stacks.locals_with(&scope.raw, request.limits()).unwrap_or_else(|error| {
        scope.inspector().note_gap(error.gap("the variables"));
        Vec::new()
    })
}

/// The global names of a frame; those of the module's machinery, and what is defined, only where `all` are asked for.
pub(super) fn globals(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let readings = Reading::all(view);
    let scope = Scope::select(view, &readings, request)?;
    let inspector = scope.inspector();
    let mut found = answer(&scope, request);
    let mut globals = Vec::new();
    let mut left_out = 0;
    let pairs = scope
        .stacks
        .globals_of(&scope.raw)
        .and_then(|globals| inspector.dict_entries(globals, MAX_GLOBALS))
        .map_err(|error| AskError::NotThere(format!("the globals cannot be read: {error}")))?
        .pairs;
    for (key, object) in pairs {
        if inspector.is_str_object(key) != Ok(true) {
            continue;
        }
        let Ok(name) = inspector.string(key) else { continue };
        if request.all || !is_definition(&scope, &name, object) {
            let value = inspector.value(object, request.limits());
            globals.push(Local { name, kind: LocalKind::Local, value });
        } else {
            left_out += 1;
        }
    }
    found.left_out = left_out;
    found.locals = Some(globals);
    found.gaps = inspector.take_gaps().0;
    let options = TextOptions { colour: request.colour };
    Ok(Answer::new(render::to_string(|out| render::globals(&found, out, options)), &found))
}

/// Whether a global name is one of the module's own (`__file__`), or what its source defines or imports.
fn is_definition(scope: &Scope<'_, '_>, name: &str, object: crate::addr::Address) -> bool {
    let is_dunder = name.len() > 4 && name.starts_with("__") && name.ends_with("__");
    let class = scope.inspector().type_of(object);
    is_dunder
        || class.is_ok_and(|class| {
            class.is_type()
                || ["module", "function", "builtin_function_or_method", "classobj"]
                    .contains(&class.name.as_str())
        })
}

fn answer(scope: &Scope<'_, '_>, request: &Request) -> FrameAnswer {
    FrameAnswer {
        thread: scope.tid,
        number: scope.tid.and_then(|tid| request.numbers.get(&tid).cloned()),
        index: scope.index,
        frame_count: scope.count,
        frame: scope.frame.clone(),
        locals: None,
        left_out: 0,
        gaps: Vec::new(),
    }
}

/// The lines of the source file around the current one.
pub(super) fn list(view: &View<'_>, request: &Request) -> Result<Answer, AskError> {
    let readings = Reading::all(view);
    let scope = Scope::select(view, &readings, request)?;
    let (Some(file), Some(line)) = (&scope.frame.file, scope.frame.line) else {
        return Err(AskError::NotThere("the file or the line of the frame is not known".to_owned()));
    };
    let source = view.inferior.source();
    let roots = view.source_root(request);
    let found = crate::source::find(roots, file).or_else(|| {
        // Of a process that lives here, files are where it says.
        let own = Path::new(file).is_absolute() && source.format == SourceFormat::Live;
        own.then(|| crate::source::open(Path::new(file))).flatten()
    });
    let Some((path, lines)) = found else {
        return Err(AskError::NotThere(format!(
            "{file}, line {line}: the source file is not {}",
            if roots.is_empty() {
                "at hand; say where sources are (source_root)"
            } else {
                "below the source roots"
            }
        )));
    };
    let count = request.lines.unwrap_or(LISTED).clamp(1, MAX_LISTED);
    let first = request.from.unwrap_or_else(|| line.saturating_sub(count / 2)).max(1);
    let shown = lines.iter().skip(first as usize - 1).take(count as usize).cloned();
    let shown = Vec::from_iter(shown);
    if shown.is_empty() {
        return Err(AskError::NotThere(format!("{} has {} lines only", path.display(), lines.len())));
    }
    let looked_at = match (source.format, view.inferior.process().pid) {
        (SourceFormat::Live, Some(pid)) => PathBuf::from(format!("/proc/{pid}")),
        _ => PathBuf::from(&source.path),
    };
    let listing = Listing {
        file: file.clone(),
        path: path.display().to_string(),
        line,
        first,
        lines: shown,
        changed: is_newer(&path, &looked_at),
    };
    let options = TextOptions { colour: request.colour };
    Ok(Answer::new(render::to_string(|out| render::listing(&listing, out, options)), &listing))
}

/// Whether a source file changed after the process began, or after its dump was written.
fn is_newer(source: &Path, looked_at: &Path) -> bool {
    let changed = |path: &Path| -> Option<SystemTime> { std::fs::metadata(path).ok()?.modified().ok() };
    changed(source).zip(changed(looked_at)).is_some_and(|(source, looked_at)| source > looked_at)
}
