//! Bringing the schema of a store up to date.
//!
//! The steps are files of SQL; a table says which were taken. The crates for this (refinery, rusqlite_migration) know no
//! lock: of several processes that open a new store at once, all but one would fail.

use super::database::{Access, Connection, Failed, transaction};
use super::{StoreError, time};

/// The steps, in order. A step is never changed once it was given away.
const STEPS: [&str; 2] =
    [include_str!("migrations/0001-groups.sql"), include_str!("migrations/0002-marks.sql")];

/// The newest version of the schema that is known here.
pub(super) const NEWEST: i64 = STEPS.len() as i64;

/// Takes the steps that the store has not seen.
///
/// # Errors
/// The store is newer than this pycore, or a step fails; then nothing was changed.
pub(super) fn migrate(connection: &mut dyn Connection) -> Result<(), StoreError> {
    migrate_to(connection, NEWEST)
}

fn migrate_to(connection: &mut dyn Connection, wanted: i64) -> Result<(), StoreError> {
    // Mostly there is nothing to do, and who may only read can find that out.
    if transaction(connection, Access::Read, version)? == wanted {
        return Ok(());
    }
    transaction(connection, Access::Write, |connection| {
        let found = version(connection)?;
        if found == 0 {
            connection
                .script("CREATE TABLE triage_schema (version BIGINT PRIMARY KEY, taken BIGINT NOT NULL)")?;
        }
        for (version, step) in (1..=wanted).zip(STEPS).filter(|(version, _)| *version > found) {
            connection.script(step)?;
            connection.execute(
                "INSERT INTO triage_schema (version, taken) VALUES ($1, $2)",
                &[version.into(), time::now().into()],
            )?;
        }
        Ok(())
    })
}

/// The version of the schema; 0 of an empty database.
fn version(connection: &mut dyn Connection) -> Result<i64, Failed> {
    if !connection.has_table("triage_schema")? {
        return Ok(0);
    }
    let rows = connection.query("SELECT MAX(version) FROM triage_schema", &[])?;
    let found = rows.into_iter().next().map(|mut row| row.int()).unwrap_or_default();
    if found > NEWEST {
        return Err(StoreError::Newer { found, known: NEWEST }.into());
    }
    Ok(found)
}
