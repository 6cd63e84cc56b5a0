//! The databases that tests run on.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A PostgreSQL that ends with this process, as its standard input does.
struct Server {
    _process: Child,
    url: String,
}

/// The URL of the superuser's database on a PostgreSQL, if one is installed.
fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("scripts/test-postgres");
        let mut process = Command::new(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        if url.is_empty() {
            let status = process.wait().unwrap();
            assert_eq!(status.code(), Some(3), "scripts/test-postgres failed");
            eprintln!("skipped on PostgreSQL: scripts/setup-tests installs it");
            return None;
        }
        Some(Server { _process: process, url: url.trim_end().to_owned() })
    });
    server.as_ref().map(|server| server.url.as_str())
}

/// The URL of a new, empty database of PostgreSQL, if it is installed.
pub(super) fn postgresql() -> Option<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let url = server()?;
    let name = format!("store{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut client = postgres::Client::connect(url, postgres::NoTls).unwrap();
    client.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    Some(url.replace("/postgres", &format!("/{name}")))
}

/// Runs a test on a new SQLite file, and on a new database of PostgreSQL.
pub(super) fn on_each(test: impl Fn(&str)) {
    let folder = tempfile::tempdir().unwrap();
    test(folder.path().join("store.db").to_str().unwrap());
    if let Some(url) = postgresql() {
        test(&url);
    }
}
