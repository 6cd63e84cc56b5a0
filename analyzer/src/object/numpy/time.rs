//! `datetime64` and `timedelta64`: counts of a unit, as numpy/core/src/multiarray/datetime_strings.c writes them.

/// Not a time: `NPY_DATETIME_NAT`.
pub(super) const NAT: i64 = i64::MIN;

/// The unit of a count: `NPY_DATETIMEUNIT`, numpy/ndarraytypes.h, and how many of it one step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// `NPY_DATETIMEUNIT`.
    pub(super) base: i64,
    /// How many.
    pub(super) count: i64,
}

/// Months in a year, and so on: `NPY_FR_Y` is 0, 3 is no longer a unit.
const NAMES: [(i64, &str); 14] = [
    (0, "Y"),
    (1, "M"),
    (2, "W"),
    (4, "D"),
    (5, "h"),
    (6, "m"),
    (7, "s"),
    (8, "ms"),
    (9, "us"),
    (10, "ns"),
    (11, "ps"),
    (12, "fs"),
    (13, "as"),
    (14, "generic"),
];
const YEAR: i64 = 0;
const MONTH: i64 = 1;
const WEEK: i64 = 2;
const DAY: i64 = 4;
const HOUR: i64 = 5;
const MINUTE: i64 = 6;
const SECOND: i64 = 7;
const GENERIC: i64 = 14;

impl Unit {
    /// Whether it says nothing of what is counted.
    pub(super) fn is_generic(self) -> bool {
        self.base == GENERIC
    }

    /// As dtypes name it, without brackets: `D`, `25s`.
    pub(super) fn name(self) -> Option<String> {
        let (_, name) = NAMES.iter().find(|(base, _)| *base == self.base)?;
        Some(if self.count == 1 { (*name).to_owned() } else { format!("{}{name}", self.count) })
    }

    /// Whether `datetime64` gives the unit away only by an argument of its own (`datetimetype_repr`).
    pub(super) fn is_named_in_repr(self) -> bool {
        !(self.is_generic() || (self.count == 1 && self.base != HOUR))
    }

    /// A point in time in ISO 8601, as exact as the unit is.
    pub(super) fn iso(self, value: i64) -> Option<String> {
        if value == NAT {
            return Some("NaT".to_owned());
        }
        let total = i128::from(value).checked_mul(i128::from(self.count))?;
        match self.base {
            YEAR => Some(year_text(total + 1970)),
            MONTH => {
                Some(format!("{}-{:02}", year_text(total.div_euclid(12) + 1970), total.rem_euclid(12) + 1))
            }
            WEEK => date(total.checked_mul(7)?),
            DAY => date(total),
            HOUR => Some(format!("{}T{:02}", date(total.div_euclid(24))?, total.rem_euclid(24))),
            MINUTE => {
                let minute = total.rem_euclid(1440);
                Some(format!("{}T{:02}:{:02}", date(total.div_euclid(1440))?, minute / 60, minute % 60))
            }
            SECOND => clock(total),
            8..=13 => {
                let digits = 3 * (self.base - SECOND) as u32;
                let scale = 10i128.pow(digits);
                let fraction = total.rem_euclid(scale);
                Some(format!("{}.{fraction:01$}", clock(total.div_euclid(scale))?, digits as usize))
            }
            _ => None,
        }
    }
}

/// At least four digits, the sign counted in.
fn year_text(year: i128) -> String {
    format!("{year:04}")
}

fn clock(seconds: i128) -> Option<String> {
    let second = seconds.rem_euclid(86_400);
    Some(format!(
        "{}T{:02}:{:02}:{:02}",
        date(seconds.div_euclid(86_400))?,
        second / 3600,
        second / 60 % 60,
        second % 60
    ))
}

/// The date that many days after 1970-01-01 in the proleptic Gregorian calendar.
fn date(days: i128) -> Option<String> {
    // Counted in eras of 400 years from 0000-03-01, so that leap days end a year.
    let days = days.checked_add(719_468)?;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    Some(format!("{}-{month:02}-{day:02}", year_text(era * 400 + year_of_era + next_year)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_are_as_exact_as_their_unit() {
        for (base, count, value, expected) in [
            (0, 1, 54, "2024"),
            (1, 1, -1, "1969-12"),
            (2, 1, 1, "1970-01-08"),
            (4, 1, 19_782, "2024-02-29"),
            (4, 1, 0, "1970-01-01"),
            (4, 1, -719_529, "-001-12-31"),
            (5, 6, 2, "1970-01-01T12"),
            (6, 1, -1, "1969-12-31T23:59"),
            (7, 1, 1_709_210_096, "2024-02-29T12:34:56"),
            (8, 1, -1, "1969-12-31T23:59:59.999"),
            (10, 1, 1, "1970-01-01T00:00:00.000000001"),
            (4, 1, NAT, "NaT"),
        ] {
            assert_eq!(Unit { base, count }.iso(value).unwrap(), expected);
        }
        assert_eq!(Unit { base: 3, count: 1 }.iso(0), None);
        assert_eq!(Unit { base: 7, count: 25 }.name().unwrap(), "25s");
    }

    #[test]
    fn the_farthest_times_do_not_overflow() {
        for base in 0..14 {
            let unit = Unit { base, count: i64::from(i32::MAX) };
            for value in [i64::MAX, -i64::MAX] {
                assert_eq!(unit.iso(value).is_some(), base != 3, "{base}");
            }
        }
    }
}
