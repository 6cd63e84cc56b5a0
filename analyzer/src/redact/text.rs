//! Secrets in texts: in reprs, messages, command lines, lines of source.

use super::names::{Suspicion, suspicion};
use super::shapes;
use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// What stands for a secret.
pub(super) const REDACTED: &str = "<redacted>";

/// A part of a text that is not to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Secret {
    /// Where, in bytes.
    pub(super) range: Range<usize>,
    /// Whether it is so surely a secret that it is one wherever else it stands.
    pub(super) sure: bool,
}

/// What texts are: in code, only literals are secrets, not what computes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Code,
}

/// A name and what may bind it to a value: `name=`, `'name': `, `('name', `, `--name `, `name: `.
static BINDING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?x)
        (?P<before> \(\s?b?\\*["'] | --? | ["'\[] | \b )
        (?P<name> [A-Za-z_][A-Za-z0-9_.-]{1,63})
        (?P<after> \\*["']? \]? \s? (?: => | := | = | : | , | \x20 ) \s{0,2} )"#,
    )
    .ok()
});

/// The secrets in a text, ascending, without overlaps.
pub(super) fn secrets(text: &str, kind: Kind) -> Vec<Secret> {
    let mut found = Vec::new();
    shapes::find(text, |range| found.push(Secret { range, sure: true }));
    bound(text, kind, &mut found);
    found.retain(|secret| text.get(secret.range.clone()).is_some_and(is_worth_hiding));
    found.sort_by_key(|secret| (secret.range.start, std::cmp::Reverse(secret.range.end)));
    let mut apart = Vec::<Secret>::new();
    for secret in found {
        match apart.last_mut() {
            Some(last) if secret.range.start < last.range.end => {
                last.range.end = last.range.end.max(secret.range.end);
                last.sure &= secret.sure;
            }
            _ => apart.push(secret),
        }
    }
    apart
}

/// Values behind names that look secret.
fn bound(text: &str, kind: Kind, found: &mut Vec<Secret>) {
    let Some(binding) = BINDING.as_ref() else { return };
    let mut at = 0;
    while let Some(groups) = binding.captures_at(text, at) {
        let (Some(name), Some(after), Some(before)) =
            (groups.name("name"), groups.name("after"), groups.name("before"))
        else {
            return;
        };
        at = name.end();
        let Some(suspicion) = suspicion(name.as_str()) else { continue };
        let sign = after.as_str().trim_matches(|c: char| c.is_whitespace() || "\\\"']".contains(c));
        let rest = text.get(after.end()..).unwrap_or_default();
        let is_option = before.as_str().starts_with('-');
        let binds = match sign {
            "," => is_option || before.as_str().starts_with('('),
            "" => is_option,
            "=" => !rest.starts_with('='),
            _ => true,
        };
        if !binds {
            continue;
        }
        let is_header = sign == ":" && is_header(name.as_str());
        if let Some(value) = value(rest, kind, is_header) {
            let range = after.end() + value.range.start..after.end() + value.range.end;
            at = at.max(range.end);
            found.push(Secret {
                range,
                sure: suspicion == Suspicion::Strong && (value.quoted || sign == "=" || is_option),
            });
        }
    }
}

/// Headers whose value is the rest of the line.
fn is_header(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie", "set-cookie"]
        .iter()
        .any(|header| name.eq_ignore_ascii_case(header))
}

struct Value {
    range: Range<usize>,
    quoted: bool,
}

/// The value that `text` begins with: a literal, something in brackets, a word.
fn value(text: &str, kind: Kind, is_header: bool) -> Option<Value> {
    if let Some(range) = quoted(text) {
        return Some(Value { range, quoted: true });
    }
    if kind == Kind::Code {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        return (digits > 0).then_some(Value { range: 0..digits, quoted: false });
    }
    let end = match text.chars().next()? {
        '(' | '[' | '{' => bracket_end(text, 0),
        '<' if is_object(text) => return None,
        '<' => bracket_end(text, 0),
        _ if is_header => text.find(['\n', '\r', '"', '\'']).unwrap_or(text.len()),
        _ => word_end(text),
    };
    (end > 0).then_some(Value { range: 0..end, quoted: false })
}

/// What is between the quotes of the literal that `text` begins with; the quotes may be escaped as often as they are
/// nested. All of the text where the literal does not end.
fn quoted(text: &str) -> Option<Range<usize>> {
    let prefix = text.bytes().take_while(|byte| b"bBuUrRfF".contains(byte)).count();
    let escapes = text.bytes().skip(prefix).take_while(|&byte| byte == b'\\').count();
    let quote = *text.as_bytes().get(prefix + escapes).filter(|byte| b"'\"".contains(byte))?;
    if prefix > 2 {
        return None;
    }
    let start = prefix + escapes + 1;
    let mut run = 0;
    for (index, &byte) in text.as_bytes().iter().enumerate().skip(start) {
        // Outside of other literals, two backslashes are one of the value.
        let closes = if escapes == 0 { run % 2 == 0 } else { run <= escapes };
        if byte == quote && closes {
            return Some(start..if escapes == 0 { index } else { index - run });
        }
        run = if byte == b'\\' { run + 1 } else { 0 };
    }
    Some(start..text.len())
}

/// Whether this repr says no more than what kind of object it is, and where.
fn is_object(text: &str) -> bool {
    let head = text.split('>').next().unwrap_or(text);
    head.contains(" at 0x")
        || [
            "<class ",
            "<module ",
            "<function ",
            "<built-in ",
            "<bound method ",
            REDACTED.trim_end_matches('>'),
        ]
        .iter()
        .any(|start| head.starts_with(start))
}

/// Where the bracket that opens at `start` closes, literals skipped; the end where it does not.
fn bracket_end(text: &str, start: usize) -> usize {
    let mut depth = 0usize;
    let mut at = start;
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            b')' | b']' | b'}' | b'>' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b'\'' | b'"' => {
                let literal = text.get(at..).and_then(quoted);
                at += literal.map_or(0, |range| range.end);
            }
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Where a bare word ends, with the arguments of a call: `SecretStr('x')`.
fn word_end(text: &str) -> usize {
    let end = text.find(|c: char| c.is_whitespace() || "()[]{},;&\"'\\<>".contains(c)).unwrap_or(text.len());
    if end > 0 && text.as_bytes().get(end) == Some(&b'(') { bracket_end(text, end) } else { end }
}

/// Whether something stands there that a reader could use, and that was not taken out yet.
fn is_worth_hiding(value: &str) -> bool {
    let inner = value.trim_matches(|c: char| "()[]{}…".contains(c));
    !matches!(
        inner,
        "" | "None"
            | "True"
            | "False"
            | "null"
            | "true"
            | "false"
            | "Ellipsis"
            | "NotImplemented"
            | "set()"
            | "..."
    ) && !inner.contains(REDACTED)
        && !inner.chars().all(|c| c == '*')
}

/// The text without its secrets, and how many there were.
pub(super) fn without(text: &str, secrets: &[Secret]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for Secret { range, .. } in secrets {
        out.push_str(text.get(at..range.start).unwrap_or_default());
        out.push_str(REDACTED);
        at = range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// The literals in a repr: the text between their quotes, and whether each is of bytes.
pub(super) fn literals(repr: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = repr.get(at..).and_then(|rest| rest.find(['\'', '"'])) {
        at += next;
        let Some(range) = repr.get(at..).and_then(quoted) else { break };
        let is_bytes = at > 0 && repr.as_bytes().get(at - 1) == Some(&b'b');
        found.extend(repr.get(at + range.start..at + range.end).map(|literal| (literal, is_bytes)));
        at += range.end + 1;
    }
    found
}

/// The code points (or bytes) that the text between a literal's quotes stands for.
pub(super) fn unescaped(literal: &str) -> Vec<u32> {
    let mut out = Vec::with_capacity(literal.len());
    let mut rest = literal.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(u32::from(c));
            continue;
        }
        let digits = match rest.next() {
            Some('n') => Err('\n'),
            Some('r') => Err('\r'),
            Some('t') => Err('\t'),
            Some('x') => Ok(2),
            Some('u') => Ok(4),
            Some('U') => Ok(8),
            Some(other) => Err(other),
            None => Err('\\'),
        };
        out.push(match digits {
            Ok(count) => {
                let hex: String = rest.by_ref().take(count).collect();
                u32::from_str_radix(&hex, 16).unwrap_or(u32::from('?'))
            }
            Err(character) => u32::from(character),
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> String {
        without(text, &secrets(text, Kind::Plain))
    }

    #[test]
    fn a_value_behind_a_secret_name_is_found_in_every_way_of_writing() {
        for (text, expected) in [
            ("{'password': 'a', 'user': 'b'}", "{'password': '<redacted>', 'user': 'b'}"),
            ("User(name='x', password='it\\'s', n=1)", "User(name='x', password='<redacted>', n=1)"),
            (r#"'{"api_key": "x y", "n": 1}'"#, r#"'{"api_key": "<redacted>", "n": 1}'"#),
            (r#"'{\"api_key\": \"x y\", 1}'"#, r#"'{\"api_key\": \"<redacted>\", 1}'"#),
            (
                "[('X-Auth-Token', 'x'), (b'cookie', b'y')]",
                "[('X-Auth-Token', '<redacted>'), (b'cookie', b'<redacted>')]",
            ),
            ("login failed: password=hunter2, user=bob", "login failed: password=<redacted>, user=bob"),
            ("mysql --password hunter2 -u bob", "mysql --password <redacted> -u bob"),
            ("['curl', '--token', 'x', 'y']", "['curl', '--token', '<redacted>', 'y']"),
            ("Authorization: Digest a, b\nAccept: c", "Authorization: <redacted>\nAccept: c"),
            ("{'credentials': {'user': ['a', '}']}, 'n': 1}", "{'credentials': <redacted>, 'n': 1}"),
            ("token=SecretStr('x'), n=1", "token=<redacted>, n=1"),
            ("os.environ['API_TOKEN'] = 'x'", "os.environ['API_TOKEN'] = '<redacted>'"),
            ("secret='cut off he", "secret='<redacted>"),
            ("PGPASSWORD=x psql", "PGPASSWORD=<redacted> psql"),
            (r"'C:\\' password='x\\' n", r"'C:\\' password='<redacted>' n"),
        ] {
            assert_eq!(hidden(text), expected);
            assert_eq!(hidden(expected), expected, "what is hidden stays as it is");
        }
    }

    #[test]
    fn what_binds_no_secret_stays() {
        for text in [
            "{'password': None, 'token': ''}",
            "the password is wrong",
            "f(token, key)",
            "if token == 'x': pass",
            "{'keyboard': 'a', 'author': 'b'}",
            "token=<app.Token object at 0x7f12>",
            "[('name', 'token'), ('x', 'y')]",
            "password='********'",
            "KeyError('password')",
            "max_tokens=100",
        ] {
            assert_eq!(hidden(text), text);
        }
    }

    #[test]
    fn of_code_only_literals_are_hidden() {
        let code = |text| without(text, &secrets(text, Kind::Code));
        assert_eq!(code("password = 'x'  # y"), "password = '<redacted>'  # y");
        assert_eq!(code("password = read(path)"), "password = read(path)");
        assert_eq!(code("def f(token: str = None):"), "def f(token: str = None):");
    }

    #[test]
    fn literals_are_taken_from_a_repr() {
        assert_eq!(literals(r#"{'a': b"b'", 1: 'c\'d'}"#), [("a", false), ("b'", true), (r"c\'d", false)]);
        let units = unescaped(r"a\n\\\'\x41\u0141\U0001f40d");
        assert_eq!(units, [97, 10, 92, 39, 0x41, 0x141, 0x1f40d]);
    }
}
