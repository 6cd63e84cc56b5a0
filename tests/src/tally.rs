//! Counts of what was compared, over all tests.

use crate::compare::Share;
use std::collections::BTreeMap;
use std::fmt;

/// The share of the values of promised types that must be as Python printed them.
pub const SHARE: f64 = 0.99;
/// The same where nothing but the core is at hand.
pub const SHARE_ALONE: f64 = 0.97;

/// What was compared in one core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Python frames whose function, file, line and known qualified name are right.
    pub frames_right: usize,
    /// Python frames that are wrong, missing or too many.
    pub frames_wrong: usize,
    /// Values of promised types that are as Python printed them.
    pub values_right: usize,
    /// Values of promised types that are not, and say so.
    pub values_noted: usize,
    /// Values that are wrong or missing and do not say so.
    pub values_wrong: usize,
    /// Values of other types, or with a Python-coded repr, that are right.
    pub beyond_right: usize,
    /// Values of other types, or with a Python-coded repr, that are not, and say so.
    pub beyond_noted: usize,
    /// Exceptions compared.
    pub exceptions: usize,
}

impl Tally {
    /// Adds the counts of another core.
    pub fn add(&mut self, other: Tally) {
        self.frames_right += other.frames_right;
        self.frames_wrong += other.frames_wrong;
        self.values_right += other.values_right;
        self.values_noted += other.values_noted;
        self.values_wrong += other.values_wrong;
        self.beyond_right += other.beyond_right;
        self.beyond_noted += other.beyond_noted;
        self.exceptions += other.exceptions;
    }

    /// Only the frames: ten thousand times the same few values would hide all others.
    pub fn frames(self) -> Tally {
        Tally { frames_right: self.frames_right, frames_wrong: self.frames_wrong, ..Tally::default() }
    }

    /// The share of the values of promised types that are right, from 0 to 1.
    pub fn share_right(&self) -> f64 {
        let all = self.values_right + self.values_noted + self.values_wrong;
        if all == 0 { 1.0 } else { self.values_right as f64 / all as f64 }
    }
}

/// Tallies by interpreter.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: BTreeMap<(Vec<u32>, String), Tally>,
    types: BTreeMap<String, Share>,
}

impl Table {
    /// Adds the counts of a core of this interpreter, whose name begins with its version.
    pub fn add(&mut self, python: &str, tally: Tally) {
        let version = python.split(['.', '-']).map_while(|part| part.parse().ok()).collect();
        self.rows.entry((version, python.to_owned())).or_default().add(tally);
    }

    /// Adds the counts of a core by promised type.
    pub fn add_types(&mut self, types: &BTreeMap<String, Share>) {
        for (name, share) in types {
            let sum = self.types.entry(name.clone()).or_default();
            sum.right += share.right;
            sum.all += share.all;
        }
    }

    /// Prints the table, if any core was compared, and says whether enough values are right: this share of all.
    pub fn conclude(&self, enough: f64) -> bool {
        if self.rows.is_empty() {
            return true;
        }
        println!("{self}");
        let share = self.total().share_right();
        if share < enough {
            println!("only {:.2} % of the values of promised types are right", 100.0 * share);
        }
        share >= enough
    }

    /// Prints the promised types of which not all values are right, and says whether some of each are, so that a rare
    /// one cannot hide among the others.
    pub fn has_some_of_each(&self) -> bool {
        let mut has_some = true;
        for (name, share) in &self.types {
            if share.right == 0 {
                has_some = false;
                println!("{name}: none of {} is right", share.all);
            } else if share.right < share.all {
                println!("{name}: {} of {} are right", share.right, share.all);
            }
        }
        has_some
    }

    /// The sum over all interpreters.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.rows.values() {
            total.add(*tally);
        }
        total
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16}{:>9}{:>7}{:>10}{:>7}{:>7}{:>9}{:>8}{:>7}{:>12}",
            "python",
            "frames",
            "wrong",
            "values",
            "noted",
            "wrong",
            "% right",
            "beyond",
            "noted",
            "exceptions"
        )?;
        let total = self.total();
        let rows = self.rows.iter().map(|((_, name), tally)| (name.as_str(), tally));
        for (name, tally) in rows.chain(std::iter::once(("all", &total))) {
            writeln!(
                f,
                "{:<16}{:>9}{:>7}{:>10}{:>7}{:>7}{:>9.2}{:>8}{:>7}{:>12}",
                name,
                tally.frames_right,
                tally.frames_wrong,
                tally.values_right,
                tally.values_noted,
                tally.values_wrong,
                100.0 * tally.share_right(),
                tally.beyond_right,
                tally.beyond_noted,
                tally.exceptions
            )?;
        }
        Ok(())
    }
}
