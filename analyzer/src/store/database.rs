//! SQLite and PostgreSQL behind one face: statements that both understand, and transactions that are tried again.

use super::url::Place;
use super::{StoreError, postgresql, sqlite};
use std::time::Duration;

/// A value of a row, or one that goes into a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// No value.
    Null,
    /// An integer: all of them are `BIGINT`.
    Int(i64),
    /// A string.
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Int(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// A row of an answer, read from the left.
pub(super) struct Row(std::vec::IntoIter<Value>);

impl Row {
    /// The row of these values.
    pub(super) fn new(values: Vec<Value>) -> Row {
        Row(values.into_iter())
    }

    /// The next value, a string; empty where there is none.
    pub(super) fn text(&mut self) -> String {
        self.text_if_any().unwrap_or_default()
    }

    /// The next value, a string.
    pub(super) fn text_if_any(&mut self) -> Option<String> {
        match self.0.next() {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The next value, an integer; 0 where there is none.
    pub(super) fn int(&mut self) -> i64 {
        self.int_if_any().unwrap_or_default()
    }

    /// The next value, an integer.
    pub(super) fn int_if_any(&mut self) -> Option<i64> {
        match self.0.next() {
            Some(Value::Int(value)) => Some(value),
            _ => None,
        }
    }

    /// The next value, how many of something.
    pub(super) fn count(&mut self) -> usize {
        usize::try_from(self.int()).unwrap_or_default()
    }
}

/// Why a statement or a transaction failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// Others were in the way, or the connection was lost: it may succeed when tried again.
    Transient(String),
    /// It would fail again.
    Final(StoreError),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        Failed::Final(error)
    }
}

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Read, as of one moment.
    Read,
    /// Read and write, while nobody else writes.
    Write,
}

/// A connection to a database. Placeholders are `$1`, `$2`, ...
pub(super) trait Connection {
    /// Runs statements that have no placeholders.
    fn script(&mut self, sql: &str) -> Result<(), Failed>;
    /// Runs a statement.
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<(), Failed>;
    /// Runs a statement that answers with rows.
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Failed>;
    /// Whether a table of the store is there.
    fn has_table(&mut self, name: &str) -> Result<bool, Failed>;
    /// Begins a transaction. For one that writes it waits until nobody else writes.
    fn begin(&mut self, access: Access) -> Result<(), Failed>;
    /// Makes a connection anew where it was lost.
    fn restore(&mut self) -> Result<(), Failed>;
}

/// How often a transaction is tried.
const TRIES: u32 = 8;

/// Connects.
///
/// # Errors
/// It cannot be reached or is none, or, unless it is to be created, is not there.
pub(super) fn connect(place: &Place, create: bool) -> Result<Box<dyn Connection + Send>, StoreError> {
    Ok(match place {
        Place::Sqlite(path) => Box::new(sqlite::Sqlite::open(path, create)?),
        Place::Postgres(config) => Box::new(postgresql::Postgres::connect(config)?),
    })
}

/// Runs `body` in a transaction: all of it is done, or nothing. What others prevented is tried again, so `body` starts
/// from nothing each time.
///
/// # Errors
/// What `body` says, or the last of the failures.
pub(super) fn transaction<T>(
    connection: &mut dyn Connection,
    access: Access,
    mut body: impl FnMut(&mut dyn Connection) -> Result<T, Failed>,
) -> Result<T, StoreError> {
    let mut tried = 0;
    loop {
        let done = connection.begin(access).and_then(|()| {
            let done = body(connection)?;
            connection.script("COMMIT")?;
            Ok(done)
        });
        let failed = match done {
            Ok(done) => return Ok(done),
            Err(failed) => failed,
        };
        // Where the connection is lost, so is the transaction.
        let _ = connection.script("ROLLBACK");
        tried += 1;
        match failed {
            Failed::Final(error) => return Err(error),
            Failed::Transient(cause) if tried >= TRIES => return Err(StoreError::Database(cause)),
            Failed::Transient(cause) => {
                log::info!("the store is tried again: {cause}");
                std::thread::sleep(pause(tried));
                if let Err(Failed::Final(error)) = connection.restore() {
                    log::info!("{error}");
                }
            }
        }
    }
}

/// How long to wait before another try: longer each time, and not the same in each process.
fn pause(tried: u32) -> Duration {
    let spread = std::process::id().wrapping_mul(2_654_435_761) >> 26;
    Duration::from_millis((20 << tried.min(8)) + u64::from(spread))
}

/// `$1, $2, ...` for `count` values from the `first` on.
pub(super) fn placeholders(first: usize, count: usize) -> String {
    let all: Vec<String> = (first..first + count).map(|number| format!("${number}")).collect();
    all.join(", ")
}

/// Inserts rows of `width` values each, as many at a time as both databases take. `statement` is what stands before
/// `VALUES`, `conflict` what behind them.
pub(super) fn insert(
    connection: &mut dyn Connection,
    statement: &str,
    conflict: &str,
    width: usize,
    values: &[Value],
) -> Result<(), Failed> {
    const AT_ONCE: usize = 200;
    let width = width.max(1);
    for rows in values.chunks(AT_ONCE * width) {
        let groups: Vec<String> = (0..rows.len() / width)
            .map(|row| format!("({})", placeholders(row * width + 1, width)))
            .collect();
        connection.execute(&format!("{statement} VALUES {} {conflict}", groups.join(", ")), rows)?;
    }
    Ok(())
}

/// Asks for the rows that have any of `keys`: `sql` has `{}` where their list belongs, and `values` stand before them.
pub(super) fn query_keys<'a>(
    connection: &mut dyn Connection,
    sql: &str,
    values: &[Value],
    keys: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Row>, Failed> {
    const AT_ONCE: usize = 500;
    let keys: Vec<Value> = keys.into_iter().map(Value::from).collect();
    let mut rows = Vec::new();
    for keys in keys.chunks(AT_ONCE) {
        let sql = sql.replace("{}", &placeholders(values.len() + 1, keys.len()));
        rows.extend(connection.query(&sql, &[values, keys].concat())?);
    }
    Ok(rows)
}
