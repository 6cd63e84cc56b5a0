//! Where a store is: a file of SQLite, or a PostgreSQL by URL.

use super::StoreError;
use postgres::Config;
use postgres::config::Host;
use std::error::Error as _;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr as _;

/// The place of a store. What it shows of itself has no password.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A PostgreSQL.
    Postgres(Box<Config>),
}

impl Place {
    /// Reads `postgres://...`, `postgresql://...`, `sqlite:PATH` or a path.
    ///
    /// # Errors
    /// It is empty or another kind of URL. The message does not repeat it, as it may hold a password.
    pub(super) fn parse(text: &str) -> Result<Place, StoreError> {
        let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
            return if text.is_empty() {
                Err(StoreError::Place("it is empty".to_owned()))
            } else {
                Ok(Place::Sqlite(text.into()))
            };
        };
        match scheme.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" if rest.starts_with("//") => postgres(text),
            "sqlite" => match rest.strip_prefix("//").unwrap_or(rest) {
                "" => Err(StoreError::Place("sqlite: has no path behind it".to_owned())),
                path => Ok(Place::Sqlite(path.into())),
            },
            // A path may have a colon in it.
            _ if !rest.starts_with("//") && !scheme.starts_with("postgres") => Ok(Place::Sqlite(text.into())),
            scheme => Err(StoreError::Place(format!(
                "`{scheme}:` is no store; give the path of a SQLite file, sqlite:PATH or postgres://USER@HOST/DATABASE"
            ))),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = match self {
            Place::Sqlite(path) => return path.display().fmt(f),
            Place::Postgres(config) => config,
        };
        f.write_str("postgres://")?;
        if let Some(user) = config.get_user() {
            write!(f, "{user}@")?;
        }
        for (at, host) in config.get_hosts().iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
                Host::Unix(folder) => write!(f, "{comma}{}", folder.display())?,
            }
            if let Some(port) = config.get_ports().get(at).or(config.get_ports().first()) {
                write!(f, ":{port}")?;
            }
        }
        config.get_dbname().map_or(Ok(()), |name| write!(f, "/{name}"))
    }
}

/// # Errors
/// It is no such URL.
fn postgres(url: &str) -> Result<Place, StoreError> {
    let config = Config::from_str(url).map_err(|error| {
        let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        StoreError::Place(format!("the URL of the PostgreSQL cannot be read: {cause}"))
    })?;
    // Of such a password a part would be taken for the host, and shown.
    if config.get_dbname().is_some_and(|name| name.contains('@')) {
        return Err(StoreError::Place(
            "write @ in a user or password of the URL as %40, / as %2F and : as %3A".to_owned(),
        ));
    }
    Ok(Place::Postgres(Box::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_are_told_apart() {
        let place = |text: &str| Place::parse(text).map_err(|error| error.to_string());
        for (text, path) in [
            ("crashes.db", "crashes.db"),
            ("sqlite:crashes.db", "crashes.db"),
            ("sqlite:///var/crashes.db", "/var/crashes.db"),
            ("a:b.db", "a:b.db"),
            ("/a b:c", "/a b:c"),
        ] {
            assert!(
                matches!(place(text), Ok(Place::Sqlite(found)) if found.to_str() == Some(path)),
                "{text}"
            );
        }
        for url in ["postgres://h/d", "postgresql://u:p@h:1/d?sslmode=require"] {
            assert!(matches!(place(url), Ok(Place::Postgres(_))));
        }
        for wrong in [
            "",
            "sqlite:",
            "mysql://u:secret@h/d",
            "https://secret@h",
            "postgres:secret",
            "postgres://u:p@secret/secret@h/d",
            "postgres://u:secret@h:secret/d",
        ] {
            let error = place(wrong).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("postgres://ann:secret@db:5432/crashes", "postgres://ann@db:5432/crashes"),
            ("postgres://ann:se%40cr?et@db/x?password=secret&sslmode=require", "postgres://ann@db:5432/x"),
            ("postgresql:///x?user=ann&password=secret", "postgres://ann@/x"),
            ("postgresql:///x?host=/run/pg&port=5433", "postgres:///run/pg:5433/x"),
            ("postgres://db:5433/x", "postgres://db:5433/x"),
        ] {
            let place = Place::parse(url).unwrap();
            assert_eq!(place.to_string(), shown);
            assert!(!format!("{place:?}").contains("secret"), "{place:?}");
        }
    }
}
