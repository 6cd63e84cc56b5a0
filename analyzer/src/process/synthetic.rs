//! A builder of small shared libraries for tests. It writes ELF from the specification's numbers alone, so that a wrong
//! idea of the reader's cannot hide in it.

/// A shared library of two pages: headers and tables, read-only, then data, writable.
#[derive(Clone, Default)]
pub(crate) struct Library {
    /// The address of the file's first byte as linked.
    pub(crate) linked_at: u64,
    /// The GNU build id; none if empty.
    pub(crate) build_id: Vec<u8>,
    /// `(name, address as linked, type, defined)`.
    pub(crate) symbols: Vec<(&'static str, u64, u8, bool)>,
    /// Use `DT_HASH` instead of `DT_GNU_HASH`.
    pub(crate) sysv_hash: bool,
    /// Let every chain go on for ever.
    pub(crate) endless: bool,
    /// What glibc's loader adds to the addresses in the dynamic section; 0 as in the file.
    pub(crate) relocated_by: u64,
    /// `DT_SONAME`, at the start of the string table.
    pub(crate) so_name: &'static str,
    /// `DT_DEBUG`.
    pub(crate) debug: u64,
    /// `(name, address as linked, size)`.
    pub(crate) sections: Vec<(&'static str, u64, u64)>,
    /// `(name, address as linked)` for `.symtab`.
    pub(crate) static_symbols: Vec<(&'static str, u64)>,
    /// Let them be in `.dynsym` instead.
    pub(crate) table_is_dynamic: bool,
    /// The writable page.
    pub(crate) data: Vec<u8>,
}

pub(crate) const PAGE: u64 = 0x1000;
const NOTE_AT: u64 = 0x200;
const HASH_AT: u64 = 0x280;
const SYMBOLS_AT: u64 = 0x500;
const STRINGS_AT: u64 = 0x900;
const DYNAMIC_AT: u64 = 0xd00;

impl Library {
    /// The bytes of the file. The first two pages are also what lies in memory.
    pub(crate) fn build(&self) -> Vec<u8> {
        let mut file = vec![0; 2 * PAGE as usize];
        put(&mut file, 0, b"\x7fELF\x02\x01\x01");
        put16(&mut file, 16, 3);
        put16(&mut file, 18, 62);
        put32(&mut file, 20, 1);
        put64(&mut file, 32, 64);
        put16(&mut file, 52, 64);
        put16(&mut file, 54, 56);
        put16(&mut file, 56, 4);
        put16(&mut file, 58, 64);
        let note = self.note();
        let dynamic = self.dynamic();
        self.program_header(&mut file, 0, (1, 4), 0, PAGE, PAGE);
        self.program_header(&mut file, 1, (1, 6), PAGE, PAGE, 2 * PAGE);
        self.program_header(&mut file, 2, (4, 4), NOTE_AT, note.len() as u64, note.len() as u64);
        self.program_header(&mut file, 3, (2, 4), DYNAMIC_AT, dynamic.len() as u64, dynamic.len() as u64);
        put(&mut file, NOTE_AT, &note);
        put(&mut file, DYNAMIC_AT, &dynamic);
        let hash = if self.sysv_hash { self.sysv_hash_table() } else { self.gnu_hash_table() };
        assert!(hash.len() as u64 <= SYMBOLS_AT - HASH_AT);
        put(&mut file, HASH_AT, &hash);
        let (names, strings) = self.strings();
        put(&mut file, STRINGS_AT, &strings);
        for (index, ((_, value, kind, defined), name)) in self.symbols.iter().zip(names).enumerate() {
            let at = SYMBOLS_AT + 24 * (index as u64 + 1);
            put32(&mut file, at, name);
            put(&mut file, at + 4, &[0x10 | kind, 0]);
            put16(&mut file, at + 6, u16::from(*defined) * 5);
            put64(&mut file, at + 8, *value);
        }
        put(&mut file, PAGE, &self.data);
        if !self.sections.is_empty() || !self.static_symbols.is_empty() {
            self.add_sections(&mut file);
        }
        file
    }

    fn program_header(
        &self,
        file: &mut [u8],
        index: u64,
        kind: (u32, u32),
        at: u64,
        filesz: u64,
        memsz: u64,
    ) {
        let header = 64 + 56 * index;
        put32(file, header, kind.0);
        put32(file, header + 4, kind.1);
        put64(file, header + 8, at);
        put64(file, header + 16, self.linked_at + at);
        put64(file, header + 32, filesz);
        put64(file, header + 40, memsz);
        put64(file, header + 48, 4);
    }

    fn note(&self) -> Vec<u8> {
        if self.build_id.is_empty() {
            return Vec::new();
        }
        let mut note = Vec::new();
        note.extend(4u32.to_le_bytes());
        note.extend((self.build_id.len() as u32).to_le_bytes());
        note.extend(3u32.to_le_bytes());
        note.extend(b"GNU\0");
        note.extend(&self.build_id);
        note
    }

    fn dynamic(&self) -> Vec<u8> {
        let address = |at| self.linked_at + at + self.relocated_by;
        let hash = if self.sysv_hash { (4, address(HASH_AT)) } else { (0x6fff_fef5, address(HASH_AT)) };
        let mut entries =
            vec![hash, (6, address(SYMBOLS_AT)), (5, address(STRINGS_AT)), (14, 1), (21, self.debug)];
        entries.push((0, 0));
        entries
            .iter()
            .flat_map(|(tag, value): &(u64, u64)| [tag.to_le_bytes(), value.to_le_bytes()])
            .flatten()
            .collect()
    }

    fn strings(&self) -> (Vec<u32>, Vec<u8>) {
        let mut strings = format!("\0{}\0", self.so_name).into_bytes();
        let mut names = Vec::new();
        for (name, ..) in &self.symbols {
            names.push(strings.len() as u32);
            strings.extend(name.bytes());
            strings.push(0);
        }
        (names, strings)
    }

    /// One bucket, a Bloom filter that lets everything through.
    fn gnu_hash_table(&self) -> Vec<u8> {
        let mut table = Vec::new();
        for word in [1u32, 1, 1, 6] {
            table.extend(word.to_le_bytes());
        }
        table.extend(u64::MAX.to_le_bytes());
        table.extend(u32::from(!self.symbols.is_empty()).to_le_bytes());
        for (index, (name, ..)) in self.symbols.iter().enumerate() {
            let hash =
                name.bytes().fold(5381u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(byte.into()));
            let last = index + 1 == self.symbols.len() && !self.endless;
            table.extend((hash & !1 | u32::from(last)).to_le_bytes());
        }
        table
    }

    /// One bucket, a chain through all symbols; an endless one goes back to the first.
    fn sysv_hash_table(&self) -> Vec<u8> {
        let count = self.symbols.len() as u32;
        let end = u32::from(self.endless);
        let mut table = vec![1, count + 1, u32::from(count > 0), 0];
        table.extend((1..=count).map(|index| if index == count { end } else { index + 1 }));
        table.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn add_sections(&self, file: &mut Vec<u8>) {
        let mut names = b"\0".to_vec();
        let mut headers = vec![vec![0; 64]];
        let mut add = |name: &str, kind: u32, address: u64, place: (u64, u64), link: u32, entry: u64| {
            let mut header = vec![0; 64];
            put32(&mut header, 0, names.len() as u32);
            put32(&mut header, 4, kind);
            put64(&mut header, 16, address);
            put64(&mut header, 24, place.0);
            put64(&mut header, 32, place.1);
            put32(&mut header, 40, link);
            put64(&mut header, 56, entry);
            names.extend(name.bytes());
            names.push(0);
            headers.push(header);
        };
        for (name, address, size) in &self.sections {
            add(name, 1, *address, (PAGE, *size), 0, 0);
        }
        let mut symbols = vec![0; 24];
        let mut strings = b"\0".to_vec();
        for (name, value) in &self.static_symbols {
            let mut symbol = vec![0; 24];
            put32(&mut symbol, 0, strings.len() as u32);
            put(&mut symbol, 4, &[1]);
            put16(&mut symbol, 6, 5);
            put64(&mut symbol, 8, *value);
            symbols.extend(symbol);
            strings.extend(name.bytes());
            strings.push(0);
        }
        let strings_index = self.sections.len() as u32 + 2;
        let kind = if self.table_is_dynamic { 11 } else { 2 };
        add(".symtab", kind, 0, (file.len() as u64, symbols.len() as u64), strings_index, 24);
        file.extend(symbols);
        add(".strtab", 3, 0, (file.len() as u64, strings.len() as u64), 0, 0);
        file.extend(strings);
        add(".shstrtab", 3, 0, (file.len() as u64, 1024), 0, 0);
        names.resize(1024, 0);
        file.extend(names);
        let (at, count) = (file.len() as u64, headers.len() as u16);
        put64(file, 40, at);
        put16(file, 60, count);
        put16(file, 62, count - 1);
        file.extend(headers.concat());
    }
}

pub(crate) fn put(bytes: &mut [u8], at: u64, what: &[u8]) {
    bytes[at as usize..][..what.len()].copy_from_slice(what);
}

pub(crate) fn put16(bytes: &mut [u8], at: u64, value: u16) {
    put(bytes, at, &value.to_le_bytes());
}

pub(crate) fn put32(bytes: &mut [u8], at: u64, value: u32) {
    put(bytes, at, &value.to_le_bytes());
}

pub(crate) fn put64(bytes: &mut [u8], at: u64, value: u64) {
    put(bytes, at, &value.to_le_bytes());
}
