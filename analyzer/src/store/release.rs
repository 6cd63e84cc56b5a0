//! The order of releases.

use std::cmp::Ordering;

/// A part of a release: `2`, `10`, `rc`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// Letters: before the end, as in `2.0rc1`.
    Letters(&'a str),
    /// What stands behind the last part.
    End,
    /// A number, without its leading zeros: the longer is the greater.
    Number(usize, &'a str),
}

/// Which of two releases is the later: numbers count as numbers, and letters come before the release that they lead to
/// (`2.0rc1` before `2.0` before `2.0.1`).
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (parts(one), parts(other));
    loop {
        let (left, right) = (one.next(), other.next());
        if left.is_none() && right.is_none() {
            return Ordering::Equal;
        }
        let (left, right) = (left.unwrap_or(Part::End), right.unwrap_or(Part::End));
        // `2` is `2.0`.
        let is_nothing = |part: &Part<'_>| matches!(part, Part::End | Part::Number(0, _));
        let order = if is_nothing(&left) && is_nothing(&right) { Ordering::Equal } else { left.cmp(&right) };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    // Behind `+` stands of what it was built.
    let mut rest = text.trim().trim_start_matches(['v', 'V']).split('+').next().unwrap_or_default();
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let is_number = rest.starts_with(|c: char| c.is_ascii_digit());
        let same = |c: char| c.is_alphanumeric() && c.is_ascii_digit() == is_number;
        let (part, behind) = rest.split_at(rest.find(|c| !same(c)).unwrap_or(rest.len()));
        rest = behind;
        match part {
            "" => None,
            part if is_number => {
                let digits = part.trim_start_matches('0');
                Some(Part::Number(digits.len(), digits))
            }
            part => Some(Part::Letters(part)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_ordered_as_people_do() {
        let ordered = [
            "1.9", "1.10", "2.0.dev3", "2.0a2", "2.0rc1", "2.0-rc.2", "2.0", "2.0.1", "2.1", "10", "2026.11",
        ];
        for (at, one) in ordered.iter().enumerate() {
            for (other_at, other) in ordered.iter().enumerate() {
                // What letters mean is their alphabet's order, in which `dev` is behind `a`.
                if !(one.contains("dev") || other.contains("dev")) {
                    assert_eq!(compare(one, other), at.cmp(&other_at), "{one} {other}");
                }
            }
        }
        for (one, other) in [("v1.2", "1.2"), ("1.02", "1.2"), ("1.2+abc", "1.2"), ("2", "2.0.0"), ("", "")] {
            assert_eq!(compare(one, other), Ordering::Equal, "{one} {other}");
        }
        assert_eq!(compare("99999999999999999999999999", "99999999999999999999999998"), Ordering::Greater);
    }
}
