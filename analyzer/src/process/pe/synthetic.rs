//! A builder of small DLLs for tests. It writes PE from the specification's numbers alone, so that a wrong idea of the
//! reader's cannot hide in it.

use crate::process::synthetic::{put, put16, put32, put64};

/// Where the tests load it.
pub(crate) const BASE: u64 = 0x7ffc_1234_0000;
/// `SizeOfImage`.
pub(crate) const SIZE: u64 = 0x5000;
/// The GUID of its PDB.
pub(crate) const PDB: [u8; 16] = *b"0123456789abcdef";

/// A DLL with the sections `.rdata` (read-only, at 0x1000), `.data` (writable, at 0x2000), `PyRuntim` (writable, at
/// 0x3000) and `.reloc` (at 0x4000), linked at 0x180000000. At 0x1f00 is the address of 0x2100.
#[derive(Default)]
pub(crate) struct Dll {
    /// Names and places of what it exports.
    pub(crate) exports: Vec<(String, u32)>,
    /// A name that it exports for another file.
    pub(crate) forwarded: Option<&'static str>,
    /// The file version and the strings of the version resource.
    pub(crate) version: Option<([u16; 4], Vec<[&'static str; 2]>)>,
    /// Whether it has [`PDB`].
    pub(crate) pdb: bool,
}

const EXPORTS_AT: u64 = 0x1000;
const RESOURCES_AT: u64 = 0x1c00;
const DEBUG_AT: u64 = 0x1e80;

impl Dll {
    /// Its bytes as they lie in memory, relocated to [`BASE`].
    pub(crate) fn loaded(&self) -> Vec<u8> {
        let mut image = self.image();
        put64(&mut image, 0x1f00, BASE + 0x2100);
        image
    }

    /// The file: its sections lie there at half the distance, so that places in the file and in memory differ.
    pub(crate) fn file(&self) -> Vec<u8> {
        let image = self.image();
        let mut file = image[..0x400].to_vec();
        file.extend(&image[0x1000..0x1ff0]);
        file.resize(0x400 + 0x1000, 0xee);
        file.extend(&image[0x4000..0x4010]);
        file
    }

    /// As linked.
    fn image(&self) -> Vec<u8> {
        let mut image = vec![0; SIZE as usize];
        put(&mut image, 0, b"MZ");
        put32(&mut image, 0x3c, 0x80);
        put(&mut image, 0x80, b"PE\0\0");
        put16(&mut image, 0x84, 0x8664);
        put16(&mut image, 0x86, 4);
        put32(&mut image, 0x88, 0x6677_8899);
        put16(&mut image, 0x94, 240);
        put16(&mut image, 0x96, 0x2022);
        let optional = 0x98;
        put16(&mut image, optional, 0x20b);
        put64(&mut image, optional + 24, 0x1_8000_0000);
        put32(&mut image, optional + 56, SIZE as u32);
        put32(&mut image, optional + 60, 0x400);
        put32(&mut image, optional + 64, 0xabcd);
        put32(&mut image, optional + 108, 16);
        let mut directory = |index: u64, at: u64, size: u64| {
            put32(&mut image, optional + 112 + 8 * index, at as u32);
            put32(&mut image, optional + 116 + 8 * index, size as u32);
        };
        if !self.exports.is_empty() {
            directory(0, EXPORTS_AT, 0xc00);
        }
        if self.version.is_some() {
            directory(2, RESOURCES_AT, 0x280);
        }
        directory(5, 0x4000, 12);
        if self.pdb {
            directory(6, DEBUG_AT, 28);
        }
        directory(12, 0x1fd0, 0x10);
        let sections: [(&[u8], u64, u64, u32); 4] = [
            (b".rdata", 0x1000, 0x400, 0x4000_0040),
            (b".data", 0x2000, 0, 0xc000_0040),
            (b"PyRuntim", 0x3000, 0, 0xc000_0040),
            (b".reloc", 0x4000, 0x1400, 0x4200_0040),
        ];
        for (index, (name, at, in_file, flags)) in sections.into_iter().enumerate() {
            let header = optional + 240 + 40 * index as u64;
            put(&mut image, header, name);
            put32(&mut image, header + 8, 0x1000);
            put32(&mut image, header + 12, at as u32);
            put32(&mut image, header + 16, [0, 0xff0][usize::from(in_file != 0)]);
            put32(&mut image, header + 20, in_file as u32);
            put32(&mut image, header + 36, flags);
        }
        self.put_exports(&mut image);
        self.put_version(&mut image);
        put32(&mut image, DEBUG_AT + 12, 2);
        put32(&mut image, DEBUG_AT + 16, 24);
        put32(&mut image, DEBUG_AT + 20, DEBUG_AT as u32 + 0x20);
        put(&mut image, DEBUG_AT + 0x20, b"RSDS");
        put(&mut image, DEBUG_AT + 0x24, &PDB);
        put32(&mut image, DEBUG_AT + 0x34, 7);
        put(&mut image, DEBUG_AT + 0x38, b"x.pdb");
        put64(&mut image, 0x1f00, 0x1_8000_2100);
        put32(&mut image, 0x4000, 0x1000);
        put32(&mut image, 0x4004, 12);
        put16(&mut image, 0x4008, 0xaf00);
        image
    }

    fn put_exports(&self, image: &mut [u8]) {
        let mut exports = self.exports.clone();
        let forwarder = EXPORTS_AT as u32 + 0x28;
        put(image, forwarder.into(), b"other.Name\0");
        exports.extend(self.forwarded.map(|name| (name.to_owned(), forwarder)));
        exports.sort();
        let count = exports.len() as u64;
        let (addresses, names) = (EXPORTS_AT + 0x40, EXPORTS_AT + 0x40 + 4 * count);
        let ordinals = names + 4 * count;
        let mut text = ordinals + 2 * count;
        for (offset, value) in [(20, count), (24, count), (28, addresses), (32, names), (36, ordinals)] {
            put32(image, EXPORTS_AT + offset, value as u32);
        }
        for (index, (name, at)) in (0..).zip(&exports) {
            // Addresses are in an order of their own.
            let ordinal = count - 1 - index;
            put32(image, addresses + 4 * ordinal, *at);
            put32(image, names + 4 * index, text as u32);
            put16(image, ordinals + 2 * index, ordinal as u16);
            put(image, text, name.as_bytes());
            text += name.len() as u64 + 1;
        }
        assert!(text <= RESOURCES_AT);
    }

    fn put_version(&self, image: &mut [u8]) {
        let Some((numbers, strings)) = &self.version else { return };
        // Two types of resources, of which the second is the version; then a name and a language.
        put16(image, RESOURCES_AT + 14, 2);
        put32(image, RESOURCES_AT + 16, 3);
        put32(image, RESOURCES_AT + 20, 0x8000_0000);
        put32(image, RESOURCES_AT + 24, 16);
        put32(image, RESOURCES_AT + 28, 0x8000_0020);
        for (at, leads_to) in [(0x20, 0x8000_0038), (0x38, 0x50)] {
            put16(image, RESOURCES_AT + at + 14, 1);
            put32(image, RESOURCES_AT + at + 16, 1);
            put32(image, RESOURCES_AT + at + 20, leads_to);
        }
        let strings: Vec<u8> = strings.iter().flat_map(|[key, text]| block(key, Ok(text), &[])).collect();
        let table = block("040904b0", Err(&[]), &strings);
        let info = block("StringFileInfo", Err(&[]), &table);
        let variables = block("VarFileInfo", Err(&[]), &block("Translation", Err(&[9, 4, 0xb0, 4]), &[]));
        let mut fixed = vec![0; 52];
        put32(&mut fixed, 0, 0xfeef_04bd);
        put32(&mut fixed, 8, u32::from(numbers[0]) << 16 | u32::from(numbers[1]));
        put32(&mut fixed, 12, u32::from(numbers[2]) << 16 | u32::from(numbers[3]));
        let all = block("VS_VERSION_INFO", Err(&fixed), &[variables, info].concat());
        put32(image, RESOURCES_AT + 0x50, RESOURCES_AT as u32 + 0x60);
        put32(image, RESOURCES_AT + 0x54, all.len() as u32);
        assert!(RESOURCES_AT + 0x60 + all.len() as u64 <= DEBUG_AT + 0x100);
        put(image, RESOURCES_AT + 0x60, &all);
    }
}

/// A block of a version resource: with a text, or with bytes.
fn block(key: &str, value: Result<&str, &[u8]>, within: &[u8]) -> Vec<u8> {
    let utf16 = |text: &str| text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (kind, length, value) = match value {
        Ok(text) => (1, utf16(text).len() / 2, utf16(text)),
        Err(bytes) => (0, bytes.len(), bytes.to_vec()),
    };
    let mut block = vec![0; 6];
    put16(&mut block, 2, length as u16);
    put16(&mut block, 4, kind);
    for part in [utf16(key), value, within.to_vec()] {
        block.extend(part);
        block.resize(block.len().next_multiple_of(4), 0);
    }
    let length = block.len() as u16;
    put16(&mut block, 0, length);
    block
}
