//! What glibc noted of why it aborts the process.

use super::{ProcessInfo, file_name, symbols};
use crate::memory::Memory;
use crate::report::Assertion;

/// SIGABRT on Linux.
const SIGABRT: i64 = 6;
/// The most that is read of a message, in bytes.
const LONGEST: usize = 1 << 10;

/// The failed assertion or check that glibc ended the process for: `__abort_msg` points to a `struct abort_msg_s`, the size
/// of its mapping (an `unsigned int`) and the text that was printed on standard error as well (glibc 2.36, `include/stdlib.h`,
/// `assert/assert.c`, `sysdeps/posix/libc_fatal.c`).
pub(crate) fn abort_message(memory: &dyn Memory, process: &ProcessInfo) -> Option<Assertion> {
    if process.signal.as_ref().is_none_or(|signal| signal.number != SIGABRT) {
        return None;
    }
    let is_libc = |path: &str| file_name(path) == "libc.so.6" || file_name(path).starts_with("libc-2.");
    let libc = process.modules.iter().find(|module| is_libc(&module.path))?;
    let variable = symbols::dynamic_symbol(memory, libc, "__abort_msg").ok()??;
    let message = memory.pointer(variable).ok().filter(|at| at.0 != 0)?;
    let size = usize::try_from(memory.u32(message).ok()?).ok()?.checked_sub(size_of::<u32>())?;
    let mut bytes = vec![0; size.min(LONGEST)];
    memory.read(message.add(size_of::<u32>() as u64), &mut bytes).ok()?;
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    parse(String::from_utf8_lossy(text).trim())
}

/// Reads `program: file:line: function: Assertion `expression' failed.`; anything else is a check of the library's own, as
/// `free(): invalid pointer`.
fn parse(message: &str) -> Option<Assertion> {
    if message.is_empty() {
        return None;
    }
    let whole = |kind: &str, expression: &str| Assertion {
        kind: kind.to_owned(),
        expression: Some(expression.to_owned()),
        function: None,
        file: None,
        line: None,
    };
    let asserted = message.strip_suffix("' failed.").and_then(|start| start.split_once("Assertion `"));
    let Some((place, expression)) = asserted else { return Some(whole("check of the C library", message)) };
    let mut parts = place.trim_end().trim_end_matches(':').splitn(4, ':').map(str::trim).skip(1);
    let (file, line, function) = (parts.next(), parts.next(), parts.next());
    let line = line.and_then(|line| line.parse().ok());
    let text = |part: Option<&str>| part.filter(|part| !part.is_empty() && line.is_some()).map(str::to_owned);
    Some(Assertion { function: text(function), file: text(file), line, ..whole("assertion", expression) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_glibc_are_read() {
        let read = parse("python3: codec.c:120: int f(a::b): Assertion `frames > 0' failed.").unwrap();
        assert_eq!((read.kind.as_str(), read.expression.as_deref()), ("assertion", Some("frames > 0")));
        assert_eq!((read.file.as_deref(), read.line), (Some("codec.c"), Some(120)));
        assert_eq!(read.function.as_deref(), Some("int f(a::b)"));
        let read = parse("Assertion `x' failed.").unwrap();
        assert_eq!(
            (read.expression.as_deref(), read.file, read.line, read.function),
            (Some("x"), None, None, None)
        );
        let read = parse("free(): invalid pointer").unwrap();
        assert_eq!(read.kind, "check of the C library");
        assert_eq!(read.expression.as_deref(), Some("free(): invalid pointer"));
        assert_eq!(parse(""), None);
    }
}
