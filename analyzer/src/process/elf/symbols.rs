//! Finding what an ELF module calls by name: dynamic symbols through memory, sections and other symbols in its file.
//!
//! Formats: the System V gABI, chapters 4 and 5; `DT_GNU_HASH` as glibc's `elf/dl-lookup.c` reads it.

use super::Image;
use crate::addr::Address;
use crate::memory::{Fault, Memory};
use crate::process::Module;
use crate::process::image::{ImageError, read_struct};
use object::LittleEndian as LE;
use object::elf::{self, DynamicTag, FileHeader64, GnuHashHeader, HashHeader, Sym64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, Sym};

/// How many symbols of one hash chain are looked at; real chains have a few.
const MAX_CHAIN: u32 = 1 << 12;

/// The virtual address of the defined dynamic symbol `name` of `module`, read through `memory` where the loader put
/// it, so a handful of pages of the dump, or of the mapped file where the dump left them out, answers.
///
/// # Errors
/// Some of the module's tables are not at hand or make no sense.
pub(crate) fn dynamic_symbol(
    memory: &dyn Memory,
    module: &Module,
    name: &str,
) -> Result<Option<Address>, ImageError> {
    let image = Image::read(memory, module.base)?;
    let dynamic = image.dynamic()?;
    let table = |wanted: DynamicTag| {
        let (_, value) = dynamic.iter().find(|(tag, _)| *tag == wanted)?;
        Some(image.dynamic_address(module.end, *value))
    };
    let (Some(symbols), Some(strings)) = (table(elf::DT_SYMTAB), table(elf::DT_STRTAB)) else {
        return Ok(None);
    };
    let tables = Tables { memory, symbols, strings, name: name.as_bytes() };
    let found = match (table(elf::DT_GNU_HASH), table(elf::DT_HASH)) {
        (Some(hash), _) => tables.look_up_gnu(hash)?,
        (None, Some(hash)) => tables.look_up_sysv(hash)?,
        (None, None) => None,
    };
    Ok(found.map(|symbol| Address(symbol.st_value.get(LE)).add(image.load_bias())))
}

/// The dynamic symbols of a module, and the name that is looked for.
struct Tables<'a> {
    memory: &'a dyn Memory,
    symbols: Address,
    strings: Address,
    name: &'a [u8],
}

impl Tables<'_> {
    /// Looks into a `DT_GNU_HASH`: Bloom filter, buckets, chains that end with an odd hash.
    fn look_up_gnu(&self, table: Address) -> Result<Option<Sym64<LE>>, ImageError> {
        let header: GnuHashHeader<LE> = read_struct(self.memory, table)?;
        let (buckets, words) = (header.bucket_count.get(LE), header.bloom_count.get(LE));
        let symbol_base = header.symbol_base.get(LE);
        if buckets == 0 || words == 0 {
            return Ok(None);
        }
        let hash = elf::gnu_hash(self.name);
        let bloom = table.add(size_of::<GnuHashHeader<LE>>() as u64);
        let word = self.memory.u64(bloom.element(u64::from((hash / 64) % words), 8))?;
        let second = hash.checked_shr(header.bloom_shift.get(LE)).unwrap_or(0);
        let bits = 1 << (hash % 64) | 1 << (second % 64);
        if word & bits != bits {
            return Ok(None);
        }
        let bucket_table = bloom.element(words.into(), 8);
        let first = self.memory.u32(bucket_table.element((hash % buckets).into(), 4))?;
        let Some(first_link) = first.checked_sub(symbol_base) else {
            return Ok(None);
        };
        let chains = bucket_table.element(buckets.into(), 4);
        for step in 0..MAX_CHAIN {
            let link = self.memory.u32(chains.element(u64::from(first_link) + u64::from(step), 4))?;
            if link | 1 == hash | 1
                && let Some(symbol) = self.symbol_if_named(u64::from(first) + u64::from(step))?
            {
                return Ok(Some(symbol));
            }
            if link & 1 == 1 {
                return Ok(None);
            }
        }
        Err(ImageError::Malformed { at: table, what: "an endless chain in DT_GNU_HASH" })
    }

    /// Looks into a `DT_HASH`: buckets, and chains of symbol indices that end with 0.
    fn look_up_sysv(&self, table: Address) -> Result<Option<Sym64<LE>>, ImageError> {
        let header: HashHeader<LE> = read_struct(self.memory, table)?;
        let (buckets, chain_count) = (header.bucket_count.get(LE), header.chain_count.get(LE));
        if buckets == 0 {
            return Ok(None);
        }
        let bucket_table = table.add(size_of::<HashHeader<LE>>() as u64);
        let chains = bucket_table.element(buckets.into(), 4);
        let mut index = self.memory.u32(bucket_table.element((elf::hash(self.name) % buckets).into(), 4))?;
        for _ in 0..MAX_CHAIN {
            if index == 0 || index >= chain_count {
                return Ok(None);
            }
            if let Some(symbol) = self.symbol_if_named(index.into())? {
                return Ok(Some(symbol));
            }
            index = self.memory.u32(chains.element(index.into(), 4))?;
        }
        Err(ImageError::Malformed { at: table, what: "an endless chain in DT_HASH" })
    }

    /// The symbol `index`, if it has the wanted name and a definition with an address.
    fn symbol_if_named(&self, index: u64) -> Result<Option<Sym64<LE>>, Fault> {
        let symbol: Sym64<LE> =
            read_struct(self.memory, self.symbols.element(index, size_of::<Sym64<LE>>() as u64))?;
        if !has_address(&symbol) {
            return Ok(None);
        }
        let name =
            self.memory.c_string(self.strings.add(symbol.st_name.get(LE).into()), self.name.len() + 1)?;
        Ok((name == self.name).then_some(symbol))
    }
}

/// Whether the module defines the symbol, at an address rather than at an offset into each thread's storage.
fn has_address(symbol: &Sym64<LE>) -> bool {
    symbol.st_shndx.get(LE) != elf::SHN_UNDEF && symbol.st_type() != elf::STT_TLS
}

/// The virtual address and size, in bytes, of the section `name` of `module`, whose file `file` is. `None` where the
/// file has no such section, or no section headers, or is damaged.
pub(crate) fn section_address(file: &[u8], module: &Module, name: &str) -> Option<(Address, u64)> {
    let header = FileHeader64::<LE>::parse(file).ok()?;
    let sections = header.sections(LE, file).ok()?;
    let (_, section) = sections.section_by_name(LE, name.as_bytes())?;
    let address = section.sh_addr(LE);
    (address != 0).then(|| (Address(address).add(load_bias(header, file, module)), section.sh_size(LE)))
}

/// The virtual address of `name` in the symbol tables of `module`'s file, `file`: the full one (`.symtab`), which has
/// local symbols too, or where it was stripped the dynamic one, as the dump may have lost what [`dynamic_symbol`]
/// needs. Reads the tables from their start, so ask that one first. `None` where the file has no such symbol or is
/// damaged.
pub(crate) fn static_symbol(file: &[u8], module: &Module, name: &str) -> Option<Address> {
    let header = FileHeader64::<LE>::parse(file).ok()?;
    let sections = header.sections(LE, file).ok()?;
    let symbol = [elf::SHT_SYMTAB, elf::SHT_DYNSYM].into_iter().find_map(|table| {
        let symbols = sections.symbols(LE, file, table).ok()?;
        let named = |symbol: &&Sym64<LE>| symbol.name(LE, symbols.strings()) == Ok(name.as_bytes());
        symbols.iter().filter(|symbol| has_address(symbol)).find(named)
    })?;
    Some(Address(symbol.st_value.get(LE)).add(load_bias(header, file, module)))
}

/// What to add (wrapping) to an address in `file` to have its virtual address in the target.
fn load_bias(header: &FileHeader64<LE>, file: &[u8], module: &Module) -> u64 {
    let program_headers = header.program_headers(LE, file).unwrap_or_default();
    let first = program_headers
        .iter()
        .filter(|header| header.p_type(LE) == elf::PT_LOAD)
        .min_by_key(|header| header.p_offset(LE));
    let first_byte = first.map_or(0, |header| header.p_vaddr(LE).wrapping_sub(header.p_offset(LE)));
    module.base.0.wrapping_sub(first_byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Backing, FaultCause, Range, Region, Regions};
    use crate::process::synthetic::{Library, PAGE, put};

    const BASE: u64 = 0x7f00_0000_0000;

    fn library() -> Library {
        Library {
            symbols: vec![
                ("first", 0x1010, 1, true),
                ("per_thread", 0x20, 6, true),
                ("imported", 0, 1, false),
                ("_PyRuntime", 0x1234, 1, true),
            ],
            ..Library::default()
        }
    }

    fn module() -> Module {
        Module {
            path: "/lib/x.so".to_owned(),
            deleted: false,
            base: Address(BASE),
            end: Address(BASE + 2 * PAGE),
            build_id: None,
            pe: None,
        }
    }

    fn look_up(library: &Library, name: &str) -> Result<Option<Address>, ImageError> {
        let bytes = library.build();
        look_up_in(&bytes, name)
    }

    fn look_up_in(bytes: &[u8], name: &str) -> Result<Option<Address>, ImageError> {
        let range = Range { start: Address(BASE), size: 2 * PAGE, writable: false, executable: false };
        let backing = Backing::Bytes(&bytes[..bytes.len().min(2 * PAGE as usize)], FaultCause::NotDumped);
        dynamic_symbol(&Regions::new(vec![Region { range, backing }]), &module(), name)
    }

    #[test]
    fn finds_symbols_by_either_hash_table() {
        for sysv_hash in [false, true] {
            let library = Library { sysv_hash, ..library() };
            assert_eq!(look_up(&library, "_PyRuntime"), Ok(Some(Address(BASE + 0x1234))));
            assert_eq!(look_up(&library, "first"), Ok(Some(Address(BASE + 0x1010))));
            assert_eq!(look_up(&library, "_PyRuntim"), Ok(None));
            assert_eq!(look_up(&library, "_PyRuntime2"), Ok(None));
            assert_eq!(look_up(&library, "imported"), Ok(None));
            assert_eq!(look_up(&library, "per_thread"), Ok(None));
            assert_eq!(look_up(&Library { sysv_hash, ..Library::default() }, "first"), Ok(None));
        }
    }

    #[test]
    fn a_loader_may_have_relocated_the_dynamic_section() {
        let library = Library { relocated_by: BASE, ..library() };
        assert_eq!(look_up(&library, "_PyRuntime"), Ok(Some(Address(BASE + 0x1234))));
    }

    #[test]
    fn a_library_need_not_be_linked_at_zero() {
        let mut library = Library { linked_at: 0x40_0000, ..library() };
        for symbol in &mut library.symbols {
            symbol.1 += 0x40_0000;
        }
        assert_eq!(look_up(&library, "_PyRuntime"), Ok(Some(Address(BASE + 0x1234))));
    }

    #[test]
    fn an_endless_chain_is_an_error() {
        for sysv_hash in [false, true] {
            let library = Library { endless: true, sysv_hash, ..library() };
            let mut bytes = library.build();
            assert!(look_up_in(&bytes, "_PyRuntime").is_ok());
            if !sysv_hash {
                let bucket_leads_to_zeros = 0x400u32;
                put(&mut bytes, 0x280 + 24, &bucket_leads_to_zeros.to_le_bytes());
            }
            assert!(look_up_in(&bytes, "absent").is_err());
        }
    }

    #[test]
    fn what_is_not_elf_or_not_there_is_an_error() {
        assert_eq!(look_up_in(&[0; 0x2000], "x"), Err(ImageError::Unknown(Address(BASE))));
        assert!(matches!(look_up_in(&library().build()[..0x300], "x"), Err(ImageError::Fault(_))));
        let mut bytes = library().build();
        bytes[54] = 57;
        assert!(matches!(look_up_in(&bytes, "x"), Err(ImageError::Malformed { .. })));
    }

    #[test]
    fn any_damage_is_survived() {
        let whole = library().build();
        for at in (0..0x600).chain(0xd00..0xe00) {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = look_up_in(&bytes, "_PyRuntime");
            }
        }
    }

    #[test]
    fn sections_and_local_symbols_come_from_the_file() {
        let file = Library {
            linked_at: 0x1_0000,
            sections: vec![(".data", 0x1_1000, 8), (".PyRuntime", 0x1_1100, 0x80), (".comment", 0, 4)],
            static_symbols: vec![("interp_head", 0x1_1008)],
            ..library()
        }
        .build();
        assert_eq!(section_address(&file, &module(), ".PyRuntime"), Some((Address(BASE + 0x1100), 0x80)));
        assert_eq!(section_address(&file, &module(), ".comment"), None);
        assert_eq!(static_symbol(&file, &module(), "interp_head"), Some(Address(BASE + 0x1008)));
        assert_eq!(static_symbol(&file, &module(), "absent"), None);
        let stripped = Library {
            static_symbols: vec![("_PyRuntime", 0x1008)],
            table_is_dynamic: true,
            ..Library::default()
        }
        .build();
        assert_eq!(static_symbol(&stripped, &module(), "_PyRuntime"), Some(Address(BASE + 0x1008)));
        for cut in 0..file.len() {
            let _ = section_address(&file[..cut], &module(), ".PyRuntime");
            let _ = static_symbol(&file[..cut], &module(), "interp_head");
        }
    }
}
