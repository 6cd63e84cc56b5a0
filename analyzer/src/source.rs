//! Source lines from where the user said that sources are. A path in a dump is never opened by itself.

use crate::report::{Exception, Frame, Report, Thread};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// The largest source file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;
/// The longest line that is shown, in characters.
const MAX_LINE: usize = 500;

/// Source files below the roots that the user named.
pub(crate) struct SourceFiles<'a> {
    roots: &'a [PathBuf],
    lines: HashMap<String, Option<Vec<String>>>,
}

impl<'a> SourceFiles<'a> {
    pub(crate) fn new(roots: &'a [PathBuf]) -> Self {
        SourceFiles { roots, lines: HashMap::new() }
    }

    /// Puts the text of their line into all frames of a report.
    pub(crate) fn fill(&mut self, report: &mut Report) {
        if self.roots.is_empty() {
            return;
        }
        report.threads.iter_mut().for_each(|thread| self.fill_thread(thread));
        for task in report.tasks.iter_mut().flatten() {
            self.fill_frames(&mut task.stack);
            task.exception.iter_mut().for_each(|exception| self.fill_exception(exception));
        }
        for generator in report.generators.iter_mut().flatten() {
            self.fill_frames(&mut generator.stack);
        }
        for greenlet in report.greenlets.iter_mut().flatten() {
            self.fill_frames(&mut greenlet.stack);
        }
        for interpreter in report.python.iter_mut().flat_map(|python| &mut python.interpreters) {
            interpreter.last_exception.iter_mut().for_each(|exception| self.fill_exception(exception));
        }
    }

    /// Puts the text of their line into the frames of a thread and of what it raises and handles.
    pub(crate) fn fill_thread(&mut self, thread: &mut Thread) {
        self.fill_frames(&mut thread.frames);
        for exceptions in thread.exceptions.iter_mut() {
            let all = exceptions.handling.iter_mut().chain(&mut exceptions.raising);
            all.for_each(|exception| self.fill_exception(exception));
        }
    }

    fn fill_exception(&mut self, exception: &mut Exception) {
        self.fill_frames(&mut exception.traceback);
        let related = exception.cause.iter_mut().chain(&mut exception.context).map(|boxed| &mut **boxed);
        related.chain(&mut exception.exceptions).for_each(|related| self.fill_exception(related));
    }

    /// Puts the text of their line into `frames`.
    pub(crate) fn fill_frames(&mut self, frames: &mut [Frame]) {
        for frame in frames {
            if let (Some(file), Some(line)) = (&frame.file, frame.line) {
                frame.source = self.line(file, line);
            }
        }
    }

    fn line(&mut self, file: &str, line: u32) -> Option<String> {
        let roots = self.roots;
        let lines =
            self.lines.entry(file.to_owned()).or_insert_with(|| Some(find(roots, file)?.1)).as_ref()?;
        lines.get(usize::try_from(line).ok()?.checked_sub(1)?).map(|line| line.trim().to_owned())
    }
}

/// The file below a root by its whole path, else by ever shorter ends of it: where it is, and its lines.
pub(crate) fn find(roots: &[PathBuf], file: &str) -> Option<(PathBuf, Vec<String>)> {
    let parts: Vec<_> = Path::new(file)
        .components()
        .filter_map(|component| match component {
            Component::Normal(part) => Some(Some(part)),
            Component::ParentDir => Some(None),
            _ => None,
        })
        .collect::<Option<_>>()?;
    for root in roots {
        for skipped in 0..parts.len() {
            let mut path = root.clone();
            path.extend(parts.iter().skip(skipped));
            if let Some(found) = open(&path) {
                return Some(found);
            }
        }
    }
    None
}

/// The lines of a file, and its path.
pub(crate) fn open(path: &Path) -> Option<(PathBuf, Vec<String>)> {
    let meta = std::fs::metadata(path).ok()?;
    if !meta.is_file() || meta.len() > MAX_FILE {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(|line| line.trim_end().chars().take(MAX_LINE).collect()).collect();
    Some((path.to_owned(), lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_below_a_root_by_the_longest_end_of_their_path() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("app")).unwrap();
        std::fs::write(root.path().join("app/main.py"), "one\n  two\n").unwrap();
        std::fs::write(root.path().join("main.py"), "other\n").unwrap();
        let roots = [root.path().to_owned()];
        let mut files = SourceFiles::new(&roots);
        assert_eq!(files.line("/srv/app/main.py", 2).as_deref(), Some("two"));
        assert_eq!(files.line("/elsewhere/main.py", 1).as_deref(), Some("other"));
        assert_eq!(files.line("/srv/app/main.py", 3), None);
        assert_eq!(files.line("/srv/../app/main.py", 1), None, "no way out of the root");
        assert_eq!(files.line("<string>", 1), None);
    }
}
