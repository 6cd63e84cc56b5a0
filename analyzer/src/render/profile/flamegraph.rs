//! A flame graph: an SVG picture with the script to look around in it, all in one file.

use super::collapsed::folded;
use crate::report::Profile;
use inferno::flamegraph::color::{MultiPalette, Palette};
use inferno::flamegraph::{Options, from_lines};
use std::io::{self, Write};

/// Writes the flame graph of a profile, with one tower for all threads or, with `threads`, one for each.
///
/// # Errors
/// Those of `out`, and a profile without any stack.
pub fn flamegraph(profile: &Profile, out: &mut dyn Write, threads: bool) -> io::Result<()> {
    let folded = folded(profile, threads);
    let lines: Vec<String> =
        folded.into_iter().map(|(stack, samples)| format!("{stack} {samples}")).collect();
    if lines.is_empty() {
        return Err(io::Error::other("no stack was met, of which a flame graph could be made"));
    }
    let mut options = Options::default();
    options.title = format!("pycore sample, process {}", profile.pid);
    options.count_name = "samples".to_owned();
    options.name_type = "Function:".to_owned();
    options.colors = Palette::Multi(MultiPalette::Python);
    options.deterministic = true;
    options.min_width = 0.0;
    from_lines(&mut options, lines.iter().map(String::as_str), out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::profile::samples::profile;

    #[test]
    fn names_cannot_become_markup_or_script() {
        let mut profile = profile();
        profile.frames[3].function = "</text><script>alert(1)</script>\" onload=\"x' ]]>\u{1}".to_owned();
        let mut out = Vec::new();
        flamegraph(&profile, &mut out, true).unwrap();
        let svg = String::from_utf8(out).unwrap();
        assert!(svg.contains("&lt;script&gt;alert(1)"));
        assert!(!svg.contains('\u{1}'));
        // Quotes do nothing in text; no tag may have them from a name.
        let tags = svg.split('<').skip(1).map(|tag| tag.split('>').next().unwrap());
        let made = tags.filter(|tag| tag.contains("alert") || tag.contains("onload=\"x"));
        assert_eq!(made.count(), 0);
        assert_eq!(svg.matches("<script").count(), 1, "inferno's own");
        let requests = ["href=\"http", "src=", "@import", "url(http", "fetch(", "XMLHttpRequest"];
        assert_eq!(requests.iter().find(|request| svg.contains(**request)), None);
    }

    #[test]
    fn of_nothing_there_is_no_graph() {
        let mut profile = profile();
        profile.stacks.clear();
        assert!(flamegraph(&profile, &mut Vec::new(), false).is_err());
    }
}
