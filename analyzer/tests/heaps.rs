//! Objects found in the heaps of free-threaded processes, against addresses that programs wrote down before they died.
//! Reads the cores that `scripts/record-fixtures` and `scripts/record-stubs` made, where there are any.

use pycore::dump::{Dump, FileSearch};
use pycore::layout::LayoutRegistry;
use pycore::memory::Memory;
use pycore::object::Inspector;
use pycore::process::Inferior;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Types whose instances the collector always tracks; functions and modules it leaves when it makes them immortal.
const TRACKED: [&str; 6] = ["generator", "coroutine", "async_generator", "list", "set", "collections.deque"];

/// The folders of recorded cores of free-threaded builds.
fn recorded() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("fixtures").join(".work/cores");
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let variants = below(&root).into_iter().flat_map(|python| below(&python));
    let mut folders: Vec<_> = variants
        .filter(|variant| variant.ends_with("kernel") || variant.ends_with("crash"))
        .flat_map(|variant| below(&variant))
        .filter(|folder| folder.join("meta.json").exists())
        .collect();
    folders.sort();
    folders
}

/// The addresses of all values of these types.
fn addresses(json: &Json, out: &mut BTreeSet<String>) {
    match json {
        Json::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Json::as_str);
            if let (Some(kind), Some(address)) = (text("type"), text("address"))
                && TRACKED.contains(&kind)
            {
                out.insert(address.to_owned());
            }
            members.values().for_each(|member| addresses(member, out));
        }
        Json::Array(items) => items.iter().for_each(|item| addresses(item, out)),
        _ => {}
    }
}

#[test]
fn every_tracked_object_that_a_program_had_is_found() {
    let mut cores = 0;
    for folder in recorded() {
        let truth: Json = serde_json::from_slice(&std::fs::read(folder.join("truth.json")).unwrap()).unwrap();
        if truth["python"]["free_threaded"] != true {
            continue;
        }
        cores += 1;
        let core =
            ["core", "core.dmp.zst"].map(|name| folder.join(name)).into_iter().find(|path| path.exists());
        let dump = Dump::open(&core.unwrap(), FileSearch::default()).unwrap();
        let memory = dump.memory();
        let found = pycore::runtime::locate(&dump, &memory, &LayoutRegistry::new()).unwrap();
        let inspector = Inspector::new(&memory as &dyn Memory, &found[0].layout);
        let (mut left, mut seen, mut strange) = (1 << 26, BTreeSet::new(), Vec::new());
        let visited = inspector.tracked_in_heaps(&mut left, &mut |object, class| {
            seen.insert(object.to_string());
            if inspector.type_info(class).is_err() {
                strange.push(object);
            }
        });
        let name = folder.display();
        assert_eq!(visited, Ok(()), "{name}");
        assert!(strange.is_empty(), "{name}: no objects of {}: {strange:?}", seen.len());
        let mut wanted = BTreeSet::new();
        addresses(&truth, &mut wanted);
        // What the program `heaps` wrote down: everything that the collector tracked.
        if let Ok(text) = std::fs::read(folder.join("objects.json")) {
            let objects: Vec<u64> = serde_json::from_slice(&text).unwrap();
            assert!(seen.len() < objects.len() + 5000, "{name}: {} of {}", seen.len(), objects.len());
            wanted.extend(objects.iter().map(|object| format!("{object:#x}")));
        }
        let missing: Vec<_> = wanted.difference(&seen).collect();
        println!("{name}: {} objects, {} wanted", seen.len(), wanted.len());
        assert!(
            missing.is_empty(),
            "{name}: {} of {} are not found: {missing:?}",
            missing.len(),
            wanted.len()
        );
    }
    println!("{cores} cores of free-threaded builds");
}
