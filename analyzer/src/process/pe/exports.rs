//! What a PE file exports by name.

use super::Image;
use crate::addr::Address;
use crate::process::image::{ImageError, read_struct};
use object::LittleEndian as LE;
use object::pe::{self, ImageExportDirectory};
use std::cmp::Ordering;

/// The most names of a file that are believed: their ordinals have 16 bits.
const MAX_NAMES: u32 = 1 << 16;

impl Image<'_> {
    /// The virtual address of what the image exports as `name`. Exports that another file is to provide have none here.
    /// Names are sorted, so a few pages are read.
    pub(crate) fn export(&self, name: &str) -> Result<Option<Address>, ImageError> {
        let Some((table, size)) = self.directory(pe::IMAGE_DIRECTORY_ENTRY_EXPORT) else {
            return Ok(None);
        };
        let directory: ImageExportDirectory = read_struct(self.memory, table)?;
        let malformed = |what| ImageError::Malformed { at: table, what };
        let place = |rva: u32| self.at(rva).ok_or(malformed("an export table outside of the image"));
        let names = directory.number_of_names.get(LE);
        if names == 0 {
            return Ok(None);
        }
        if names > MAX_NAMES {
            return Err(malformed("more exported names than there can be"));
        }
        let name_table = place(directory.address_of_names.get(LE))?;
        let (mut low, mut high) = (0, names);
        while low < high {
            let middle = low + (high - low) / 2;
            let at = place(self.memory.u32(name_table.element(middle.into(), 4))?)?;
            let found = self.memory.c_string(at, name.len() + 1)?;
            match found.as_slice().cmp(name.as_bytes()) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => {
                    let ordinals = place(directory.address_of_name_ordinals.get(LE))?;
                    let ordinal = self.memory.u16(ordinals.element(middle.into(), 2))?;
                    if u32::from(ordinal) >= directory.number_of_functions.get(LE) {
                        return Err(malformed("an exported name without an address"));
                    }
                    let addresses = place(directory.address_of_functions.get(LE))?;
                    let address = self.at(self.memory.u32(addresses.element(ordinal.into(), 4))?);
                    let is_elsewhere = |at: &Address| table <= *at && at.0 - table.0 < u64::from(size);
                    return Ok(address.filter(|at| !is_elsewhere(at)));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{BASE, Dll, SIZE};
    use super::*;
    use crate::memory::{Backing, FaultCause, Range, Region, Regions};

    fn dll() -> Dll {
        let mut exports: Vec<_> = (0..50).map(|index| (format!("Py_{index:02}"), 0x2000 + index)).collect();
        exports.push(("_PyRuntime".to_owned(), 0x2100));
        Dll { exports, forwarded: Some("Py_Forwarded"), ..Dll::default() }
    }

    fn look_up(bytes: &[u8], name: &str) -> Result<Option<Address>, ImageError> {
        let range = Range { start: Address(BASE), size: SIZE, writable: false, executable: false };
        let backing = Backing::Bytes(bytes, FaultCause::NotDumped);
        Image::read(&Regions::new(vec![Region { range, backing }]), Address(BASE))?.export(name)
    }

    #[test]
    fn exports_are_found_by_name() {
        let bytes = dll().loaded();
        assert_eq!(look_up(&bytes, "_PyRuntime"), Ok(Some(Address(BASE + 0x2100))));
        assert_eq!(look_up(&bytes, "Py_00"), Ok(Some(Address(BASE + 0x2000))));
        assert_eq!(look_up(&bytes, "Py_49"), Ok(Some(Address(BASE + 0x2031))));
        for absent in ["", "Py_", "Py_000", "_PyRuntim", "_PyRuntime2", "zzz"] {
            assert_eq!(look_up(&bytes, absent), Ok(None), "{absent}");
        }
    }

    #[test]
    fn what_is_forwarded_lies_elsewhere() {
        assert_eq!(look_up(&dll().loaded(), "Py_Forwarded"), Ok(None));
    }

    #[test]
    fn a_file_without_exports_has_none() {
        assert_eq!(look_up(&Dll::default().loaded(), "_PyRuntime"), Ok(None));
    }

    #[test]
    fn damage_and_missing_pages_are_errors_at_worst() {
        let whole = dll().loaded();
        for at in 0..0x1000 {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = look_up(&bytes, "_PyRuntime");
            }
        }
        assert!(matches!(look_up(&whole[..0x300], "_PyRuntime"), Err(ImageError::Fault(_))));
        assert_eq!(look_up(&[0; 0x1000], "x"), Err(ImageError::Unknown(Address(BASE))));
    }
}
