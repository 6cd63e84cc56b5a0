//! From an instruction to a line: one decoder per form of the table.

use crate::layout::LineTableModel;

/// A code object's line table.
#[derive(Clone, Debug)]
pub(super) struct LineTable {
    pub(super) model: LineTableModel,
    /// `co_lnotab` or `co_linetable`.
    pub(super) bytes: Vec<u8>,
    /// `co_firstlineno`.
    pub(super) first_line: i64,
    /// Whether line increments may be negative, as from 3.6 on.
    pub(super) signed: bool,
}

impl LineTable {
    /// The line of the instruction at `offset`, in bytes from the start of the code; before the first instruction,
    /// the first line. `None` where the table says that the instruction has no line.
    pub(super) fn line(&self, offset: i64) -> Option<u32> {
        let line = if offset < 0 {
            Some(self.first_line)
        } else {
            match self.model {
                LineTableModel::Lnotab => Some(self.lnotab(offset)),
                LineTableModel::Linetable310 => self.linetable_310(offset),
                LineTableModel::LocationTable => self.location_table(offset),
            }
        };
        line.and_then(|line| u32::try_from(line).ok())
    }

    /// Whether the table speaks of `size` bytes of instructions: `co_lnotab` of where lines begin, the others of all.
    pub(super) fn spans(&self, size: i64) -> bool {
        let pairs =
            || self.bytes.as_chunks::<2>().0.iter().map(|&[length, _]| i64::from(length)).sum::<i64>();
        match self.model {
            LineTableModel::Lnotab => pairs() < size.max(1),
            LineTableModel::Linetable310 => pairs() == size,
            LineTableModel::LocationTable => {
                let firsts = self.bytes.iter().filter(|&&byte| byte & 0x80 != 0);
                firsts.map(|&first| (i64::from(first & 7) + 1) * 2).sum::<i64>() == size
            }
        }
    }

    /// `PyCode_Addr2Line` of Objects/codeobject.c up to 3.9: pairs of an address increment and a line increment.
    fn lnotab(&self, offset: i64) -> i64 {
        let mut line = self.first_line;
        let mut address = 0;
        for &[step, delta] in self.bytes.as_chunks::<2>().0 {
            address += i64::from(step);
            if address > offset {
                break;
            }
            line += if self.signed { i64::from(delta as i8) } else { i64::from(delta) };
        }
        line
    }

    /// Objects/codeobject.c of 3.10, `advance`: pairs of a length and a signed line increment; -128 is no line.
    fn linetable_310(&self, offset: i64) -> Option<i64> {
        let mut line = self.first_line;
        let mut end = 0;
        for &[length, delta] in self.bytes.as_chunks::<2>().0 {
            end += i64::from(length);
            let delta = delta as i8;
            if delta != -128 {
                line += i64::from(delta);
            }
            if end > offset {
                return (delta != -128).then_some(line);
            }
        }
        None
    }

    /// Objects/locations.md of 3.11: entries of a kind, a length in code units, and what the kind has.
    fn location_table(&self, offset: i64) -> Option<i64> {
        let mut line = self.first_line;
        let mut end = 0;
        let mut bytes = self.bytes.iter().copied().peekable();
        while let Some(first) = bytes.next() {
            let kind = (first >> 3) & 15;
            end += (i64::from(first & 7) + 1) * 2;
            line += match kind {
                10..=12 => i64::from(kind) - 10,
                13 | 14 => signed_varint(&mut bytes)?,
                _ => 0,
            };
            if end > offset {
                return (kind != 15).then_some(line);
            }
            while bytes.next_if(|byte| byte & 0x80 == 0).is_some() {}
        }
        None
    }
}

/// Six bits a byte, the least significant first, bit 6 set where more follow; the sign in the lowest bit.
fn signed_varint(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let mut value = 0u64;
    let mut shift = 0;
    loop {
        let byte = bytes.next()?;
        value |= u64::from(byte & 0x3f).checked_shl(shift)?;
        shift += 6;
        if byte & 0x40 == 0 {
            break;
        }
    }
    let magnitude = (value >> 1) as i64;
    Some(if value & 1 == 1 { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(model: LineTableModel, bytes: &[u8]) -> LineTable {
        LineTable { model, bytes: bytes.to_vec(), first_line: 10, signed: true }
    }

    #[test]
    fn lnotab_has_signed_line_increments() {
        let table = table(LineTableModel::Lnotab, &[0, 1, 4, 5, 2, 0xfe]);
        let lines: Vec<_> = [-1, 0, 3, 4, 6, 100].map(|offset| table.line(offset)).to_vec();
        assert_eq!(lines, [Some(10), Some(11), Some(11), Some(16), Some(14), Some(14)]);
        let older = LineTable { signed: false, ..table };
        assert_eq!(older.line(6), Some(16 + 254), "up to 3.5 they are not signed");
    }

    #[test]
    fn linetable_310_knows_instructions_without_a_line() {
        let table = table(LineTableModel::Linetable310, &[4, 1, 2, 0x80, 2, 2]);
        let lines: Vec<_> = [-2, 0, 2, 4, 6, 8].map(|offset| table.line(offset)).to_vec();
        assert_eq!(lines, [Some(10), Some(11), Some(11), None, Some(13), None]);
    }

    #[test]
    fn the_location_table_has_entries_of_every_kind() {
        let bytes = [
            0x80 | 10 << 3, // one unit on line +0, columns follow
            1,
            2,
            0x80 | 12 << 3 | 1, // two units on line +2
            1,
            2,
            0x80 | 15 << 3, // one unit without a line
            0x80 | 14 << 3, // long: line delta -3
            7,
            0,
            1,
            1,
            0x80 | 13 << 3, // no column: line delta +70
            0x40 | 12,
            2,
            0x80, // short form
            3,
        ];
        let table = table(LineTableModel::LocationTable, &bytes);
        let lines: Vec<_> = [-2, 0, 2, 4, 6, 8, 10, 12, 14].map(|offset| table.line(offset)).to_vec();
        assert_eq!(lines, [Some(10), Some(10), Some(12), Some(12), None, Some(9), Some(79), Some(79), None]);
    }

    #[test]
    fn a_cut_or_endless_table_has_no_line() {
        assert_eq!(table(LineTableModel::LocationTable, &[0x80 | 14 << 3]).line(0), None);
        assert_eq!(
            table(LineTableModel::LocationTable, &[[0x80 | 13 << 3].as_slice(), &[0x7f; 40]].concat())
                .line(0),
            None
        );
    }
}
