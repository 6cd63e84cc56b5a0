//! Places where `_PyRuntime` may lie, the most trusted first.

use crate::addr::Address;
use crate::dump::Dump;
use crate::memory::Memory;
use crate::process::{Module, symbols};
use crate::report::Evidence;

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

/// All candidates: by dynamic symbol in the modules that look like Python, then in the others; then by full symbol
/// table and by section of the files at hand.
pub fn candidates<'d>(dump: &'d Dump, memory: &'d dyn Memory) -> impl Iterator<Item = Candidate> + 'd {
    let modules = &dump.process().modules;
    let mut order: Vec<usize> = (0..modules.len()).collect();
    order.sort_by_key(|&index| modules.get(index).map(|module| (rank(module, index), index)));
    let order = std::rc::Rc::new(order);
    let again = std::rc::Rc::clone(&order);
    let by_symbol = (0..order.len()).filter_map(move |place| {
        let module = modules.get(*order.get(place)?)?;
        let address = symbols::dynamic_symbol(memory, module, "_PyRuntime").ok().flatten()?;
        Some(candidate(memory, module, address, "symbol", "dynamic symbol _PyRuntime"))
    });
    let by_file = (0..again.len()).filter_map(move |place| {
        let index = *again.get(place)?;
        let module = modules.get(index)?;
        let file = dump.module_file(index).bytes()?;
        if let Some(address) = symbols::static_symbol(file, module, "_PyRuntime") {
            return Some(candidate(memory, module, address, "symbol", "symbol _PyRuntime"));
        }
        let (address, _) = symbols::section_address(file, module, ".PyRuntime")?;
        Some(candidate(memory, module, address, "section", "section .PyRuntime"))
    });
    by_symbol.chain(by_file)
}

/// A Python that is not of the kinds that pycore reads: what it is, and where.
pub(super) fn other_python(dump: &Dump, memory: &dyn Memory) -> Option<String> {
    // Exported by every CPython before `_PyRuntime` came with 3.7, and by PyPy.
    const SIGNS: [(&str, &str); 2] =
        [("_PyThreadState_Current", "a CPython older than 3.7"), ("pypy_execute_source", "PyPy")];
    dump.process().modules.iter().find_map(|module| {
        let sign = SIGNS.iter().find(|(symbol, _)| {
            symbols::dynamic_symbol(memory, module, symbol).is_ok_and(|address| address.is_some())
        });
        sign.map(|(_, what)| format!("{what} in {}", module.path))
    })
}

/// Modules named like Python first, then the main program, then the rest.
fn rank(module: &Module, index: usize) -> u8 {
    let name = module.file_name();
    match index {
        _ if name.starts_with("libpython") => 0,
        0 => 1,
        _ if name.contains("python") => 2,
        _ => 3,
    }
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
        version: declared_version(memory, module).or_else(|| version_in_name(module.file_name())),
    }
}

/// `Py_Version`, exported from 3.11 on (Include/pylifecycle.h): a hexversion.
fn declared_version(memory: &dyn Memory, module: &Module) -> Option<(u8, u8)> {
    let at = symbols::dynamic_symbol(memory, module, "Py_Version").ok().flatten()?;
    let [_, _, minor, major] = memory.u32(at).ok()?.to_le_bytes();
    (major >= 2).then_some((major, minor))
}

/// `libpython3.8.so.1.0`, `python3.11`: the version in a file's name.
fn version_in_name(name: &str) -> Option<(u8, u8)> {
    let rest = name.split_once("python")?.1;
    let (major, rest) = rest.split_once('.')?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::version_in_name;

    #[test]
    fn file_names_tell_versions() {
        assert_eq!(version_in_name("libpython3.7m.so.1.0"), Some((3, 7)));
        assert_eq!(version_in_name("libpython3.13.so.1.0"), Some((3, 13)));
        assert_eq!(version_in_name("python3.11"), Some((3, 11)));
        assert_eq!(version_in_name("python3"), None);
        assert_eq!(version_in_name("libpython3.so"), None);
        assert_eq!(version_in_name("bash"), None);
    }
}
