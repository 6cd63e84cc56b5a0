//! The whole report.

use super::request::{Format, Request};
use super::{Answer, Located, SessionOptions};
use crate::analysis::{self, AnalyzeOptions};
use crate::dump::FileSearch;
use crate::memory::Memory;
use crate::process::Inferior;
use crate::render::{self, TextOptions};

/// What `pycore analyze` shows.
pub(super) fn report(
    inferior: &dyn Inferior,
    memory: &dyn Memory,
    located: &Located,
    request: &Request,
    options: &SessionOptions,
) -> Answer {
    let source_root =
        if request.source_root.is_empty() { &options.source_root } else { &request.source_root };
    let options = AnalyzeOptions {
        files: FileSearch::default(),
        layout: None,
        locals: request.locals,
        tasks: request.tasks,
        limits: request.limits(),
        redact: request.redact,
        source_root: source_root.clone(),
    };
    let mut report = analysis::report(inferior, memory, located, &options);
    request.number(&mut report.threads);
    let text = render::to_string(|out| match request.format {
        Format::Text => render::text(&report, out, TextOptions { colour: request.colour }),
        Format::Json => render::json(&report, out),
        Format::Yaml => render::yaml(&report, out, request.colour),
    });
    Answer::new(text, &report)
}
