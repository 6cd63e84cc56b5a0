//! A store in a PostgreSQL.

use super::StoreError;
use super::database::{Access, Connection, Failed, Row, Value};
use super::url::Place;
use postgres::error::{DbError, SqlState};
use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls};
use std::error::Error;
use std::time::Duration;

/// The lock that who writes to a store holds: `pycore`, in ASCII.
const LOCK: i64 = 0x7079_636f_7265;
/// How long to wait for an answer to a connection, unless the URL says it.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection to a PostgreSQL.
pub(super) struct Postgres {
    config: Config,
    client: Client,
}

impl Postgres {
    /// Connects. Without a password in the URL, the one in `PGPASSWORD` is used.
    ///
    /// # Errors
    /// It cannot be reached, refuses, or does not keep text as UTF-8.
    pub(super) fn connect(config: &Config) -> Result<Postgres, StoreError> {
        let mut config = config.clone();
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        if config.get_application_name().is_none() {
            config.application_name("pycore");
        }
        if config.get_password().is_none()
            && let Ok(password) = std::env::var("PGPASSWORD")
        {
            config.password(password);
        }
        let place = Place::Postgres(Box::new(config.clone())).to_string();
        let client = client(&config).map_err(|cause| StoreError::Open(place.clone(), said(&cause)))?;
        let mut connected = Postgres { config, client };
        let encoding = connected.query("SELECT current_setting('server_encoding')", &[]);
        match encoding.map(|mut rows| rows.pop().map(|mut row| row.text())) {
            Ok(Some(encoding)) if encoding != "UTF8" => Err(StoreError::Open(
                place,
                format!("its text is {encoding}; the store needs a database of UTF8"),
            )),
            Ok(_) => Ok(connected),
            Err(Failed::Transient(cause)) => Err(StoreError::Open(place, cause)),
            Err(Failed::Final(error)) => Err(error),
        }
    }
}

fn client(config: &Config) -> Result<Client, postgres::Error> {
    let mut client = config.connect(NoTls)?;
    // Nobody waits for ever for a lock or a server that hangs.
    client.batch_execute("SET lock_timeout = '5min'; SET idle_in_transaction_session_timeout = '5min'")?;
    Ok(client)
}

impl Connection for Postgres {
    fn script(&mut self, sql: &str) -> Result<(), Failed> {
        self.client.batch_execute(sql).map_err(failed)
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<(), Failed> {
        self.client.execute(sql, &parameters(values)).map(drop).map_err(failed)
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Failed> {
        let rows = self.client.query(sql, &parameters(values)).map_err(failed)?;
        rows.iter()
            .map(|row| Ok(Row::new((0..row.len()).map(|at| row.try_get(at)).collect::<Result<_, _>>()?)))
            .collect::<Result<_, _>>()
            .map_err(failed)
    }

    fn has_table(&mut self, name: &str) -> Result<bool, Failed> {
        // Not by to_regclass: what it did not find before, it may not find behind a lock either.
        let sql = "SELECT relname::text FROM pg_catalog.pg_class \
                   WHERE relname::text = $1 AND relkind IN ('r', 'p') AND pg_catalog.pg_table_is_visible(oid)";
        Ok(!self.query(sql, &[name.into()])?.is_empty())
    }

    fn begin(&mut self, access: Access) -> Result<(), Failed> {
        match access {
            Access::Read => self.script("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"),
            // Each statement behind the lock sees what others wrote before.
            Access::Write => self.script(&format!(
                "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; SELECT pg_advisory_xact_lock({LOCK})"
            )),
        }
    }

    fn restore(&mut self) -> Result<(), Failed> {
        if self.client.is_closed() {
            self.client = client(&self.config).map_err(failed)?;
        }
        Ok(())
    }
}

fn parameters(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(value) => value.to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT | Type::VARCHAR)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Value, Box<dyn Error + Sync + Send>> {
        if *kind == Type::INT8 {
            i64::from_sql(kind, raw).map(Value::Int)
        } else {
            String::from_sql(kind, raw).map(Value::Text)
        }
    }

    fn from_sql_null(_: &Type) -> Result<Value, Box<dyn Error + Sync + Send>> {
        Ok(Value::Null)
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::TEXT | Type::VARCHAR | Type::NAME)
    }
}

/// What the server says, with the detail that it gives; of the rest the whole chain.
fn said(error: &postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    text
}

fn failed(error: postgres::Error) -> Failed {
    let transient = error.is_closed() || error.as_db_error().map(DbError::code).is_some_and(is_transient);
    let lost = error.source().is_some_and(|cause| cause.is::<std::io::Error>());
    let text = said(&error);
    if transient || lost { Failed::Transient(text) } else { Failed::Final(StoreError::Database(text)) }
}

fn is_transient(code: &SqlState) -> bool {
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ]
    .contains(code)
}
