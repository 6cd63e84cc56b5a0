//! Stores of other versions, and files that are none.

use super::databases::{on_each, postgresql};
use super::{TUESDAY, triage};
use crate::report::{GroupState, GroupStatus};
use crate::store::{Run, Store, StoreError, database, migrate};
use std::fs;

/// A store as the first version of the schema had it, as statements.
const FIRST_VERSION: &str = include_str!("../../../tests/data/store-1.sql");

/// What the store of the first version holds is there, and what came later works.
fn is_whole(url: &str) {
    let mut store = Store::open_existing(url).unwrap();
    let group = store.group("v1:00aa").unwrap();
    assert_eq!((group.group.count, group.group.runs, group.joined.len()), (3, 2, 1));
    assert_eq!(group.dumps[0].host.as_deref(), Some("web-2"));
    assert_eq!(group.group.state, GroupState::Open);
    let mut found = triage(&[&[("new", TUESDAY, "v1:00ab")]]);
    store.record(&mut found, &Run { release: Some("2.0".to_owned()), ..Run::default() }).unwrap();
    assert_eq!((&*found.groups[0].id, found.groups[0].status), ("v1:00aa", GroupStatus::Known));
    store.mark("v1:00aa", true, Some("2.1"), None).unwrap();
    assert_eq!(store.group("v1:00aa").unwrap().releases[0].value, "2.0");
}

#[test]
fn a_store_of_the_first_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch("PRAGMA application_id = 1887003506").unwrap();
    old.execute_batch(FIRST_VERSION).unwrap();
    drop(old);
    is_whole(path.to_str().unwrap());
    // And as a file.
    fs::write(&path, include_bytes!("../../../tests/data/store-1.db")).unwrap();
    is_whole(path.to_str().unwrap());
    if let Some(url) = postgresql() {
        postgres::Client::connect(&url, postgres::NoTls).unwrap().batch_execute(FIRST_VERSION).unwrap();
        is_whole(&url);
    }
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    on_each(|url| {
        let mut store = Store::open(url).unwrap();
        let newer = migrate::NEWEST + 1;
        store.connection.script(&format!("INSERT INTO triage_schema VALUES ({newer}, 0)")).unwrap();
        drop(store);
        let error = Store::open(url).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found, .. } if found == newer), "{error}");
        assert!(error.to_string().contains("newer pycore"), "{error}");
    });
}

#[test]
fn a_step_that_fails_changes_nothing() {
    on_each(|url| {
        let place = super::super::url::Place::parse(url).unwrap();
        let mut connection = database::connect(&place, true).unwrap();
        // The second step makes this table.
        connection.script("PRAGMA application_id = 1887003506").ok();
        connection.script("CREATE TABLE triage_mark (x BIGINT)").unwrap();
        assert!(matches!(migrate::migrate(connection.as_mut()), Err(StoreError::Database(_))));
        assert!(!connection.has_table("triage_dump").unwrap());
        connection.script("DROP TABLE triage_mark").unwrap();
        migrate::migrate(connection.as_mut()).unwrap();
    });
}

#[test]
fn what_is_no_store_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let url = path.to_str().unwrap();
    assert!(matches!(Store::open_existing(url), Err(StoreError::Missing(_))));
    assert!(!path.exists());
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE users (name TEXT)").unwrap();
    for bytes in [fs::read(&path).unwrap(), b"no database, but longer than its header would be".repeat(100)] {
        fs::write(&path, &bytes).unwrap();
        let error = Store::open(url).unwrap_err();
        assert!(matches!(error, StoreError::Foreign(_) | StoreError::Open(..)), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    let error = Store::open(folder.path().join("no/such.db").to_str().unwrap()).unwrap_err();
    assert!(error.to_string().contains("no/such.db"), "{error}");
}
