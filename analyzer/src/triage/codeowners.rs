//! CODEOWNERS: who owns the file that a group's crashes were in.
//!
//! What patterns and sections mean: GitHub's "About code owners" and GitLab's "Code Owners syntax" (which matches by Ruby's
//! `File.fnmatch` with `FNM_DOTMATCH` and `FNM_PATHNAME`).

use super::FrameRules;
use crate::report::{CrashFrame, Triage};
use globset::{GlobBuilder, GlobMatcher};
use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The largest file that GitHub reads, in bytes.
const FILE_LIMIT: u64 = 3 << 20;
/// The folders of a repository in which the file may be, in the order in which GitHub and GitLab look.
const FOLDERS: [&str; 4] = [".github", "", "docs", ".gitlab"];
/// How many frames of one's own code are asked for their owner.
const FRAMES: usize = 50;
/// How many ends of a path are looked for in the repository.
const ENDS: usize = 30;

/// Whose rules a file is written by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// GitHub's, also Gitea's and Bitbucket's where they agree.
    GitHub,
    /// GitLab's, which has sections.
    GitLab,
}

/// A CODEOWNERS file.
#[derive(Debug)]
pub struct CodeOwners {
    /// The root of the repository.
    root: PathBuf,
    sections: Vec<Section>,
    /// Lines that are not understood, which GitHub and GitLab pass over likewise: their numbers.
    skipped: Vec<usize>,
}

/// Of each section the last entry that matches counts. What stands before the first one is a section, too.
#[derive(Debug, Default)]
struct Section {
    name: String,
    default: Vec<String>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// One of them has to match.
    globs: Vec<GlobMatcher>,
    /// Whether it takes files out of its section.
    excludes: bool,
    owners: Vec<String>,
}

impl CodeOwners {
    /// The file of the repository at `root`, where there is one.
    #[must_use]
    pub fn find(root: &Path) -> Option<PathBuf> {
        FOLDERS.iter().map(|folder| root.join(folder).join("CODEOWNERS")).find(|path| path.is_file())
    }

    /// Reads a file. Its repository is the folder it is in, or the one above where that is `.github`, `.gitlab` or `docs`.
    ///
    /// # Errors
    /// When it cannot be read, or is larger than GitHub would read.
    pub fn read(path: &Path) -> io::Result<Self> {
        if std::fs::metadata(path)?.len() > FILE_LIMIT {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("larger than {FILE_LIMIT} bytes"),
            ));
        }
        let text = std::fs::read(path)?;
        let text = String::from_utf8_lossy(&text);
        let path = std::fs::canonicalize(path)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let inside = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let root = match inside {
            ".github" | ".gitlab" | "docs" => folder.parent().unwrap_or(folder),
            _ => folder,
        };
        let dialect = match inside {
            ".gitlab" => Dialect::GitLab,
            ".github" => Dialect::GitHub,
            _ if text.lines().any(|line| header(line).is_some()) => Dialect::GitLab,
            _ => Dialect::GitHub,
        };
        Ok(Self::parse(&text, dialect, root))
    }

    /// Reads the text of a file, of the repository at `root`.
    #[must_use]
    pub fn parse(text: &str, dialect: Dialect, root: &Path) -> Self {
        let mut sections = vec![Section::default()];
        let mut current = 0;
        let mut skipped = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if dialect == Dialect::GitLab
                && let Some((name, default)) = header(line)
            {
                // Sections with the same name are one.
                let known = sections.iter().position(|section| section.name.eq_ignore_ascii_case(name));
                current = known.unwrap_or(sections.len());
                if known.is_none() {
                    sections.push(Section { name: name.to_owned(), ..Section::default() });
                }
                if let Some(section) = sections.get_mut(current)
                    && !default.is_empty()
                {
                    section.default = default;
                }
                continue;
            }
            match (entry(line, dialect), sections.get_mut(current)) {
                (Some(entry), Some(section)) => section.entries.push(entry),
                _ => skipped.push(at + 1),
            }
        }
        Self { root: root.to_owned(), sections, skipped }
    }

    /// Who owns the file at `path`, which is relative to the root; nobody where no entry says so.
    #[must_use]
    pub fn owners_of(&self, path: &str) -> Vec<String> {
        let mut owners = Vec::new();
        for section in &self.sections {
            let matches = |entry: &&Entry| entry.globs.iter().any(|glob| glob.is_match(path));
            if section.entries.iter().filter(|entry| entry.excludes).any(|entry| matches(&entry)) {
                continue;
            }
            let Some(entry) = section.entries.iter().rev().find(|entry| !entry.excludes && matches(entry))
            else {
                continue;
            };
            for owner in if entry.owners.is_empty() { &section.default } else { &entry.owners } {
                if !owners.contains(owner) {
                    owners.push(owner.clone());
                }
            }
        }
        owners
    }

    /// Names the owners of groups of which no rule does so: those of the innermost frame of one's own code, where the file
    /// is in the repository and has owners.
    pub fn apply(&self, triage: &mut Triage, frames: &FrameRules) {
        let mut known: HashMap<(String, Option<String>), Option<Vec<String>>> = HashMap::new();
        for group in triage.groups.iter_mut().filter(|group| group.verdict.owners.is_empty()) {
            let own = group.crash.frames.iter().filter(|frame| frames.is_own(frame)).take(FRAMES);
            let owners = own.filter_map(|frame| {
                let file = frame.file.clone()?;
                let owners = known.entry((file, frame.module.clone())).or_insert_with(|| {
                    self.path_of(frame, frames)
                        .map(|path| self.owners_of(&path))
                        .filter(|owners| !owners.is_empty())
                });
                owners.clone()
            });
            group.verdict.owners = owners.into_iter().next().unwrap_or_default();
        }
        if let Some(first) = self.skipped.first() {
            let lines = self.skipped.len();
            triage
                .warnings
                .push(format!("CODEOWNERS: {lines} lines are not understood, the first one is {first}"));
        }
    }

    /// The path of a frame's source in the repository: below its root; else, of an installed package, the same path there or
    /// in `src` or `lib`; else the longest end of it that is a file there; else, of modules that rules name as one's own, as
    /// they are imported.
    fn path_of(&self, frame: &CrashFrame, frames: &FrameRules) -> Option<String> {
        let file = frame.file.as_deref()?.replace('\\', "/");
        let path = Path::new(&file);
        if path.components().any(|part| matches!(part, Component::ParentDir)) || file.contains(['\0', '<']) {
            return None;
        }
        let parts: Vec<&str> = file.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let is_there = |path: &String| self.root.join(path).is_file();
        let installed = parts.iter().rposition(|part| matches!(*part, "site-packages" | "dist-packages"));
        let found = match (installed, path.strip_prefix(&self.root)) {
            (Some(folder), _) => {
                let inside = parts.get(folder + 1..)?.join("/");
                ["", "src/", "lib/"].map(|above| format!("{above}{inside}")).into_iter().find(is_there)
            }
            (None, Ok(inside)) => inside.to_str().map(str::to_owned),
            (None, Err(_)) => {
                let ends =
                    (parts.len().saturating_sub(ENDS)..parts.len()).filter_map(|from| parts.get(from..));
                ends.map(|end| end.join("/")).find(is_there)
            }
        };
        found.or_else(|| imported(&parts, frame.module.as_deref().filter(|_| !frames.in_app.is_empty())?))
    }
}

/// The end of a source's path that tells the module: `app/models.py` of `app.models`.
fn imported(parts: &[&str], module: &str) -> Option<String> {
    let is_package = parts.last() == Some(&"__init__.py");
    let length = module.split('.').count() + usize::from(is_package);
    let end = parts.get(parts.len().checked_sub(length)?..)?.join("/");
    let path = end.strip_suffix(if is_package { "/__init__.py" } else { ".py" })?;
    (path.replace('/', ".") == module).then_some(end)
}

/// The name and the default owners of a section's heading: `[Name]`, `^[Name][2] @owner`.
fn header(line: &str) -> Option<(&str, Vec<String>)> {
    let line = line.trim();
    let (name, rest) = line.strip_prefix('^').unwrap_or(line).strip_prefix('[')?.split_once(']')?;
    let rest = match rest.strip_prefix('[') {
        Some(count) => {
            count.split_once(']').filter(|(count, _)| count.bytes().all(|c| c.is_ascii_digit()))?.1
        }
        None => rest,
    };
    let heads = !name.trim().is_empty() && (rest.is_empty() || rest.starts_with([' ', '\t']));
    heads.then(|| (name.trim(), owners(rest)))
}

/// What looks like an owner: `@user`, `@org/team`, `@@role`, an address.
fn owners(text: &str) -> Vec<String> {
    let words = text.split_whitespace().take_while(|word| !word.starts_with('#'));
    words.filter(|word| word.contains('@') && word.len() > 1).map(str::to_owned).collect()
}

fn entry(line: &str, dialect: Dialect) -> Option<Entry> {
    let (pattern, rest) = split(line);
    let (pattern, excludes) = match pattern.strip_prefix('!') {
        Some(_) if dialect == Dialect::GitHub => return None,
        Some(excluded) => (excluded.to_owned(), true),
        None => (pattern, false),
    };
    let globs = match dialect {
        Dialect::GitHub => github(&pattern)?,
        Dialect::GitLab => vec![gitlab(&pattern)],
    };
    let build = |glob: String| {
        let mut builder = GlobBuilder::new(&glob);
        builder.literal_separator(true).backslash_escape(true).build().ok().map(|glob| glob.compile_matcher())
    };
    let globs = globs.into_iter().map(build).collect::<Option<Vec<_>>>()?;
    Some(Entry { globs, excludes, owners: owners(rest) })
}

/// The pattern at the start of a line, in which spaces are escaped, and what is behind it.
fn split(line: &str) -> (String, &str) {
    let mut pattern = String::new();
    let mut characters = line.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some((_, escaped @ (' ' | '\t' | '#'))) => pattern.push(escaped),
                Some((_, other)) => pattern.extend(['\\', other]),
                None => pattern.push('\\'),
            },
            c if c.is_whitespace() => return (pattern, line.get(at..).unwrap_or_default()),
            c => pattern.push(c),
        }
    }
    (pattern, "")
}

/// The globs of a pattern by GitHub's rules: those of gitignore, but for `!` and `[...]`, which it does not know, and `/*`
/// at the end, which means files of that folder only.
fn github(pattern: &str) -> Option<Vec<String>> {
    let is_folder = pattern.ends_with('/');
    let inner = pattern.trim_end_matches('/');
    let anchored = inner.contains('/');
    let inner = inner.strip_prefix('/').unwrap_or(inner);
    if inner.is_empty() {
        return (pattern == "/").then(|| vec!["**".to_owned()]);
    }
    if inner.contains(['[', ']']) {
        return None;
    }
    let inner = inner.replace('{', "\\{").replace('}', "\\}");
    let path = if anchored { inner } else { format!("**/{inner}") };
    let below = format!("{path}/**");
    Some(match path.rsplit('/').next() {
        _ if is_folder => vec![below],
        Some("*") if anchored => vec![path],
        Some("**") => vec![path],
        _ => vec![path, below],
    })
}

/// The glob of a pattern by GitLab's rules: a path from the root, or, without a `/` before it, of a file anywhere.
fn gitlab(pattern: &str) -> String {
    if pattern == "*" {
        return "**".to_owned();
    }
    let pattern = pattern.replace('{', "\\{").replace('}', "\\}");
    let path = match pattern.strip_prefix('/') {
        Some(path) => path.to_owned(),
        None => format!("**/{pattern}"),
    };
    match path.strip_suffix('/') {
        Some(folder) => format!("{folder}/**"),
        // `File.fnmatch` takes `**` for `*` where no `/` follows.
        None if path.ends_with("/**") => path.get(..path.len() - 1).unwrap_or(&path).to_owned(),
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::samples::{crash, entry, frame};
    use crate::triage::{GroupOptions, group};
    use std::fs;

    fn owners_of(text: &str, dialect: Dialect, path: &str) -> String {
        CodeOwners::parse(text, dialect, Path::new("/repo")).owners_of(path).join(" ")
    }

    /// The paths that `pattern` matches, of those of a small repository.
    fn matched(pattern: &str, dialect: Dialect) -> Vec<&'static str> {
        const PATHS: [&str; 12] = [
            "README.md",
            "apps/a.js",
            "apps/x/b.js",
            "lib/apps/c.js",
            "docs/index.md",
            "docs/sub/page.md",
            "docs/.hidden",
            "lib/docs/other.md",
            "a b.txt",
            "#hash",
            "x[1].py",
            "lib/x{2}.py",
        ];
        let owners = CodeOwners::parse(&format!("{pattern} @owner"), dialect, Path::new("/repo"));
        PATHS.into_iter().filter(|path| !owners.owners_of(path).is_empty()).collect()
    }

    #[test]
    fn github_patterns_match_as_its_documentation_says() {
        let github = |pattern| matched(pattern, Dialect::GitHub);
        assert_eq!(github("*").len(), 12);
        assert_eq!(github("*.js"), ["apps/a.js", "apps/x/b.js", "lib/apps/c.js"]);
        assert_eq!(github("apps/"), ["apps/a.js", "apps/x/b.js", "lib/apps/c.js"]);
        assert_eq!(github("/apps/"), ["apps/a.js", "apps/x/b.js"]);
        assert_eq!(github("apps"), ["apps/a.js", "apps/x/b.js", "lib/apps/c.js"]);
        assert_eq!(github("docs/*"), ["docs/index.md", "docs/.hidden"]);
        assert_eq!(github("docs/**"), ["docs/index.md", "docs/sub/page.md", "docs/.hidden"]);
        assert_eq!(
            github("**/docs"),
            ["docs/index.md", "docs/sub/page.md", "docs/.hidden", "lib/docs/other.md"]
        );
        assert_eq!(github("docs/sub"), ["docs/sub/page.md"]);
        assert_eq!(github("sub/page.md"), [""; 0]);
        assert_eq!(github("/*.md"), ["README.md"]);
        assert_eq!(github("/docs/**/*.md"), ["docs/index.md", "docs/sub/page.md"]);
        assert_eq!(github("a\\ b.txt"), ["a b.txt"]);
        assert_eq!(github("\\#hash"), ["#hash"]);
        assert_eq!(github("readme.md"), [""; 0]);
        assert_eq!(github("lib/x{2}.py"), ["lib/x{2}.py"]);
        // What it does not support is passed over.
        assert_eq!(github("x[1].py"), [""; 0]);
        assert_eq!(github("!README.md"), [""; 0]);
    }

    #[test]
    fn gitlab_patterns_match_as_its_documentation_says() {
        let gitlab = |pattern| matched(pattern, Dialect::GitLab);
        assert_eq!(gitlab("*").len(), 12);
        assert_eq!(
            gitlab("docs/"),
            ["docs/index.md", "docs/sub/page.md", "docs/.hidden", "lib/docs/other.md"]
        );
        assert_eq!(gitlab("/docs/"), ["docs/index.md", "docs/sub/page.md", "docs/.hidden"]);
        assert_eq!(gitlab("/docs/*"), ["docs/index.md", "docs/.hidden"]);
        assert_eq!(gitlab("/docs/**"), ["docs/index.md", "docs/.hidden"]);
        assert_eq!(gitlab("/docs/**/*.md"), ["docs/index.md", "docs/sub/page.md"]);
        assert_eq!(gitlab("/docs"), [""; 0]);
        assert_eq!(gitlab("sub/page.md"), ["docs/sub/page.md"]);
        assert_eq!(gitlab("*.md"), ["README.md", "docs/index.md", "docs/sub/page.md", "lib/docs/other.md"]);
        assert_eq!(gitlab("a\\ b.txt"), ["a b.txt"]);
        assert_eq!(gitlab("apps/[a-c].js"), ["apps/a.js", "lib/apps/c.js"]);
        assert_eq!(gitlab("lib/x{2}.py"), ["lib/x{2}.py"]);
    }

    #[test]
    fn the_last_match_wins_and_may_have_no_owner() {
        let text =
            "# who\n* @all # inline @not\n\napps/ @apps me@example.com\n/apps/x/ \n*.js @js\n/apps/x/b.js\n";
        let of = |path| owners_of(text, Dialect::GitHub, path);
        assert_eq!(of("README.md"), "@all");
        assert_eq!(of("apps/readme"), "@apps me@example.com");
        assert_eq!(of("apps/x/readme"), "");
        assert_eq!(of("apps/a.js"), "@js");
        assert_eq!(of("apps/x/b.js"), "");
    }

    #[test]
    fn sections_of_gitlab_each_name_owners() {
        let text = "* @all\n[Docs][2] @docs @writers\n/docs/\n*.md @md\n\n^[Apps]\n/apps/ @apps\n!/apps/x/\n[DOCS]\n/apps/*.md @late\n";
        let of = |path| owners_of(text, Dialect::GitLab, path);
        assert_eq!(of("x.py"), "@all");
        assert_eq!(of("docs/x.py"), "@all @docs @writers");
        assert_eq!(of("docs/x.md"), "@all @md");
        assert_eq!(of("apps/x.md"), "@all @late @apps");
        assert_eq!(of("apps/x/b.js"), "@all");
        // A heading is a pattern to GitHub, and one that it does not know.
        let github = CodeOwners::parse(text, Dialect::GitHub, Path::new("/repo"));
        assert_eq!((github.sections.len(), github.skipped.as_slice()), (1, &[2, 6, 8, 9][..]));
    }

    #[test]
    fn the_place_of_a_file_tells_its_repository_and_dialect() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        assert_eq!(CodeOwners::find(&root), None);
        let read = |place: &str, text: &str| {
            let path = root.join(place);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            assert_eq!(CodeOwners::find(&root).as_ref(), Some(&path));
            CodeOwners::read(&path).unwrap()
        };
        let gitlab = read(".gitlab/CODEOWNERS", "[A]\n/x/** @a\n");
        assert_eq!((gitlab.root.as_path(), gitlab.sections.len()), (root.as_path(), 2));
        assert_eq!(read("docs/CODEOWNERS", "/x/** @a\n").owners_of("x/y/z"), ["@a"]);
        assert_eq!(read("CODEOWNERS", "[A]\n/x/** @a\n").sections.len(), 2);
        assert_eq!(read(".github/CODEOWNERS", "[A]\n/x/** @a\n").sections.len(), 1);
    }

    #[test]
    fn groups_are_owned_by_who_owns_the_innermost_file_of_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["src/app/models.py", "src/tool/x.py", "setup.py"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let text = "* @all\n/src/app/ @app\n/src/tool/\n";
        let owners = CodeOwners::parse(text, Dialect::GitHub, folder.path());
        let with = |frames, rules: &FrameRules| {
            let mut triage =
                group(vec![entry("core", crash(Some("SIGSEGV"), frames))], &GroupOptions::default());
            owners.apply(&mut triage, rules);
            triage.groups.remove(0).verdict.owners.join(" ")
        };
        let any = FrameRules::default();
        let of = |module, file: &str| with(vec![frame(module, "f", file)], &any);
        assert_eq!(of("app.models", "/build/7/src/app/models.py"), "@app");
        assert_eq!(of("app.models", "C:\\build\\src\\app\\models.py"), "@app");
        assert_eq!(of("app.models", "/venv/lib/python3.11/site-packages/app/models.py"), "@app");
        assert_eq!(of("app.gone", &folder.path().join("src/app/gone.py").display().to_string()), "@app");
        assert_eq!(of("setup", "/build/setup.py"), "@all");
        // Files of others that happen to be called like one here, and places outside.
        assert_eq!(of("other.setup", "/venv/lib/python3.11/site-packages/other/setup.py"), "");
        assert_eq!(of("json", "/usr/lib/python3.11/json/setup.py"), "");
        assert_eq!(of("x", &folder.path().join("src/../../x.py").display().to_string()), "");
        assert_eq!(of("app.elsewhere", "/build/app/elsewhere.py"), "");
        let own = FrameRules { in_app: vec!["app".to_owned()], skip: Vec::new() };
        assert_eq!(with(vec![frame("app.elsewhere", "f", "/build/app/elsewhere.py")], &own), "@all");
        assert_eq!(with(vec![frame("app", "f", "/build/app/__init__.py")], &own), "@all");
        // The standard library's frames, and those without an owner, are passed over.
        let frames = vec![
            frame("json", "loads", "/usr/lib/python3.11/json/__init__.py"),
            frame("tool.x", "f", "/build/src/tool/x.py"),
            frame("app.models", "f", "/build/src/app/models.py"),
        ];
        assert_eq!(with(frames.clone(), &any), "@app");
        let skipping = FrameRules { in_app: Vec::new(), skip: vec!["app.models".to_owned()] };
        assert_eq!(with(frames, &skipping), "");
    }

    #[test]
    fn rules_go_before_it() {
        let owners = CodeOwners::parse("* @all", Dialect::GitHub, Path::new("/srv"));
        let entries = vec![entry("core", crash(Some("SIGSEGV"), vec![frame("a", "f", "/srv/a.py")]))];
        let mut triage = group(entries, &GroupOptions::default());
        triage.groups[0].verdict.owners = vec!["@rule".to_owned()];
        owners.apply(&mut triage, &FrameRules::default());
        assert_eq!(triage.groups[0].verdict.owners, ["@rule"]);
    }
}
