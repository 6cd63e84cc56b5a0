//! The history of groups: a database of runs, the dumps that they met, and the groups that these belong to.
//!
//! A group keeps its identity by its exact fingerprints: each belongs to one group for good, and groups that a run finds to
//! be one are joined. A dump counts once, in however many runs it is met; to record a run again changes nothing. All
//! statements are for SQLite and PostgreSQL alike.

mod database;
mod history;
mod identity;
mod join;
mod marks;
mod migrate;
mod postgresql;
mod record;
mod release;
mod sqlite;
#[cfg(test)]
mod tests;

mod text;
mod time;
mod trend;
mod url;

use database::{Access, Connection, Failed};
use thiserror::Error;
use url::Place;

/// Why a store cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// What was given is no store.
    #[error("no store: {0}")]
    Place(String),
    /// There is no such file.
    #[error("there is no store at {0}; `pycore triage --store` makes one when it records a run")]
    Missing(String),
    /// It cannot be opened or reached.
    #[error("cannot open the store {0}: {1}")]
    Open(String, String),
    /// It is a database of something else.
    #[error("{0} is a database, but no store of pycore, and is left alone")]
    Foreign(String),
    /// A later pycore made it.
    #[error(
        "the store has schema version {found}, made by a newer pycore; this one knows versions up to {known}: update it"
    )]
    Newer {
        /// The version that the store has.
        found: i64,
        /// The newest one that this pycore knows.
        known: i64,
    },
    /// The store has no such group.
    #[error("the store has no group {0}")]
    NoGroup(String),
    /// Several groups begin with what was given.
    #[error("{0} may be any of: {1}")]
    Ambiguous(String, String),
    /// The database failed.
    #[error("the store failed: {0}")]
    Database(String),
}

/// A run of triage, as its caller knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// What it is called. Runs of the same name are one: a job that is split over machines, or that is tried again. Without
    /// one it is known by what it found.
    pub id: Option<String>,
    /// The release of the program that crashed.
    pub release: Option<String>,
    /// Whether a baseline tells which groups are known. Else those are that another run met before.
    pub baseline: bool,
}

/// What was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Groups that the store did not know.
    pub new_groups: usize,
    /// Groups that were seen again after they were marked as fixed.
    pub regressed: usize,
    /// Groups of the store that turned out to be parts of others.
    pub joined: usize,
    /// Dumps that the store did not have.
    pub new_dumps: usize,
}

/// A store that is open.
pub struct Store {
    connection: Box<dyn Connection + Send>,
    place: Place,
}

impl Store {
    /// Opens a store, and makes it where there is none: the path of a SQLite file, `sqlite:PATH`, or
    /// `postgres://USER:PASSWORD@HOST/DATABASE`. An older schema is brought up to date.
    ///
    /// # Errors
    /// It cannot be opened, is something else, or was made by a newer pycore.
    pub fn open(url: &str) -> Result<Store, StoreError> {
        Store::at(Place::parse(url)?, true)
    }

    /// Opens a store that is there; else as [`Store::open`].
    ///
    /// # Errors
    /// As [`Store::open`]; there is no such file.
    pub fn open_existing(url: &str) -> Result<Store, StoreError> {
        Store::at(Place::parse(url)?, false)
    }

    fn at(place: Place, create: bool) -> Result<Store, StoreError> {
        let mut connection = database::connect(&place, create)?;
        migrate::migrate(connection.as_mut())?;
        Ok(Store { connection, place })
    }

    fn read<T>(
        &mut self,
        body: impl FnMut(&mut dyn Connection) -> Result<T, Failed>,
    ) -> Result<T, StoreError> {
        database::transaction(self.connection.as_mut(), Access::Read, body)
    }

    fn write<T>(
        &mut self,
        body: impl FnMut(&mut dyn Connection) -> Result<T, Failed>,
    ) -> Result<T, StoreError> {
        database::transaction(self.connection.as_mut(), Access::Write, body)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("place", &self.place).finish_non_exhaustive()
    }
}
