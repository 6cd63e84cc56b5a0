//! The exit code.

use super::args::FailOn;
use crate::report::{Group, GroupStatus, Triage};
use std::process::ExitCode;

/// There are groups that the user wants to know of.
const FOUND: u8 = 1;

/// Says by the exit code whether there are groups of the kind that `--fail-on` asks for. Ignored ones do not count.
pub(super) fn exit_code(triage: &Triage, fail_on: FailOn) -> ExitCode {
    let is_new = |group: &Group| group.status != GroupStatus::Known;
    let counts = |group: &Group| match fail_on {
        FailOn::New => is_new(group),
        FailOn::Any => true,
        FailOn::Severity(least) => is_new(group) && group.verdict.severity >= Some(least),
        FailOn::Never => false,
    };
    let found = triage.groups.iter().any(|group| !group.verdict.ignored && counts(group));
    if found { ExitCode::from(FOUND) } else { ExitCode::SUCCESS }
}
