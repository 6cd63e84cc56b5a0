//! Times as a store keeps them: microseconds since 1970, in UTC.

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime, UtcOffset};

/// Microseconds in a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// The present time.
pub(super) fn now() -> i64 {
    micros(OffsetDateTime::now_utc()).unwrap_or_default()
}

fn micros(time: OffsetDateTime) -> Option<i64> {
    i64::try_from(time.unix_timestamp_nanos().div_euclid(1000)).ok()
}

/// What RFC 3339 says.
pub(super) fn parse(text: &str) -> Option<i64> {
    micros(OffsetDateTime::parse(text, &Rfc3339).ok()?)
}

/// As RFC 3339 has it, in UTC, with no more digits than are needed.
pub(super) fn format(micros: i64) -> Option<String> {
    let time = OffsetDateTime::UNIX_EPOCH.checked_add(Duration::microseconds(micros))?;
    time.to_offset(UtcOffset::UTC).format(&Rfc3339).ok()
}

/// The date of a time: `2026-11-22`.
pub(super) fn date(micros: i64) -> String {
    let text = format(micros).unwrap_or_default();
    text.split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_as_they_were() {
        for text in ["2026-11-22T05:30:17Z", "1969-12-31T23:59:59.5Z", "2024-02-29T00:00:00.000001Z"] {
            assert_eq!(format(parse(text).unwrap()).as_deref(), Some(text));
        }
        assert_eq!(parse("2026-11-22T05:30:17+02:00"), parse("2026-11-22T03:30:17Z"));
        assert_eq!(date(parse("2026-11-22T23:59:59.999999Z").unwrap()), "2026-11-22");
        for wrong in ["", "yesterday", "2026-13-01T00:00:00Z", "2026-11-22", "99999-01-01T00:00:00Z"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(format(i64::MAX), None);
    }
}
