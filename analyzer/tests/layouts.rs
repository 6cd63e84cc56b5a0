//! The built-in tables against the interpreters they were extracted from, where this machine has them: extraction
//! must give them again. A table without its interpreter is reported as ignored.

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use pycore::layout::{LayoutRegistry, Provenance, check, dwarf};
use std::path::{Path, PathBuf};

fn main() {
    let trials = LayoutRegistry::new()
        .entries()
        .iter()
        .map(|entry| {
            let name = entry.name.clone();
            Trial::ignorable_test(entry.name.clone(), move || extracts_again(&name))
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn extracts_again(name: &str) -> Result<Completion, Failed> {
    let registry = LayoutRegistry::new();
    let layout = registry.get(name).ok_or("no such table")?.layout()?;
    for prefix in prefixes() {
        let Some(files) =
            layout.provenance.iter().map(|made_of| find(&prefix, made_of)).collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        let version = &layout.provenance.first().ok_or("no provenance")?.python;
        let (structs, provenance) = dwarf::structs(&files, version, None)?;
        if provenance.iter().zip(&layout.provenance).any(|(found, known)| found.build_id != known.build_id) {
            continue;
        }
        let comparison = check::compare(&layout.structs, &structs);
        if let Some(difference) = comparison.differences.first() {
            return Err(difference.to_string().into());
        }
        if !comparison.undefined.is_empty() || comparison.compared.len() < 50 {
            return Err(format!("{comparison:?}").into());
        }
        return Ok(Completion::Completed);
    }
    Ok(Completion::ignored_with("its interpreter is not installed here"))
}

/// Where interpreters are installed: pyenv's, and those of scripts/get-pythons.
fn prefixes() -> Vec<PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let mut prefixes = children(&root.unwrap_or_default().join("versions"));
    prefixes.extend(children(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/.work/pythons")));
    prefixes
}

/// The file of that name, in the directories for libpython, for extension modules, and of a Debian tree for debug
/// information by build id.
fn find(prefix: &Path, made_of: &Provenance) -> Option<PathBuf> {
    let library = prefix.join("lib");
    let dynload = children(&library).into_iter().map(|child| child.join("lib-dynload"));
    let debug = made_of.build_id.get(..2).map(|start| prefix.join("usr/lib/debug/.build-id").join(start));
    std::iter::once(library.clone())
        .chain(debug)
        .chain(dynload)
        .map(|directory| directory.join(&made_of.file))
        .find(|file| file.is_file())
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
