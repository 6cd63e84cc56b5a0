//! `decimal.Decimal`, Modules/_decimal.

use super::Unreadable;
use super::values::{Decoded, Walk};
use crate::addr::Address;

/// Decimal digits in a word of a coefficient on 64-bit builds (`MPD_RDIGITS`, Modules/_decimal/libmpdec/mpdecimal.h).
const WORD_DIGITS: usize = 19;
/// The most words of one coefficient that are read.
const MAX_WORDS: u64 = 5_000;

const NEGATIVE: u64 = 1;
const INFINITE: u64 = 2;
const NAN: u64 = 4;
const SIGNALING_NAN: u64 = 8;

/// The scientific string of a finite number: `to-scientific-string` of the General Decimal Arithmetic specification.
pub(super) fn scientific(digits: &str, exponent: i64) -> String {
    let count = digits.len() as i64;
    let adjusted = exponent.saturating_add(count - 1);
    if exponent > 0 || adjusted < -6 {
        let (first, rest) = digits.split_at(digits.len().min(1));
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{first}{point}{rest}E{adjusted:+}");
    }
    if exponent == 0 {
        return digits.to_owned();
    }
    let point = count + exponent;
    if point > 0 {
        let (whole, fraction) = digits.split_at(digits.len().min(point as usize));
        format!("{whole}.{fraction}")
    } else {
        format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
    }
}

impl Walk<'_, '_> {
    /// `dec_repr`, Modules/_decimal/_decimal.c. It says `Decimal` for subclasses too.
    pub(super) fn decimal(&mut self, object: Address) -> Result<Decoded, Unreadable> {
        let layout = &self.inspector.layout.structs.PyDecObject;
        let flags = self.inspector.uint(object, layout.flags)?;
        let words = self.inspector.uint(object, layout.len)?;
        let digits = self.inspector.uint(object, layout.digits)? as usize;
        let exponent = self.inspector.int(object, layout.exp)?;
        let nonsense = |what: String| Unreadable::Nonsense { at: object, what };
        if words > MAX_WORDS {
            return Err(nonsense(format!("a Decimal of {words} words")));
        }
        let sign = if flags & NEGATIVE != 0 { "-" } else { "" };
        if flags & INFINITE != 0 {
            return Ok(Decoded::exact(format!("Decimal('{sign}Infinity')")));
        }
        let mut coefficient = String::new();
        let data = self.inspector.pointer(object, layout.data)?;
        for index in (0..words).rev() {
            let word = self.inspector.memory.u64(data.element(index, 8))?;
            coefficient.push_str(&format!("{word:0WORD_DIGITS$}"));
        }
        let coefficient = match coefficient.trim_start_matches('0') {
            "" => "0",
            significant => significant,
        };
        let kind = match flags & (NAN | SIGNALING_NAN) {
            0 => None,
            NAN => Some("NaN"),
            _ => Some("sNaN"),
        };
        if let Some(kind) = kind {
            let payload = if digits == 0 || coefficient == "0" { "" } else { coefficient };
            return Ok(Decoded::exact(format!("Decimal('{sign}{kind}{payload}')")));
        }
        if coefficient.len() != digits.max(1) {
            return Err(nonsense(format!("a Decimal of {digits} digits that has {}", coefficient.len())));
        }
        Ok(Decoded::exact(format!("Decimal('{sign}{}')", scientific(coefficient, exponent))))
    }
}

#[cfg(test)]
mod tests {
    use super::scientific;

    #[test]
    fn numbers_print_as_the_specification_says() {
        for (digits, exponent, expected) in [
            ("123", 0, "123"),
            ("123", -1, "12.3"),
            ("123", -3, "0.123"),
            ("123", -5, "0.00123"),
            ("123", -10, "1.23E-8"),
            ("123", 1, "1.23E+3"),
            ("0", 0, "0"),
            ("0", -2, "0.00"),
            ("0", 2, "0E+2"),
            ("1", -7, "1E-7"),
            ("5", -6, "0.000005"),
        ] {
            assert_eq!(scientific(digits, exponent), expected);
        }
    }
}
