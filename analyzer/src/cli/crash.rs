//! The last resort against bugs of pycore itself: a panic ends in a short message and exit code 2.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};

/// Runs `body`; a panic in it becomes an error that asks for a report.
///
/// With `RUST_BACKTRACE` set, the usual message and backtrace are printed as well.
pub(super) fn catching<T>(body: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let place = Arc::new(Mutex::new(String::new()));
    let usual = panic::take_hook();
    let verbose = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    panic::set_hook(Box::new({
        let place = Arc::clone(&place);
        move |info| {
            if verbose {
                usual(info);
            }
            *place.lock().unwrap_or_else(PoisonError::into_inner) = describe(info);
        }
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    drop(panic::take_hook());
    result.unwrap_or_else(|_| {
        let place = place.lock().unwrap_or_else(PoisonError::into_inner);
        Err(anyhow::anyhow!(
            "pycore {} has a bug: {place}.\n\
             Please report it, with this message, the command line, and the output of `pycore info` on the same file.",
            env!("CARGO_PKG_VERSION")
        ))
    })
}

fn describe(info: &panic::PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let message = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref().copied())
        .unwrap_or("no message");
    match info.location() {
        Some(at) => format!("{message} ({at})"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_that_asks_for_a_report() {
        let error = catching::<()>(|| panic!("what {}", "happened")).unwrap_err().to_string();
        assert!(error.contains("has a bug: what happened (analyzer/src/cli/crash.rs:"), "{error}");
        assert!(error.contains("Please report it"), "{error}");
        assert_eq!(catching(|| Ok(5)).unwrap(), 5);
    }
}
