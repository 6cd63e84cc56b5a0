//! A site of static pages: an index of the groups, and a page for each. It works from a folder, and asks for nothing
//! outside of it.
//!
//! Pages come from `templates/triage`, whose every value is escaped; what is not markup then passes the guard that keeps
//! control characters out. No value stands in a script or a style sheet, which are files of their own and the same for
//! all sites.

mod group;
mod index;

use super::TriageOptions;
use crate::render::sanitize::{Guard, Notation};
use crate::report::Triage;
use askama::Template;
use group::GroupPage;
use index::IndexPage;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::Path;

/// What pages of groups may take together, in bytes, where there are not so many that each would get too little.
const PAGES: usize = 130 << 10;
/// What marks a page as made here.
const GENERATOR: &[u8] = b"<meta name=\"generator\" content=\"pycore\">";

/// Writes the site into `folder`, which is made where it is missing: `index.html`, `site.css`, `site.js` and a page in
/// `groups/` for each group, by its id. Pages of groups that an earlier run left there are removed.
///
/// # Errors
/// When a file cannot be written.
pub fn html(triage: &Triage, options: &TriageOptions, folder: &Path) -> io::Result<()> {
    let groups = folder.join("groups");
    fs::create_dir_all(&groups)?;
    let pages = page_names(triage);
    remove_others(&groups, &pages)?;
    fs::write(folder.join("site.css"), include_str!("../../../../templates/triage/site.css"))?;
    fs::write(folder.join("site.js"), include_str!("../../../../templates/triage/site.js"))?;
    write(&IndexPage::new(triage, &pages), &folder.join("index.html"))?;
    let room = (PAGES / triage.groups.len().max(1)).clamp(2 << 10, 24 << 10);
    for (at, (group, page)) in triage.groups.iter().zip(&pages).enumerate() {
        let mut shown = GroupPage::new(triage, group, options, room);
        shown.previous = at.checked_sub(1).and_then(|at| pages.get(at)).map(String::as_str);
        shown.next = pages.get(at.saturating_add(1)).map(String::as_str);
        write(&shown, &groups.join(page))?;
    }
    Ok(())
}

fn write(page: &impl Template, path: &Path) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, Guard::new(File::create(path)?, Notation::Python));
    Template::write_into(page, &mut out)?;
    out.flush()
}

/// The name of each group's page: its id, of which only letters and digits are kept.
fn page_names(triage: &Triage) -> Vec<String> {
    let mut taken = HashSet::new();
    let name = |id: &str| -> String {
        let kept =
            id.chars().take(60).map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
        kept.collect()
    };
    let mut names = Vec::with_capacity(triage.groups.len());
    for (at, group) in triage.groups.iter().enumerate() {
        let mut page = format!("{}.html", name(&group.id));
        if !taken.insert(page.clone()) {
            page = format!("{}-{}.html", name(&group.id), at.saturating_add(1));
            taken.insert(page.clone());
        }
        names.push(page);
    }
    names
}

/// Removes the pages in a folder that were made here and are not in `pages`.
fn remove_others(folder: &Path, pages: &[String]) -> io::Result<()> {
    let pages: HashSet<&str> = pages.iter().map(String::as_str).collect();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_page = name.to_str().is_some_and(|name| name.ends_with(".html") && !pages.contains(name));
        if is_page && entry.file_type()?.is_file() && is_own(&entry.path())? {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn is_own(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(2048).read_to_end(&mut head)?;
    Ok(head.windows(GENERATOR.len()).any(|part| part == GENERATOR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::triage::samples::{hostile_triage, triage};
    use quick_xml::Reader;
    use quick_xml::events::Event;
    use std::collections::{BTreeMap, BTreeSet};

    /// The files of the site, by their paths in it.
    fn site(triage: &Triage) -> BTreeMap<String, String> {
        let folder = tempfile::tempdir().unwrap();
        html(triage, &TriageOptions::default(), folder.path()).unwrap();
        files(folder.path())
    }

    fn files(folder: &Path) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        for below in [folder.to_owned(), folder.join("groups")] {
            for entry in fs::read_dir(&below).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                    files.insert(name, fs::read_to_string(path).unwrap());
                }
            }
        }
        files
    }

    /// Each element with the names of its attributes, and each target of a link.
    fn markup(page: &str) -> (BTreeSet<String>, BTreeSet<String>) {
        let mut reader = Reader::from_str(page);
        reader.config_mut().check_end_names = false;
        let (mut elements, mut targets) = (BTreeSet::new(), BTreeSet::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) | Event::Empty(tag) => {
                    let mut element = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
                    for attribute in tag.html_attributes() {
                        let attribute = attribute.unwrap();
                        let name = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
                        if matches!(name.as_str(), "href" | "src") {
                            targets.insert(String::from_utf8(attribute.value.to_vec()).unwrap());
                        }
                        element = format!("{element} {name}");
                    }
                    elements.insert(element);
                }
                Event::Eof => return (elements, targets),
                _ => {}
            }
        }
    }

    #[test]
    fn a_site_has_an_index_and_a_page_for_each_group() {
        let files = site(&triage());
        assert_eq!(
            files.keys().collect::<Vec<_>>(),
            [
                "groups/v1-0123456789abcdef.html",
                "groups/v1-1111111111111111.html",
                "groups/v1-2222222222222222.html",
                "groups/v1-3333333333333333.html",
                "index.html",
                "site.css",
                "site.js"
            ]
        );
        let (_, targets) = markup(&files["index.html"]);
        assert!(
            files.keys().filter(|name| *name != "index.html").all(|name| targets.contains(name)),
            "{targets:?}"
        );
        let (_, targets) = markup(&files["groups/v1-1111111111111111.html"]);
        for target in ["../index.html", "v1-0123456789abcdef.html", "v1-2222222222222222.html"] {
            assert!(targets.contains(target), "{targets:?}");
        }
        assert!(files["groups/v1-0123456789abcdef.html"].contains("Thread 7 &#60;crashed&#62;"));
    }

    #[test]
    fn no_string_of_a_dump_is_markup() {
        let (plain, hostile) = (site(&triage()), site(&hostile_triage()));
        let pages = |site: &BTreeMap<String, String>| {
            site.clone().into_iter().filter(|(name, _)| name.ends_with(".html"))
        };
        let known: BTreeSet<String> = pages(&plain).flat_map(|(_, page)| markup(&page).0).collect();
        assert_eq!(hostile.len(), plain.len());
        for (name, page) in pages(&hostile) {
            let (elements, targets) = markup(&page);
            assert!(elements.is_subset(&known), "{name}: {:?}", elements.difference(&known));
            for target in targets {
                assert!(target == "data:," || !target.contains(':'), "{name}: {target}");
            }
            assert!(!page.contains(['\u{1b}', '\0', '\r', '\u{202e}']), "{name}");
            assert!(page.len() < 100_000, "{name}: {}", page.len());
        }
        assert_eq!((&plain["site.js"], &plain["site.css"]), (&hostile["site.js"], &hostile["site.css"]));
    }

    #[test]
    fn forty_groups_are_a_small_site() {
        let mut triage = triage();
        let text = "  File \"/srv/app/models.py\", line 12, in save\n".repeat(200);
        let mut group = triage.groups[0].clone();
        group.crash.text = text;
        group.crash.frames = vec![group.crash.frames[0].clone(); 60];
        group.members = vec![group.members[0].clone(); 25];
        triage.groups =
            (0..40).map(|at| crate::report::Group { id: format!("v1:{at:016x}"), ..group.clone() }).collect();
        let size: usize = site(&triage).values().map(String::len).sum();
        assert!(size < 300_000, "{size}");
    }

    #[test]
    fn pages_of_an_earlier_run_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut triage = triage();
        html(&triage, &TriageOptions::default(), folder.path()).unwrap();
        fs::write(folder.path().join("groups/notes.html"), "<p>mine").unwrap();
        triage.groups.remove(0);
        html(&triage, &TriageOptions::default(), folder.path()).unwrap();
        let files = files(folder.path());
        assert!(files.contains_key("groups/notes.html"));
        assert!(!files.contains_key("groups/v1-0123456789abcdef.html"));
        assert_eq!(files.len(), 7);
    }
}
