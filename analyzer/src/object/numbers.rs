//! `int` of any size, `bool`, `float`, `complex`.

use super::{Inspector, Unreadable};
use crate::addr::Address;
use crate::layout::IntModel;
use num_bigint::{BigInt, BigUint, Sign};

/// The most digits of one `int` that are read: about 300,000 bits.
const MAX_DIGITS: u64 = 10_000;

/// `float.__repr__`: the shortest digits that give the same number, with an exponent below 1e-4 and from 1e16 on
/// (`float_repr_style`, Python/pystrtod.c).
pub(super) fn repr_float(value: f64) -> String {
    let mut out = format_shortest(value);
    if value.is_finite() && !out.contains(['.', 'e']) {
        out.push_str(".0");
    }
    out
}

/// The fewest digits that give the same number, in scientific form.
pub(super) fn shortest_scientific(value: f64) -> String {
    to_even(value, format!("{value:e}"), |text| text.parse() == Ok(value))
}

/// Of two decimals that are as short and as near to `value`, the even one: Rust gives the greater one, Python (David
/// Gay's `dtoa`) and numpy the even one. `gives_value` says whether a decimal is read as the same number.
pub(super) fn to_even(value: f64, shortest: String, gives_value: impl Fn(&str) -> bool) -> String {
    let digits = shortest.split('e').next().unwrap_or_default();
    let places = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let rounded = format!("{value:.places$e}");
    if gives_value(&rounded) { rounded } else { shortest }
}

/// A float's digits without the `.0` that `repr` adds: how the parts of a complex number are printed.
fn format_shortest(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = shortest_scientific(value);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let places = (fraction as i32 - exponent).max(0) as usize;
        let rounded = format!("{value:.places$}");
        return if rounded.parse() == Ok(value) { rounded } else { format!("{value}") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// `complex.__repr__`, Objects/complexobject.c.
pub(super) fn repr_complex(real: f64, imaginary: f64) -> String {
    let imaginary_text = format_shortest(imaginary);
    if real == 0.0 && real.is_sign_positive() {
        return format!("{imaginary_text}j");
    }
    let sign = if imaginary_text.starts_with('-') { "" } else { "+" };
    format!("({}{sign}{imaginary_text}j)", format_shortest(real))
}

/// `float.__str__` of 2.7: 12 digits at most (`%.12g`), and `.0` where it would look like an int.
pub(super) fn str_float(value: f64) -> String {
    let mut out = format_12_digits(value, 11);
    if value.is_finite() && !out.contains(['.', 'e']) {
        out.push_str(".0");
    }
    out
}

/// `complex.__str__` of 2.7.
pub(super) fn str_complex(real: f64, imaginary: f64) -> String {
    let imaginary_text = format_12_digits(imaginary, 12);
    if real == 0.0 && real.is_sign_positive() {
        return format!("{imaginary_text}j");
    }
    let sign = if imaginary_text.starts_with('-') { "" } else { "+" };
    format!("({}{sign}{imaginary_text}j)", format_12_digits(real, 12))
}

/// `%.12g` of C, with an exponent from `1e<limit>` on.
fn format_12_digits(value: f64, limit: i32) -> String {
    if !value.is_finite() {
        return format_shortest(value);
    }
    let scientific = format!("{value:.11e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    if (-4..limit).contains(&exponent) {
        let places = (11 - exponent).max(0) as usize;
        let fixed = format!("{value:.places$}");
        return if places > 0 { trimmed(&fixed) } else { fixed };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs())
}

impl Inspector<'_> {
    /// The sign of an `int` and how many digits it has.
    pub(super) fn int_digits(&self, object: Address) -> Result<(Sign, u64), Unreadable> {
        match self.layout.int_model() {
            IntModel::ObSize => {
                let size = self.ob_size(object)?;
                Ok((if size < 0 { Sign::Minus } else { Sign::Plus }, size.unsigned_abs()))
            }
            // The sign is in the low two bits: 0 positive, 1 zero, 2 negative (Include/internal/pycore_long.h).
            IntModel::LvTag => {
                let tag = self.uint(object, self.layout.structs.PyLongObject.lv_tag)?;
                match tag & 3 {
                    0 => Ok((Sign::Plus, tag >> 3)),
                    1 => Ok((Sign::Plus, 0)),
                    2 => Ok((Sign::Minus, tag >> 3)),
                    _ => Err(Unreadable::Nonsense { at: object, what: "an int with a bad sign".to_owned() }),
                }
            }
        }
    }

    /// The value of an `int` or of an instance of a subclass.
    ///
    /// # Errors
    /// Missing bytes, digits out of range, or a number of more than 300,000 bits.
    pub fn big_int(&self, object: Address) -> Result<BigInt, Unreadable> {
        if self.is_machine_int(object)? {
            return Ok(self.int(object, self.layout.structs.PyIntObject.ob_ival)?.into());
        }
        let digit_bits = self.layout.digit_bits();
        let (sign, count) = self.int_digits(object)?;
        if count > MAX_DIGITS {
            return Err(Unreadable::Nonsense {
                at: object,
                what: format!("an int of {count} digits of {digit_bits} bits"),
            });
        }
        let width = if digit_bits == 15 { 2 } else { 4 };
        let bytes = self.memory.bytes(
            self.field_address(object, self.layout.structs.PyLongObject.ob_digit)?,
            count as usize * width,
        )?;
        let mut words = Vec::with_capacity(count as usize);
        let (mut pending, mut bits) = (0u64, 0);
        for digit in bytes.chunks_exact(width) {
            let digit = digit.iter().rev().fold(0, |digit, &byte| digit << 8 | u32::from(byte));
            if digit >> digit_bits != 0 {
                return Err(Unreadable::Nonsense {
                    at: object,
                    what: format!("an int with the digit {digit:#x}"),
                });
            }
            pending |= u64::from(digit) << bits;
            bits += digit_bits;
            if bits >= 32 {
                words.push(pending as u32);
                pending >>= 32;
                bits -= 32;
            }
        }
        words.push(pending as u32);
        Ok(BigInt::from_biguint(sign, BigUint::new(words)))
    }

    /// The value of an `int` that fits.
    ///
    /// # Errors
    /// As [`Inspector::big_int`], or a larger number.
    pub fn small_int(&self, object: Address) -> Result<i64, Unreadable> {
        if !self.shape_of(object)?.is_int() {
            return Err(Unreadable::Nonsense {
                at: object,
                what: "another object instead of an int".to_owned(),
            });
        }
        i64::try_from(self.big_int(object)?)
            .map_err(|_| Unreadable::Nonsense { at: object, what: "an int beyond 64 bits".to_owned() })
    }

    pub(super) fn float_field(
        &self,
        object: Address,
        field: crate::layout::Field,
    ) -> Result<f64, Unreadable> {
        Ok(f64::from_bits(self.uint(object, field)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_python_prints_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (255_044_843_900_864.13, "255044843900864.12"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (5e-324, "5e-324"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(repr_float(value), expected);
        }
    }

    #[test]
    fn the_str_of_floats_in_2_7_has_12_digits() {
        for (value, expected) in [
            (0.1 + 0.2, "0.3"),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (1e10, "10000000000.0"),
            (1e11, "1e+11"),
            (1e12, "1e+12"),
            (12345678901.25, "12345678901.2"),
            (0.0001, "0.0001"),
            (0.00001234, "1.234e-05"),
            (2.0 / 3.0, "0.666666666667"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(str_float(value), expected);
        }
        assert_eq!(str_complex(0.1 + 0.2, -1.0), "(0.3-1j)");
    }

    #[test]
    fn complex_numbers_print_as_python_prints_them() {
        assert_eq!(repr_complex(0.0, 1.0), "1j");
        assert_eq!(repr_complex(-0.0, 1.0), "(-0+1j)");
        assert_eq!(repr_complex(1.5, -2.0), "(1.5-2j)");
        assert_eq!(repr_complex(f64::NAN, f64::INFINITY), "(nan+infj)");
    }
}
