//! The whole report.

use super::request::{Format, Request};
use super::{Answer, SessionOptions};
use crate::analysis::AnalyzeOptions;
use crate::dump::FileSearch;
use crate::render::{self, TextOptions};
use crate::report::Report;

/// How the report is asked for.
pub(super) fn options(request: &Request, options: &SessionOptions) -> AnalyzeOptions {
    let source_root =
        if request.source_root.is_empty() { &options.source_root } else { &request.source_root };
    AnalyzeOptions {
        layout: options.layout.clone(),
        locals: request.locals,
        tasks: request.tasks,
        limits: request.limits(),
        redact: request.redact,
        source_root: source_root.clone(),
        files: FileSearch::default(),
    }
}

/// What `pycore analyze` shows.
pub(super) fn answer(mut report: Report, request: &Request) -> Answer {
    request.number(&mut report.threads);
    let text = render::to_string(|out| match request.format {
        Format::Text => render::text(&report, out, TextOptions { colour: request.colour }),
        Format::Json => render::json(&report, out),
        Format::Yaml => render::yaml(&report, out, request.colour),
    });
    Answer::new(text, &report)
}
