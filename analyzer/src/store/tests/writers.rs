//! Many that write at once, and connections that are lost.

use super::databases::{on_each, postgresql};
use super::{Dump, MONDAY, TUESDAY, run, triage};
use crate::store::{Run, Store};

#[test]
fn writers_at_once_lose_nothing() {
    const WRITERS: usize = 8;
    const RUNS: usize = 6;
    on_each(|url| {
        // Nobody made the store before: all of them try to.
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                scope.spawn(move || {
                    let mut store = Store::open(url).unwrap();
                    for number in 0..RUNS {
                        let own = format!("v1:{writer}x{number}");
                        let paths: Vec<String> = (0..4).map(|at| format!("{writer}/{number}/{at}")).collect();
                        let dumps: Vec<Dump<'_>> = vec![
                            (&paths[0], MONDAY, "v1:all"),
                            (&paths[1], MONDAY, "v1:all"),
                            (&paths[2], MONDAY, &own),
                            // Of one machine's run and all others': counts once.
                            ("shared", TUESDAY, "v1:shared"),
                        ];
                        let mut found = triage(&[&dumps[..2], &dumps[2..3], &dumps[3..]]);
                        store.record(&mut found, &run("matrix", None)).unwrap();
                        store.record(&mut found, &Run::default()).unwrap();
                    }
                });
            }
        });
        let mut store = Store::open_existing(url).unwrap();
        let history = store.history(1000).unwrap();
        assert_eq!(history.runs, 1 + WRITERS * RUNS);
        assert_eq!(history.groups.len(), 2 + WRITERS * RUNS);
        assert_eq!(store.group("v1:all").unwrap().group.count, 2 * WRITERS * RUNS);
        assert_eq!(store.group("v1:shared").unwrap().group.count, 1);
    });
}

#[test]
fn a_lost_connection_is_made_anew() {
    let Some(url) = postgresql() else { return };
    let mut store = Store::open(&url).unwrap();
    store.record(&mut triage(&[&[("a", MONDAY, "v1:aa")]]), &Run::default()).unwrap();
    let mut other = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
               AND pid <> pg_backend_pid()";
    assert_eq!(other.query(sql, &[]).unwrap().len(), 1);
    store.record(&mut triage(&[&[("b", MONDAY, "v1:aa")]]), &Run::default()).unwrap();
    assert_eq!(store.group("v1:aa").unwrap().group.count, 2);
}

#[test]
fn passwords_are_in_no_message() {
    let Some(url) = postgresql() else { return };
    let place = Store::open(&url).unwrap().history(1).unwrap().store;
    assert!(place.starts_with("postgres://tester@127.0.0.1:"), "{place}");
    let (before, after) = url.split_once('@').unwrap();
    let wrong = format!("{}secret@{after}", &before[..before.rfind(':').unwrap() + 1]);
    for url in
        [wrong.clone(), wrong.replace("/store", "/nowhere"), "postgres://u:secret@127.0.0.1:1/x".to_owned()]
    {
        let error = Store::open(&url).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("secret") && said.contains("cannot open the store postgres://"), "{said}");
    }
}
