//! Rules, CODEOWNERS and a baseline: what is said of groups.

use super::args::WorkArgs;
use crate::report::Triage;
use crate::triage::GroupOptions;
use crate::triage::baseline::Baseline;
use crate::triage::codeowners::CodeOwners;
use crate::triage::rules::Rules;
use anyhow::{Context as _, Result};
use std::path::Path;
use time::{Date, OffsetDateTime};

/// All that judges groups.
#[derive(Debug)]
pub(super) struct Judges {
    rules: Rules,
    owners: Option<CodeOwners>,
    baseline: Option<Baseline>,
}

impl Judges {
    /// Reads the files that are named, before any work is done.
    ///
    /// # Errors
    /// When one cannot be read or is not what it should be.
    pub(super) fn read(args: &WorkArgs, codeowners: Option<&Path>, baseline: Option<&Path>) -> Result<Self> {
        let owners = codeowners
            .map(|path| CodeOwners::read(path).with_context(|| format!("cannot read {}", path.display())));
        let baseline = baseline.map(|path| {
            Baseline::read(path).with_context(|| format!("cannot use the baseline {}", path.display()))
        });
        Ok(Self {
            rules: args.rules.as_deref().map(Rules::read).transpose()?.unwrap_or_default(),
            owners: owners.transpose()?,
            baseline: baseline.transpose()?,
        })
    }

    /// Whether entries need the names and types of variables.
    pub(super) fn want_locals(&self) -> bool {
        self.rules.wants_locals()
    }

    /// How groups are made.
    pub(super) fn grouping(&self, similar: bool) -> GroupOptions {
        GroupOptions { similar, frames: self.rules.frames().clone() }
    }

    /// Says what is to be said of each group.
    pub(super) fn judge(&self, triage: &mut Triage) {
        self.rules.apply(triage, today());
        if let Some(owners) = &self.owners {
            owners.apply(triage, self.rules.frames());
        }
        if let Some(baseline) = &self.baseline {
            baseline.apply(triage);
        }
    }
}

/// The day, in UTC.
pub(super) fn today() -> Date {
    OffsetDateTime::now_utc().date()
}
