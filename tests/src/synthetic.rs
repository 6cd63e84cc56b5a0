//! Small ELF cores made by hand, with nothing of the reader's own knowledge.

/// An x86-64 core of a process with one thread and 64 KiB of memory that hold `memory` over and over, and no Python.
pub fn core_without_python(memory: &[u8]) -> Vec<u8> {
    core_of_threads(memory, 1)
}

/// The same with this many threads.
pub fn core_of_threads(memory: &[u8], threads: u32) -> Vec<u8> {
    const HEADER: usize = 64;
    const PROGRAM_HEADER: usize = 56;
    const SIZE: usize = 64 << 10;
    let mut notes = Vec::new();
    let mut status = vec![0; 336];
    status[12..14].copy_from_slice(&6u16.to_le_bytes());
    for thread in 0..threads {
        status[32..36].copy_from_slice(&(4711 + thread).to_le_bytes());
        note(&mut notes, 1, &status);
    }
    let mut info = vec![0; 136];
    info[24..28].copy_from_slice(&4711u32.to_le_bytes());
    info[40..45].copy_from_slice(b"sleep");
    info[56..64].copy_from_slice(b"sleep 10");
    note(&mut notes, 3, &info);

    let notes_at = HEADER + 2 * PROGRAM_HEADER;
    let load_at = (notes_at + notes.len()).next_multiple_of(4096);
    let mut file = Vec::new();
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    for (value, width) in [(4, 2), (62, 2), (1, 4), (0, 8), (HEADER, 8), (0, 8), (0, 4), (HEADER, 2)] {
        file.extend(&value.to_le_bytes()[..width]);
    }
    for value in [PROGRAM_HEADER, 2, 0, 0, 0] {
        file.extend(&value.to_le_bytes()[..2]);
    }
    program_header(&mut file, 4, 0, notes_at, 0, notes.len());
    program_header(&mut file, 1, 6, load_at, 0x5555_0000_0000, SIZE);
    file.extend(notes);
    file.resize(load_at, 0);
    file.extend(memory.iter().copied().cycle().take(SIZE));
    file
}

fn program_header(file: &mut Vec<u8>, kind: u32, flags: u32, offset: usize, address: usize, size: usize) {
    file.extend(kind.to_le_bytes());
    file.extend(flags.to_le_bytes());
    for value in [offset, address, 0, size, size, 1] {
        file.extend((value as u64).to_le_bytes());
    }
}

fn note(notes: &mut Vec<u8>, kind: u32, description: &[u8]) {
    for value in [5, description.len() as u32, kind] {
        notes.extend(value.to_le_bytes());
    }
    notes.extend(b"CORE\0\0\0\0");
    notes.extend(description);
    notes.resize(notes.len().next_multiple_of(4), 0);
}
