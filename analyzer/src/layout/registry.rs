//! The tables at hand: those built into the program, and users' own.

use super::package::PackageLayout;
use super::table::{Abi, Layout, TableError, Target};
use crate::addr::Machine;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};

/// Where a table comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is part of this program.
    BuiltIn,
    /// A user's file.
    File(PathBuf),
}

/// A table by what can be known of it without parsing it.
#[derive(Clone)]
pub struct Entry {
    /// `cpython-3.11-lp64`.
    pub name: String,
    /// Which interpreters it is for.
    pub target: Target,
    /// Where it comes from.
    pub origin: Origin,
    text: &'static str,
    /// Shared by all registries, so that it is parsed once.
    parsed: Arc<OnceLock<Layout>>,
}

impl Entry {
    /// `None` for a name that does not say what the table is for.
    fn built_in(name: &str, text: &'static str) -> Option<Self> {
        Some(Entry {
            name: name.to_owned(),
            target: Target::from_name(name)?,
            origin: Origin::BuiltIn,
            text,
            parsed: Arc::default(),
        })
    }

    /// The table, parsed when first asked for.
    ///
    /// # Errors
    /// Never for a table that is in a [`LayoutRegistry`]: the tests parse the built-in ones, and users' are parsed
    /// when they are added.
    pub fn layout(&self) -> Result<&Layout, TableError> {
        match self.parsed.get() {
            Some(layout) => Ok(layout),
            None => {
                let layout = Layout::from_yaml(self.text, &self.name)?;
                Ok(self.parsed.get_or_init(|| layout))
            }
        }
    }
}

/// A package's table by what can be known of it without parsing it.
#[derive(Clone)]
pub struct PackageEntry {
    /// `numpy-2-lp64`.
    pub name: &'static str,
    /// The package: `numpy`.
    pub package: &'static str,
    text: &'static str,
    parsed: Arc<OnceLock<PackageLayout>>,
}

impl PackageEntry {
    /// The table, parsed when first asked for.
    ///
    /// # Errors
    /// Never: the tests parse all.
    pub fn layout(&self) -> Result<&PackageLayout, TableError> {
        match self.parsed.get() {
            Some(layout) => Ok(layout),
            None => {
                let layout = PackageLayout::from_yaml(self.text, self.name)?;
                Ok(self.parsed.get_or_init(|| layout))
            }
        }
    }
}

/// All tables: of CPython, users' before built-in ones and newer versions before older ones; and of packages.
#[derive(Clone)]
pub struct LayoutRegistry {
    entries: Vec<Entry>,
    packages: Vec<PackageEntry>,
}

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        [$( Entry::built_in($name, include_str!(concat!("../../layouts/", $name, ".yaml"))) ),*]
            .into_iter()
            .flatten()
            .collect()
    };
}

macro_rules! packages {
    ($($package:literal: $name:literal),* $(,)?) => {
        vec![$( PackageEntry {
            name: $name,
            package: $package,
            text: include_str!(concat!("../../layouts/", $name, ".yaml")),
            parsed: Arc::default(),
        } ),*]
    };
}

impl Default for LayoutRegistry {
    fn default() -> Self {
        Self::new()
    }
}

impl LayoutRegistry {
    /// The built-in tables. Each is parsed once in a process, however many registries there are.
    pub fn new() -> Self {
        static BUILT_IN: LazyLock<LayoutRegistry> = LazyLock::new(LayoutRegistry::built_in);
        BUILT_IN.clone()
    }

    fn built_in() -> Self {
        LayoutRegistry {
            entries: built_in![
                "cpython-3.15-lp64",
                "cpython-3.15t-lp64",
                "cpython-3.14-lp64",
                "cpython-3.14t-lp64",
                "cpython-3.13-lp64",
                "cpython-3.13t-lp64",
                "cpython-3.12-lp64",
                "cpython-3.11-lp64",
                "cpython-3.10-lp64",
                "cpython-3.9-lp64",
                "cpython-3.8-lp64",
                "cpython-3.7-lp64",
                "cpython-3.6-lp64",
                "cpython-2.7-lp64",
                "cpython-3.7d-lp64",
                "cpython-3.6d-lp64",
                "cpython-2.7d-lp64",
                "cpython-3.15-lp64-aarch64",
                "cpython-3.15t-lp64-aarch64",
                "cpython-3.14-lp64-aarch64",
                "cpython-3.14t-lp64-aarch64",
                "cpython-3.13-lp64-aarch64",
                "cpython-3.13t-lp64-aarch64",
                "cpython-3.12-lp64-aarch64",
                "cpython-3.11-lp64-aarch64",
                "cpython-3.10-lp64-aarch64",
                "cpython-3.9-lp64-aarch64",
                "cpython-3.8-lp64-aarch64",
                "cpython-3.7-lp64-aarch64",
                "cpython-3.15-llp64",
                "cpython-3.15t-llp64",
                "cpython-3.14-llp64",
                "cpython-3.14t-llp64",
                "cpython-3.13-llp64",
                "cpython-3.13t-llp64",
                "cpython-3.12-llp64",
                "cpython-3.11-llp64",
                "cpython-3.10-llp64",
                "cpython-3.9-llp64",
                "cpython-3.8-llp64",
                "cpython-3.7-llp64",
                "cpython-3.6-llp64",
                "cpython-2.7-llp64",
            ],
            packages: packages![
                "numpy": "numpy-2-lp64",
                "numpy": "numpy-2t-lp64",
                "numpy": "numpy-1-lp64",
                "numpy": "numpy-2-llp64",
                "numpy": "numpy-2t-llp64",
                "numpy": "numpy-1-llp64",
                "mimalloc": "mimalloc-2.5-lp64",
                "mimalloc": "mimalloc-2.1-lp64",
                "mimalloc": "mimalloc-2.5-llp64",
                "mimalloc": "mimalloc-2.1-llp64",
                "greenlet": "greenlet-3.5-py3.15-lp64",
                "greenlet": "greenlet-3.5-py3.14-lp64",
                "greenlet": "greenlet-3.5-py3.13-lp64",
                "greenlet": "greenlet-3.1-py3.13-lp64",
                "greenlet": "greenlet-3.1-py3.12-lp64",
                "greenlet": "greenlet-3.1-py3.11-lp64",
                "greenlet": "greenlet-3.1-py3.10-lp64",
                "greenlet": "greenlet-3.1-py3.9-lp64",
                "greenlet": "greenlet-3.1-py3.8-lp64",
                "greenlet": "greenlet-3.1-py3.7-lp64",
                "greenlet": "greenlet-3.0-py3.12-lp64",
                "greenlet": "greenlet-2.0-py3.11-lp64",
                "greenlet": "greenlet-2.0-py3.10-lp64",
                "greenlet": "greenlet-2.0-py3.9-lp64",
                "greenlet": "greenlet-2.0-py3.8-lp64",
                "greenlet": "greenlet-2.0-py3.7-lp64",
                "greenlet": "greenlet-1.1-py3.11-lp64",
                "greenlet": "greenlet-1.1-py3.10-lp64",
                "greenlet": "greenlet-1.1-py3.9-lp64",
                "greenlet": "greenlet-1.1-py3.8-lp64",
                "greenlet": "greenlet-1.1-py3.7-lp64",
            ],
        }
    }

    /// Puts a user's table before all others.
    ///
    /// # Errors
    /// When the file cannot be read or is not a valid table.
    pub fn add_file(&mut self, path: &Path) -> Result<(), TableError> {
        let layout = Layout::load(path)?;
        let entry = Entry {
            name: layout.name.clone(),
            target: layout.target(),
            origin: Origin::File(path.to_owned()),
            text: "",
            parsed: Arc::new(OnceLock::from(layout)),
        };
        self.entries.insert(0, entry);
        Ok(())
    }

    /// Leaves the tables that a process of `machine` with the data model `abi` may need, those for this machine alone
    /// first: musl's locks have the same size everywhere, so its interpreters need the table for all machines.
    pub fn keep_for(&mut self, machine: Machine, abi: Abi) {
        self.entries.retain(|entry| {
            entry.target.abi == abi && entry.target.machine.is_none_or(|only| only == machine)
        });
        self.entries.sort_by_key(|entry| entry.target.machine.is_none());
    }

    /// All tables, in the order to try.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The tables of packages.
    pub fn packages(&self) -> &[PackageEntry] {
        &self.packages
    }

    /// The tables of a package for a data model. Which of them fits is seen by the sizes of its types: `PyArrayDescr` is
    /// as large as `tp_basicsize` of the type of a dtype (`numpy.dtypes.Float64DType`, from 1.20), 96 bytes in numpy
    /// 1 and 120 in numpy 2; of `numpy.dtype` itself it is 96 and 88. mimalloc's are for free-threaded builds. Which of
    /// greenlet's, by what their pointers lead to.
    pub fn tables_of(&self, package: &str, abi: Abi) -> impl Iterator<Item = &PackageLayout> {
        let end = format!("-{abi}");
        let entries = self.packages.iter();
        entries
            .filter(move |entry| entry.package == package && entry.name.ends_with(&end))
            .filter_map(|entry| entry.layout().ok())
    }

    /// The table of that name; a user's hides a built-in one.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The tables to try for an interpreter whose version is `hint`, if that is known: users' tables whatever their
    /// version, as they were asked for, then built-in ones of that version.
    pub fn candidates(&self, hint: Option<(u8, u8)>) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| {
            entry.origin != Origin::BuiltIn || hint.is_none_or(|version| entry.target.python == version)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::STRUCTS;

    #[test]
    fn every_built_in_table_is_what_its_entry_says() {
        for entry in LayoutRegistry::new().entries() {
            let layout = entry.layout().unwrap();
            assert_eq!((&layout.name, layout.target()), (&entry.name, entry.target));
            assert!(!layout.provenance.is_empty());
            assert!(STRUCTS.iter().any(|spec| layout.structs.size(spec.name).unwrap() > 0));
        }
    }

    #[test]
    fn overlays_have_the_fields_of_their_base() {
        let registry = LayoutRegistry::new();
        for layout in registry.entries().iter().map(|entry| entry.layout().unwrap()) {
            let Some(base) = &layout.base else { continue };
            let base = registry.get(base).unwrap().layout().unwrap();
            for spec in STRUCTS {
                for field in spec.fields {
                    let exists =
                        |layout: &Layout| layout.structs.field(spec.name, field.name).unwrap().exists();
                    let name = format!("{}: {}.{}", layout.name, spec.name, field.name);
                    assert_eq!(exists(layout), exists(base), "{name}: scripts/make-overlays is to be run");
                }
            }
        }
    }

    #[test]
    fn tables_for_windows_have_the_fields_of_those_for_linux() {
        let registry = LayoutRegistry::new();
        let windows = registry.entries().iter().filter(|entry| entry.target.abi == Abi::Llp64);
        for layout in windows.map(|entry| entry.layout().unwrap()) {
            let linux = registry.get(&layout.name.replace("llp64", "lp64")).unwrap().layout().unwrap();
            assert_eq!((&layout.unicode, layout.push_exc_info), (&linux.unicode, linux.push_exc_info));
            for spec in STRUCTS {
                for field in spec.fields.iter().filter(|field| field.name != "winerror") {
                    let exists =
                        |layout: &Layout| layout.structs.field(spec.name, field.name).unwrap().exists();
                    let name = format!("{}: {}.{}", layout.name, spec.name, field.name);
                    assert_eq!(exists(layout), exists(linux), "{name}: scripts/make-layouts is to be run");
                }
            }
            assert_eq!(layout.structs.PyTypeObject.tp_flags.place.unwrap().size, layout.abi.long_size());
        }
    }

    #[test]
    fn every_table_in_the_repository_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/layouts");
        let files =
            std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut found: Vec<_> = files
            .filter(|name| name.starts_with("cpython-"))
            .map(|name| name.strip_suffix(".yaml").unwrap().to_owned())
            .collect();
        let mut built_in: Vec<_> =
            LayoutRegistry::new().entries().iter().map(|entry| entry.name.clone()).collect();
        found.sort();
        built_in.sort();
        assert_eq!(found, built_in);
    }

    #[test]
    fn built_in_tables_are_written_as_they_are_in_the_repository() {
        for entry in LayoutRegistry::new().entries() {
            assert_eq!(entry.layout().unwrap().to_yaml(), entry.text, "{}", entry.name);
        }
    }

    /// Those of 3.6 and 3.7 come from headers alone; that of 2.7, which comes from an interpreter, is alike.
    #[test]
    fn builds_with_trace_refs_have_two_more_pointers_before_each_object_and_nothing_else() {
        let registry = LayoutRegistry::new();
        for entry in registry.entries().iter().filter(|entry| entry.target.trace_refs) {
            let traced = entry.layout().unwrap();
            let (major, minor) = entry.target.python;
            let plain = registry.get(&format!("cpython-{major}.{minor}-lp64")).unwrap().layout().unwrap();
            for spec in STRUCTS {
                let shifts: Vec<_> = spec
                    .fields
                    .iter()
                    .filter_map(|field| {
                        let place =
                            |layout: &Layout| layout.structs.field(spec.name, field.name).unwrap().place;
                        assert_eq!(
                            place(traced).is_some(),
                            place(plain).is_some(),
                            "{}.{}",
                            spec.name,
                            field.name
                        );
                        Some(place(traced)?.offset - place(plain)?.offset)
                    })
                    .collect();
                let is_uniform =
                    shifts.iter().all(|shift| *shift == 16) || shifts.iter().all(|shift| *shift == 0);
                assert!(is_uniform, "{}: {} {shifts:?}", entry.name, spec.name);
            }
            assert_eq!(traced.structs.PyObject.size_of, plain.structs.PyObject.size_of + 16);
        }
    }

    #[test]
    fn every_package_table_is_what_its_entry_says() {
        for entry in LayoutRegistry::new().packages() {
            let layout = entry.layout().unwrap();
            assert_eq!((layout.name.as_str(), layout.package.as_str()), (entry.name, entry.package));
            assert!(entry.name.ends_with(&format!("-{}", layout.abi)), "{}", entry.name);
            assert_eq!(layout.to_yaml(), entry.text);
            assert_eq!(layout.structs.PyObject.size_of, 0, "{} has structs of CPython", entry.name);
        }
    }

    #[test]
    fn a_machine_has_its_own_tables_first_and_never_those_of_another() {
        let names = |machine, abi| {
            let mut registry = LayoutRegistry::new();
            registry.keep_for(machine, abi);
            registry.candidates(Some((3, 11))).map(|entry| entry.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(Machine::Aarch64, Abi::Lp64), ["cpython-3.11-lp64-aarch64", "cpython-3.11-lp64"]);
        assert_eq!(names(Machine::X86_64, Abi::Lp64), ["cpython-3.11-lp64"]);
        assert_eq!(names(Machine::X86_64, Abi::Llp64), ["cpython-3.11-llp64"]);
    }

    #[test]
    fn a_hint_leaves_one_version_and_users_tables() {
        let mut registry = LayoutRegistry::new();
        let names = |registry: &LayoutRegistry, hint| {
            registry.candidates(hint).map(|entry| entry.name.clone()).collect::<Vec<_>>()
        };
        registry.keep_for(Machine::X86_64, Abi::Lp64);
        assert_eq!(names(&registry, Some((3, 9))), ["cpython-3.9-lp64"]);
        assert_eq!(names(&registry, Some((3, 5))), [""; 0]);
        assert_eq!(names(&registry, None).len(), registry.entries().len());

        let own = Layout::new("own".to_owned(), (3, 11), "14.0.0".to_owned());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, own.to_yaml()).unwrap();
        registry.add_file(file.path()).unwrap();
        assert_eq!(names(&registry, Some((3, 9))), ["own", "cpython-3.9-lp64"]);
        assert_eq!(registry.get("own").unwrap().origin, Origin::File(file.path().to_owned()));
    }
}
