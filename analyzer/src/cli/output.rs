//! Where results go.

use super::args::OutputArgs;
use anstream::{AutoStream, ColorChoice};
use anyhow::{Context as _, Result};
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;

/// What the place that results go to can show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Face {
    /// Whether to write colours.
    pub(super) colour: bool,
    /// Whether a terminal shows the bytes as they come.
    pub(super) terminal: bool,
}

/// Lets `body` write to the place that the arguments name; a file is created only now.
///
/// # Errors
/// When the place cannot be written to.
pub(super) fn write(
    args: &OutputArgs,
    body: impl FnOnce(&mut dyn Write, Face) -> io::Result<()>,
) -> Result<()> {
    to(args.output.as_deref(), body)
}

/// Lets `body` write to a file, which is created only now, or without one to standard output.
///
/// # Errors
/// When the place cannot be written to.
pub(super) fn to(
    path: Option<&Path>,
    body: impl FnOnce(&mut dyn Write, Face) -> io::Result<()>,
) -> Result<()> {
    let Some(path) = path else {
        return stdout(body);
    };
    let result = File::create(path).and_then(|file| {
        let face = Face { colour: has_colour(&file), terminal: file.is_terminal() };
        let mut out = BufWriter::new(file);
        body(&mut out, face)?;
        out.flush()
    });
    result.with_context(|| format!("cannot write {}", path.display()))
}

/// Lets `body` write to standard output. A reader that goes away before the end is no error.
///
/// # Errors
/// When standard output cannot be written to.
pub(super) fn stdout(body: impl FnOnce(&mut dyn Write, Face) -> io::Result<()>) -> Result<()> {
    let stdout = io::stdout().lock();
    let face = Face { colour: has_colour(&stdout), terminal: stdout.is_terminal() };
    let mut out = BufWriter::with_capacity(1 << 16, stdout);
    let result = body(&mut out, face).and_then(|()| out.flush());
    // What is left in the buffer can no more be written than what came before it.
    drop(out.into_parts());
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Lets `body` write to standard error, at once.
///
/// # Errors
/// When standard error cannot be written to.
pub(super) fn stderr(body: impl FnOnce(&mut dyn Write, Face) -> io::Result<()>) -> Result<()> {
    let stderr = io::stderr().lock();
    let face = Face { colour: has_colour(&stderr), terminal: stderr.is_terminal() };
    let mut out = BufWriter::new(stderr);
    body(&mut out, face).and_then(|()| out.flush()).context("cannot write to standard error")
}

fn has_colour(stream: &impl anstream::stream::RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}
