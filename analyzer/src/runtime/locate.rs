//! Places where `_PyRuntime` may lie, the most trusted first.

use super::search::module_data;
use super::words::{self, Wanted};
use crate::addr::Address;
use crate::layout::DEBUG_COOKIE;
use crate::memory::Memory;
use crate::process::{Inferior, Module, symbols};
use crate::report::Evidence;

/// The most cookies of one mapping that are looked at.
const MAX_COOKIES: usize = 1000;

/// The sections that `_PyRuntime` has for itself, from 3.10: in ELF and in PE, where names have at most eight bytes
/// (`GENERATE_DEBUG_SECTION`, Python/pylifecycle.c).
const SECTIONS: [&str; 2] = [".PyRuntime", "PyRuntim"];

/// A place where `_PyRuntime` may lie.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The virtual address.
    pub address: Address,
    /// Why it may.
    pub evidence: Evidence,
    /// The version that the module's name or its `Py_Version` tells: major, minor.
    pub version: Option<(u8, u8)>,
}

/// By dynamic symbol in the modules that look like Python: few, so that all of them are asked, as a process may have
/// several runtimes. Images of Windows are all asked, as their headers are in the dump or nowhere.
pub(super) fn by_symbol_of_python<'d>(
    inferior: &'d dyn Inferior,
    memory: &'d dyn Memory,
) -> impl Iterator<Item = Candidate> + 'd {
    let modules = ranked(inferior).into_iter().filter(|(rank, index)| {
        *rank < OTHER || inferior.process().modules.get(*index).is_some_and(|module| module.is_pe())
    });
    modules.filter_map(|(_, index)| in_image(memory, inferior.process().modules.get(index)?))
}

/// By dynamic symbol in the other modules; then by full symbol table and by section of the files at hand.
pub(super) fn by_symbol_and_file<'d>(
    inferior: &'d dyn Inferior,
    memory: &'d dyn Memory,
) -> impl Iterator<Item = Candidate> + 'd {
    let modules = &inferior.process().modules;
    let others = ranked(inferior).into_iter().filter(|(rank, _)| *rank == OTHER);
    let by_symbol = others.filter_map(|(_, index)| in_image(memory, modules.get(index)?));
    let by_file = ranked(inferior).into_iter().filter_map(move |(_, index)| {
        let module = modules.get(index)?;
        let file = inferior.module_file(index)?;
        if let Some(address) = symbols::static_symbol(file, module, "_PyRuntime") {
            return Some(candidate(memory, module, address, "symbol", "symbol _PyRuntime"));
        }
        SECTIONS.into_iter().find_map(|section| {
            let (address, _) = symbols::section_address(file, module, section)?;
            Some(candidate(memory, module, address, "section", &format!("section {section}")))
        })
    });
    by_symbol.chain(by_file)
}

/// By what the image of a module in memory tells.
fn in_image(memory: &dyn Memory, module: &Module) -> Option<Candidate> {
    if let Some(address) = symbols::dynamic_symbol(memory, module, "_PyRuntime").ok().flatten() {
        return Some(candidate(memory, module, address, "symbol", "dynamic symbol _PyRuntime"));
    }
    SECTIONS.into_iter().find_map(|section| {
        let (address, _) = symbols::mapped_section(memory, module, section)?;
        Some(candidate(memory, module, address, "section", &format!("section {section}")))
    })
}

/// Whether a library is named like Python's, has none of `runtimes` in its data and does not tell by a symbol where its
/// own is, as where its file is not at hand: then there may be one that is not known.
pub(super) fn has_mute_library(inferior: &dyn Inferior, memory: &dyn Memory, runtimes: &[Address]) -> bool {
    let data = module_data(inferior, memory);
    inferior.process().modules.iter().enumerate().any(|(index, module)| {
        let own = |at: &Address| data.iter().any(|(range, of)| *of == Some(index) && range.contains(*at));
        is_library(module.file_name()) && !runtimes.iter().any(own) && in_image(memory, module).is_none()
    })
}

/// By cookie in the writable data of modules: `_PyRuntime` begins with `_Py_DebugOffsets` from 3.13 on.
pub(super) fn by_cookie(inferior: &dyn Inferior, memory: &dyn Memory) -> Vec<Candidate> {
    let wanted = Wanted::new(vec![u64::from_le_bytes(DEBUG_COOKIE)]);
    let mut found = Vec::new();
    for (range, module) in module_data(inferior, memory) {
        let mut places = Vec::new();
        if let Some(wanted) = &wanted {
            words::find(memory, range, wanted, MAX_COOKIES, &mut places);
        }
        let module = module.and_then(|index| inferior.process().modules.get(index));
        let of = module.map(|module| format!(" in {}", module.path)).unwrap_or_default();
        found.extend(places.into_iter().map(|address| Candidate {
            address,
            evidence: Evidence {
                method: "cookie",
                detail: format!("\"xdebugpy\"{of}"),
                address: Some(address),
            },
            version: None,
        }));
    }
    found
}

/// A Python that is not of the kinds that pycore reads: what it is, and where.
pub(super) fn other_python(inferior: &dyn Inferior, memory: &dyn Memory) -> Option<String> {
    // Exported by every CPython before `_PyRuntime` came with 3.7, and by PyPy.
    const SIGNS: [(&str, &str); 2] = [
        ("_PyThreadState_Current", "a CPython older than 3.7 that no table fits"),
        ("pypy_execute_source", "PyPy"),
    ];
    let modules = &inferior.process().modules;
    let by_symbol = modules.iter().find_map(|module| {
        let sign = SIGNS.iter().find(|(symbol, _)| {
            symbols::dynamic_symbol(memory, module, symbol).is_ok_and(|address| address.is_some())
        });
        sign.map(|(_, what)| format!("{what} in {}", module.path))
    });
    // Where the file is not at hand, its name is all there is.
    let is_pypy =
        |module: &&Module| ["pypy", "libpypy"].iter().any(|name| module.file_name().starts_with(name));
    by_symbol.or_else(|| {
        modules.iter().find(is_pypy).map(|module| format!("PyPy, by the name of {}", module.path))
    })
}

/// Whether a file is named like the library that has the interpreter: `libpython3.8.so.1.0`, `python312.dll`. Windows'
/// `python3.dll` leads to one of these.
fn is_library(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("libpython")
        || name.starts_with("python") && name.ends_with(".dll") && version_in_name(&name).is_some()
}

/// The rank of modules that do not look like Python.
pub(super) const OTHER: u8 = 3;

/// The modules by rank and index: those named like Python first, then the main program, then the rest.
pub(super) fn ranked(inferior: &dyn Inferior) -> Vec<(u8, usize)> {
    let rank = |(index, module): (usize, &Module)| {
        let name = module.file_name();
        let is_extension = name.contains(".cpython-");
        let rank = match index {
            _ if is_library(name) => 0,
            0 => 1,
            _ if name.contains("python") && !is_extension => 2,
            _ => OTHER,
        };
        (rank, index)
    };
    let mut ranked: Vec<_> = inferior.process().modules.iter().enumerate().map(rank).collect();
    ranked.sort_unstable();
    ranked
}

/// The version that the names of the modules tell, where only one does.
pub(super) fn version_in_names(inferior: &dyn Inferior) -> Option<(u8, u8)> {
    let modules = inferior.process().modules.iter();
    let mut versions = modules.filter_map(|module| version_in_name(module.file_name()));
    let first = versions.next()?;
    versions.all(|version| version == first).then_some(first)
}

fn candidate(
    memory: &dyn Memory,
    module: &Module,
    address: Address,
    method: &'static str,
    what: &str,
) -> Candidate {
    Candidate {
        address,
        evidence: Evidence { method, detail: format!("{what} of {}", module.path), address: Some(address) },
        version: declared_version(memory, module)
            .or_else(|| symbols::version_resource(memory, module, "Python"))
            .or_else(|| version_in_name(module.file_name())),
    }
}

/// `Py_Version`, exported from 3.11 on (Include/pylifecycle.h): a hexversion.
fn declared_version(memory: &dyn Memory, module: &Module) -> Option<(u8, u8)> {
    let at = symbols::dynamic_symbol(memory, module, "Py_Version").ok().flatten()?;
    let [_, _, minor, major] = memory.u32(at).ok()?.to_le_bytes();
    (major >= 2).then_some((major, minor))
}

/// `libpython3.8.so.1.0`, `python3.11`, `python312.dll`: the version in a file's name.
pub(super) fn version_in_name(name: &str) -> Option<(u8, u8)> {
    let name = name.to_ascii_lowercase();
    let rest = name.split_once("python")?.1;
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let major = digits(rest);
    match rest.get(major.len()..)?.strip_prefix('.') {
        Some(rest) if major.len() == 1 && rest.starts_with(|first: char| first.is_ascii_digit()) => {
            Some((major.parse().ok()?, digits(rest).parse().ok()?))
        }
        _ => {
            let (major, minor) = major.split_at_checked(1)?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_library, version_in_name};

    #[test]
    fn file_names_tell_versions() {
        assert_eq!(version_in_name("libpython3.7m.so.1.0"), Some((3, 7)));
        assert_eq!(version_in_name("libpython3.13.so.1.0"), Some((3, 13)));
        assert_eq!(version_in_name("python3.11"), Some((3, 11)));
        assert_eq!(version_in_name("python3"), None);
        assert_eq!(version_in_name("libpython3.so"), None);
        assert_eq!(version_in_name("bash"), None);
        assert_eq!(version_in_name("python27.dll"), Some((2, 7)));
        assert_eq!(version_in_name("PYTHON312.DLL"), Some((3, 12)));
        assert_eq!(version_in_name("python313t.dll"), Some((3, 13)));
        assert_eq!(version_in_name("python39_d.dll"), Some((3, 9)));
        assert_eq!(version_in_name("pythoncom312.dll"), None);
        assert_eq!(version_in_name("python3.dll"), None);
        assert_eq!(version_in_name("python.exe"), None);
    }

    #[test]
    fn libraries_have_versions_in_their_names() {
        for name in ["libpython3.so", "libpython3.8.so.1.0", "python312.dll", "Python314t.dll"] {
            assert!(is_library(name), "{name}");
        }
        for name in ["python3.dll", "python.exe", "pythoncom312.dll", "python3.11", "_asyncio.pyd"] {
            assert!(!is_library(name), "{name}");
        }
    }
}
