//! Finding what a module calls by name: exported symbols through memory, sections and other symbols in its file. What
//! format the module's file has, the first bytes tell.

use super::Module;
use super::elf::symbols as elf;
use super::image::ImageError;
use super::pe::{Image, Loaded};
use crate::addr::Address;
use crate::memory::Memory;

/// What a PE file begins with.
const PE: [u8; 2] = *b"MZ";

/// The virtual address of the symbol `name` that `module` defines for others, read through `memory` where the loader
/// put it, so a handful of pages of the dump, or of the mapped file where the dump left them out, answers.
///
/// # Errors
/// Some of the module's tables are not at hand or make no sense.
pub fn dynamic_symbol(
    memory: &dyn Memory,
    module: &Module,
    name: &str,
) -> Result<Option<Address>, ImageError> {
    match memory.array(module.base)? {
        PE => Image::read(memory, module.base)?.export(name),
        _ => elf::dynamic_symbol(memory, module, name),
    }
}

/// The virtual address and size, in bytes, of the section `name` of `module`, by the headers that lie in memory with it,
/// as those of PE files do. `None` where there is no such section, or no headers of sections.
pub fn mapped_section(memory: &dyn Memory, module: &Module, name: &str) -> Option<(Address, u64)> {
    let image = Image::read(memory, module.base).ok()?;
    image.section(name).map(|section| (section.range.start, section.range.size))
}

/// Major and minor version of `module` by the version resource of its image, where that names the product `product`.
pub fn version_resource(memory: &dyn Memory, module: &Module, product: &str) -> Option<(u8, u8)> {
    let version = Image::read(memory, module.base).ok()?.version()?;
    let [major, minor, ..] = version.file;
    let named = version.string("ProductName") == Some(product);
    named.then_some((u8::try_from(major).ok()?, u8::try_from(minor).ok()?)).filter(|&(major, _)| major > 0)
}

/// The virtual address and size, in bytes, of the section `name` of `module`, whose file `file` is. `None` where the
/// file has no such section, or no section headers, or is damaged.
pub fn section_address(file: &[u8], module: &Module, name: &str) -> Option<(Address, u64)> {
    if file.starts_with(&PE) {
        let loaded = Loaded::new(file, module.base)?;
        return mapped_section(&loaded.memory(file), module, name);
    }
    elf::section_address(file, module, name)
}

/// The virtual address of `name` in the symbol tables of `module`'s file, `file`: in ELF the full one (`.symtab`), which
/// has local symbols too, or where it was stripped the dynamic one; in PE what is exported. The dump may have lost what
/// [`dynamic_symbol`] needs; ask that one first, as it reads less. `None` where the file has no such symbol or is damaged.
pub fn static_symbol(file: &[u8], module: &Module, name: &str) -> Option<Address> {
    if file.starts_with(&PE) {
        let loaded = Loaded::new(file, module.base)?;
        return dynamic_symbol(&loaded.memory(file), module, name).ok()?;
    }
    elf::static_symbol(file, module, name)
}
