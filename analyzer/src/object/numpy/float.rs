//! Floats as numpy prints them: scalars by themselves (`numpy/core/src/multiarray/scalartypes.c.src`), elements of an
//! array in one common form (`FloatingFormat`, numpy/core/arrayprint.py). Digits are those of its Dragon4.

use super::super::numbers::{shortest_scientific, to_even};
use super::style::Style;

/// How wide a float is; its value is held as an `f64`, which holds all of them exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// `float16`.
    Half,
    /// `float32`.
    Single,
    /// `float64`.
    Double,
}

impl Width {
    /// Reads a number from its little-endian bytes.
    pub(super) fn read(self, bytes: &[u8]) -> Option<f64> {
        Some(match self {
            Width::Half => half(u16::from_le_bytes(bytes.try_into().ok()?)),
            Width::Single => f64::from(f32::from_le_bytes(bytes.try_into().ok()?)),
            Width::Double => f64::from_le_bytes(bytes.try_into().ok()?),
        })
    }

    /// Size, in bytes.
    pub(super) fn size(self) -> usize {
        match self {
            Width::Half => 2,
            Width::Single => 4,
            Width::Double => 8,
        }
    }

    /// The decimal digits that always survive: `numpy.finfo(...).precision`.
    fn precision(self) -> i32 {
        match self {
            Width::Half => 3,
            Width::Single => 6,
            Width::Double => 15,
        }
    }

    /// The bits of the significand, the implicit one included.
    fn significand_bits(self) -> i32 {
        match self {
            Width::Half => 11,
            Width::Single => 24,
            Width::Double => 53,
        }
    }

    /// The number of this width that is nearest to 0.0001.
    fn small(self) -> f64 {
        match self {
            Width::Half => 1_678.0 / 16_777_216.0,
            Width::Single => f64::from(0.0001_f32),
            Width::Double => 0.0001,
        }
    }

    /// Whether `large / small` is greater than 1000 where the division is done in this width.
    fn ratio_beyond_1000(self, large: f64, small: f64) -> bool {
        match self {
            // Quotients up to 1000.25 are rounded to 1000.
            Width::Half => large as f32 / small as f32 > 1000.25,
            Width::Single => large as f32 / small as f32 > 1000.0,
            Width::Double => large / small > 1000.0,
        }
    }
}

/// The number in a half: IEEE 754's binary16.
pub(in crate::object) fn half(bits: u16) -> f64 {
    let significand = f64::from(bits & 0x3ff);
    let magnitude = match bits >> 10 & 0x1f {
        0 => significand * 2f64.powi(-24),
        31 if significand == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + significand) * 2f64.powi(i32::from(exponent) - 25),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

/// The fewest decimal digits that tell a positive finite number from its neighbours, and the power of ten of the
/// first of them.
fn shortest(value: f64, width: Width) -> (String, i32) {
    let text = match width {
        Width::Half => shortest_half(value),
        Width::Single => {
            to_even(value, format!("{:e}", value as f32), |text| text.parse() == Ok(value as f32))
        }
        Width::Double => shortest_scientific(value),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    (digits.replace('.', ""), exponent.parse().unwrap_or(0))
}

/// In scientific form: the first of the decimals of growing length that lies in the interval of the numbers that
/// are rounded to `value`.
fn shortest_half(value: f64) -> String {
    let exponent = if value < 2f64.powi(-14) { -14 } else { value.log2().floor() as i32 };
    let unit = 2f64.powi(exponent + 1 - Width::Half.significand_bits());
    let significand = value / unit;
    let below = if significand == 1024.0 && exponent > -14 { unit / 4.0 } else { unit / 2.0 };
    let inclusive = significand % 2.0 == 0.0;
    let holds = |candidate: f64| {
        let (from, to) = (value - below, value + unit / 2.0);
        (from < candidate && candidate < to) || (inclusive && (candidate == from || candidate == to))
    };
    for places in 0..8 {
        let nearest = format!("{value:.places$e}");
        if nearest.parse().is_ok_and(holds) {
            return nearest;
        }
        let above = format!("{:.places$e}", value + unit / 2.0);
        if above.parse().is_ok_and(holds) {
            return above;
        }
    }
    format!("{value:e}")
}

/// The digits before and behind the point, trailing zeros left out: as many places as tell the number from its
/// neighbours, but at most `precision`. A whole number is written out or, without `exact_whole`, filled with zeros.
fn positional(value: f64, width: Width, precision: usize, exact_whole: bool) -> (String, String) {
    let (digits, exponent) = if value == 0.0 { ("0".to_owned(), 0) } else { shortest(value, width) };
    let places = (digits.len() as i32 - 1 - exponent).max(0) as usize;
    let text = if places > precision {
        format!("{value:.precision$}")
    } else if places == 0 && exact_whole {
        format!("{value:.0}")
    } else {
        place_point(&digits, exponent)
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    (whole.to_owned(), fraction.trim_end_matches('0').to_owned())
}

/// Digits of which the first has the given power of ten, with zeros filled in up to the point.
fn place_point(digits: &str, exponent: i32) -> String {
    let whole = exponent + 1;
    if whole <= 0 {
        return format!("0.{}{digits}", "0".repeat(whole.unsigned_abs() as usize));
    }
    match digits.split_at_checked(whole as usize) {
        Some((whole, "")) => whole.to_owned(),
        Some((whole, fraction)) => format!("{whole}.{fraction}"),
        None => format!("{digits}{}", "0".repeat(whole as usize - digits.len())),
    }
}

/// The digit before the point, those behind it and the power of ten. With `padded`, exactly `precision` places; else
/// as many as tell the number from its neighbours, but at most `precision`, trailing zeros left out.
fn scientific(value: f64, width: Width, precision: usize, padded: bool) -> (String, String, i32) {
    let (digits, exponent) = if value == 0.0 { ("0".to_owned(), 0) } else { shortest(value, width) };
    let places = digits.len() - 1;
    let (whole, fraction, exponent) = if places == precision || (places < precision && !padded) {
        let (whole, fraction) = digits.split_at_checked(1).unwrap_or((&digits, ""));
        (whole.to_owned(), fraction.to_owned(), exponent)
    } else {
        let text = format!("{value:.precision$e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        (whole.to_owned(), fraction.to_owned(), exponent.parse().unwrap_or(0))
    };
    let fraction = if padded { fraction } else { fraction.trim_end_matches('0').to_owned() };
    (whole, fraction, exponent)
}

/// The number alone, without `.0` behind a whole one: how the parts of complex scalars are printed.
fn bare(value: f64, width: Width, style: &Style) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        return format!("{sign}inf");
    }
    if magnitude == 0.0 {
        return format!("{sign}0");
    }
    let (digits, exponent) = shortest(magnitude, width);
    let limit = match width {
        Width::Half | Width::Single if style.narrow_exponents => 10f64.powi(width.precision()),
        _ => 1e16,
    };
    if (1e-4..limit).contains(&magnitude) {
        return format!("{sign}{}", place_point(&digits, exponent));
    }
    let (whole, fraction) = digits.split_at_checked(1).unwrap_or((&digits, ""));
    let point = if fraction.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{whole}{point}{fraction}e{exponent_sign}{:02}", exponent.unsigned_abs())
}

/// `str` of a scalar.
pub(super) fn scalar(value: f64, width: Width, style: &Style) -> String {
    let mut text = bare(value, width, style);
    if value.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
}

/// `str` of a complex scalar.
pub(super) fn complex_scalar(real: f64, imaginary: f64, width: Width, style: &Style) -> String {
    let imaginary_text = bare(imaginary, width, style);
    if real == 0.0 && real.is_sign_positive() {
        return format!("{imaginary_text}j");
    }
    let sign = if imaginary_text.starts_with('-') { "" } else { "+" };
    format!("({}{sign}{imaginary_text}j)", bare(real, width, style))
}

/// `FloatingFormat`: one form for all elements of an array.
pub(super) struct FloatFormat {
    width: Width,
    always_sign: bool,
    exponential: bool,
    exact_whole: bool,
    precision: usize,
    exponent_digits: usize,
    pad_left: usize,
    pad_right: usize,
}

impl FloatFormat {
    /// For an array of these values; with `always_sign`, positive ones have a sign too.
    pub(super) fn new(values: &[f64], width: Width, style: &Style, always_sign: bool) -> Self {
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let nonzero = finite.iter().map(|value| value.abs()).filter(|&value| value != 0.0);
        let (least, greatest) =
            nonzero.fold((f64::INFINITY, 0.0), |(least, greatest), v| (v.min(least), v.max(greatest)));
        let limit = if style.narrow_exponents { 10f64.powi(width.precision().min(8)) } else { 1e8 };
        let small = if style.weak_floats { width.small() } else { 0.0001 };
        let mut format = FloatFormat {
            width,
            always_sign,
            exponential: greatest > 0.0
                && (greatest >= limit
                    || (!style.suppress && (least < small || width.ratio_beyond_1000(greatest, least)))),
            exact_whole: style.exact_whole,
            precision: style.precision,
            exponent_digits: 0,
            pad_left: 0,
            pad_right: 0,
        };
        let mut exponent_digits = 2;
        for &value in &finite {
            let sign = usize::from(always_sign || value.is_sign_negative());
            let (whole, fraction) = if format.exponential {
                let (whole, fraction, exponent) = scientific(value.abs(), width, style.precision, false);
                exponent_digits = exponent.unsigned_abs().to_string().len().max(exponent_digits);
                (whole, fraction)
            } else {
                positional(value.abs(), width, style.precision, style.exact_whole)
            };
            format.pad_left = format.pad_left.max(whole.len() + sign);
            format.pad_right = format.pad_right.max(fraction.len());
        }
        if format.exponential {
            format.precision = format.pad_right;
            format.exponent_digits = exponent_digits;
            format.pad_right += exponent_digits + 2;
        }
        if finite.len() < values.len() {
            let signed = always_sign || values.contains(&f64::NEG_INFINITY);
            let longest = if signed { 4 } else { 3 };
            format.pad_left = format.pad_left.max(usize::saturating_sub(longest, format.pad_right + 1));
        }
        format
    }

    /// One element.
    pub(super) fn format(&self, value: f64) -> String {
        let sign = match value {
            _ if value.is_nan() && !self.always_sign => "",
            _ if value.is_sign_negative() && !value.is_nan() => "-",
            _ if self.always_sign => "+",
            _ => "",
        };
        let magnitude = value.abs();
        if !magnitude.is_finite() {
            let name = if magnitude.is_nan() { "nan" } else { "inf" };
            return format!("{:>1$}", format!("{sign}{name}"), self.pad_left + self.pad_right + 1);
        }
        if self.exponential {
            let (whole, fraction, exponent) = scientific(magnitude, self.width, self.precision, true);
            let exponent_sign = if exponent < 0 { '-' } else { '+' };
            return format!(
                "{:>2$}.{fraction}e{exponent_sign}{:03$}",
                format!("{sign}{whole}"),
                exponent.unsigned_abs(),
                self.pad_left,
                self.exponent_digits,
            );
        }
        let (whole, fraction) = positional(magnitude, self.width, self.precision, self.exact_whole);
        format!("{:>2$}.{:<3$}", format!("{sign}{whole}"), fraction, self.pad_left, self.pad_right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[f64], width: Width, style: &Style) -> Vec<String> {
        let format = FloatFormat::new(values, width, style, false);
        values.iter().map(|&value| format.format(value)).collect()
    }

    #[test]
    fn digits_that_are_equally_near_are_even() {
        assert_eq!(shortest(255_044_843_900_864.13, Width::Double).0, "25504484390086412");
        assert_eq!(shortest(3818828.25, Width::Single).0, "38188282");
    }

    #[test]
    fn scalars_print_in_the_fewest_digits_of_their_width() {
        for (value, width, expected) in [
            (0.1, Width::Double, "0.1"),
            (1e16, Width::Double, "1e+16"),
            (123456789012345680.0, Width::Double, "1.2345678901234568e+17"),
            (f64::from(0.1f32), Width::Single, "0.1"),
            (f64::from(0.0001f32), Width::Single, "1e-04"),
            (16777216.0, Width::Single, "1.6777216e+07"),
            (half(0x2e66), Width::Half, "0.1"),
            (half(0x0001), Width::Half, "6e-08"),
            (half(0x7bff), Width::Half, "6.55e+04"),
            (half(0x0400), Width::Half, "6.104e-05"),
            (half(0x8000), Width::Half, "-0.0"),
            (half(0xfc00), Width::Half, "-inf"),
            (half(0x7e00), Width::Half, "nan"),
        ] {
            assert_eq!(scalar(value, width, &Style::default()), expected);
        }
        let old = Style { narrow_exponents: false, ..Style::default() };
        assert_eq!(scalar(65504.0, Width::Half, &old), "65500.0");
        assert_eq!(complex_scalar(0.0, -1.5, Width::Double, &old), "-1.5j");
        assert_eq!(complex_scalar(-0.0, f64::NAN, Width::Double, &old), "(-0+nanj)");
    }

    #[test]
    fn elements_share_one_form() {
        let style = Style::default();
        assert_eq!(column(&[0.1, -0.0, 25.0], Width::Double, &style), [" 0.1", "-0. ", "25. "]);
        assert_eq!(column(&[0.1, 1e300], Width::Double, &style), ["1.e-001", "1.e+300"]);
        assert_eq!(column(&[1.0 / 3.0, 1e-5], Width::Double, &style), ["3.33333333e-01", "1.00000000e-05"]);
        assert_eq!(
            column(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY], Width::Double, &style),
            [" nan", " inf", "-inf"]
        );
        assert_eq!(column(&[2.0 / 3.0], Width::Double, &style), ["0.66666667"]);
        assert_eq!(column(&[0.0, f64::NAN], Width::Double, &style), [" 0.", "nan"]);
    }

    #[test]
    fn when_numbers_get_exponents_depends_on_the_release() {
        let single = f64::from(0.0001f32);
        let new = Style::default();
        let old = Style { narrow_exponents: false, weak_floats: false, ..Style::default() };
        assert_eq!(column(&[1e6], Width::Single, &new), ["1.e+06"]);
        assert_eq!(column(&[1e6], Width::Single, &old), ["1000000."]);
        assert_eq!(column(&[single], Width::Single, &new), ["0.0001"]);
        assert_eq!(column(&[single], Width::Single, &old), ["1.e-04"]);
        let older = Style { exact_whole: false, ..old.clone() };
        assert_eq!(column(&[54577072.0], Width::Single, &old), ["54577072."]);
        assert_eq!(column(&[54577072.0], Width::Single, &older), ["54577070."]);
    }
}
