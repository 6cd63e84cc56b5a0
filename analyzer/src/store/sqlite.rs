//! A store in a file of SQLite.

use super::StoreError;
use super::database::{Access, Connection, Failed, Row, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OpenFlags, Statement, ToSql};
use std::path::Path;
use std::time::Duration;

/// `pycr`: what tells a store from other databases (`application_id` in the file's header).
const APPLICATION: i64 = 0x7079_6372;
/// How long to wait for others that write.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a file of SQLite.
pub(super) struct Sqlite(rusqlite::Connection);

impl Sqlite {
    /// Opens a file, or creates it.
    ///
    /// # Errors
    /// It cannot be opened or created, is none of SQLite, or has the tables of something else.
    pub(super) fn open(path: &Path, create: bool) -> Result<Sqlite, StoreError> {
        let cannot = |cause: rusqlite::Error| StoreError::Open(path.display().to_string(), cause.to_string());
        if !create && !path.exists() {
            return Err(StoreError::Missing(path.display().to_string()));
        }
        // Without OpenFlags::SQLITE_OPEN_URI: a path is a path.
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
        let connection = rusqlite::Connection::open_with_flags(path, flags).map_err(cannot)?;
        connection.busy_timeout(PATIENCE).map_err(cannot)?;
        // What a file says that somebody else made is not run.
        connection
            .execute_batch("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")
            .map_err(cannot)?;
        connection.execute_batch("PRAGMA foreign_keys = ON").map_err(cannot)?;
        let asked = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(cannot);
        if asked("PRAGMA application_id")? != APPLICATION && asked("SELECT count(*) FROM sqlite_schema")? > 0
        {
            return Err(StoreError::Foreign(path.display().to_string()));
        }
        Ok(Sqlite(connection))
    }

    fn prepared(&self, sql: &str, values: &[Value]) -> Result<Statement<'_>, Failed> {
        let mut statement = self.0.prepare(sql).map_err(failed)?;
        for (at, value) in values.iter().enumerate() {
            if let Some(index) = statement.parameter_index(&format!("${}", at + 1)).map_err(failed)? {
                statement.raw_bind_parameter(index, value).map_err(failed)?;
            }
        }
        Ok(statement)
    }
}

impl Connection for Sqlite {
    fn script(&mut self, sql: &str) -> Result<(), Failed> {
        self.0.execute_batch(sql).map_err(failed)
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<(), Failed> {
        self.prepared(sql, values)?.raw_execute().map(drop).map_err(failed)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Failed> {
        let mut statement = self.prepared(sql, values)?;
        let columns = statement.column_count();
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let values = (0..columns).map(|at| Ok(value(row.get_ref(at)?)));
            found.push(Row::new(values.collect::<Result<_, rusqlite::Error>>().map_err(failed)?));
        }
        Ok(found)
    }

    fn has_table(&mut self, name: &str) -> Result<bool, Failed> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1";
        Ok(!self.query(sql, &[name.into()])?.is_empty())
    }

    fn begin(&mut self, access: Access) -> Result<(), Failed> {
        self.script(match access {
            Access::Read => "BEGIN DEFERRED",
            Access::Write => "BEGIN IMMEDIATE",
        })?;
        if access == Access::Write {
            self.script(&format!("PRAGMA application_id = {APPLICATION}"))?;
        }
        Ok(())
    }

    fn restore(&mut self) -> Result<(), Failed> {
        Ok(())
    }
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Text(text) | ValueRef::Blob(text) => {
            Value::Text(String::from_utf8_lossy(text).into_owned())
        }
        ValueRef::Null | ValueRef::Real(_) => Value::Null,
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Int(value) => ToSqlOutput::Borrowed(ValueRef::Integer(*value)),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

fn failed(error: rusqlite::Error) -> Failed {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Failed::Transient(error.to_string()),
        _ => Failed::Final(StoreError::Database(error.to_string())),
    }
}
