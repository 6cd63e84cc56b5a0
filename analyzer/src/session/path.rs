//! Expressions that name an object without running code: `self.cfg["db"].host`, `items[3]`, `0x7f0012.name`.

use crate::addr::Address;
use crate::object::Key;
use std::iter::Peekable;
use std::str::CharIndices;

/// The longest expression, in bytes.
const MAX_LENGTH: usize = 1 << 14;
/// How deep tuples are nested in keys.
const MAX_NESTING: usize = 16;

/// Where a path begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Root {
    /// A variable.
    Name(String),
    /// An object.
    Address(Address),
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// `.name`
    Attribute(String),
    /// `[key]`
    Item(Key),
}

/// A path.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    pub(super) root: Root,
    /// The steps, each with where it ends in the text, in bytes.
    pub(super) steps: Vec<(Step, usize)>,
    /// Where the root ends in the text.
    pub(super) root_end: usize,
}

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at column {}; what can be looked up without running code is NAME or 0xADDRESS, followed by .attribute, \
    [index] and [\"key\"]", .at + 1)]
pub(super) struct SyntaxError {
    what: String,
    /// In characters.
    at: usize,
}

/// Reads a path.
pub(super) fn parse(text: &str) -> Result<Path, SyntaxError> {
    if text.len() > MAX_LENGTH {
        return Err(SyntaxError { what: "an expression that is too long".to_owned(), at: 0 });
    }
    let mut parser = Parser { text, rest: text.char_indices().peekable() };
    parser.path()
}

struct Parser<'t> {
    text: &'t str,
    rest: Peekable<CharIndices<'t>>,
}

impl Parser<'_> {
    fn path(&mut self) -> Result<Path, SyntaxError> {
        let root = self.root()?;
        let mut path = Path { root, steps: Vec::new(), root_end: self.at() };
        loop {
            self.spaces();
            let step = match self.peek() {
                None => return Ok(path),
                Some('.') => {
                    self.next();
                    self.spaces();
                    Step::Attribute(self.name()?)
                }
                Some('[') => {
                    self.next();
                    let key = self.keys(']', 0)?;
                    Step::Item(key)
                }
                Some('(') => return Err(self.error("a call, which would run code,")),
                Some(_) => return Err(self.unexpected()),
            };
            path.steps.push((step, self.at()));
        }
    }

    fn root(&mut self) -> Result<Root, SyntaxError> {
        self.spaces();
        if !self.peek().is_some_and(|c| c.is_ascii_digit()) {
            return Ok(Root::Name(self.name()?));
        }
        let word = self.word(|c| c.is_ascii_alphanumeric());
        let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
        let address = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        address.map(|address| Root::Address(Address(address))).ok_or_else(|| self.error("no address"))
    }

    /// Keys up to `end`: one, or with commas a tuple.
    fn keys(&mut self, end: char, nesting: usize) -> Result<Key, SyntaxError> {
        let mut keys = Vec::new();
        let mut is_tuple = false;
        loop {
            self.spaces();
            if self.peek() == Some(end) && (is_tuple || end == ')') {
                break;
            }
            keys.push(self.key(nesting)?);
            self.spaces();
            match self.peek() {
                Some(',') => {
                    self.next();
                    is_tuple = true;
                }
                Some(c) if c == end => break,
                _ => return Err(self.unexpected()),
            }
        }
        self.next();
        match keys.pop() {
            Some(only) if keys.is_empty() && !is_tuple => Ok(only),
            last => {
                keys.extend(last);
                Ok(Key::Tuple(keys))
            }
        }
    }

    fn key(&mut self, nesting: usize) -> Result<Key, SyntaxError> {
        match self.peek() {
            Some('(') if nesting < MAX_NESTING => {
                self.next();
                self.keys(')', nesting + 1)
            }
            Some('\'' | '"') => {
                Ok(Key::Str(self.string("")?.iter().filter_map(|&c| char::from_u32(c)).collect()))
            }
            Some(c) if c == '-' || c == '+' || c == '.' || c.is_ascii_digit() => self.number(),
            Some(c) if is_name_start(c) => self.word_key(),
            _ => Err(self.unexpected()),
        }
    }

    fn word_key(&mut self) -> Result<Key, SyntaxError> {
        let word = self.word(is_name_part);
        if matches!(self.peek(), Some('\'' | '"')) {
            let prefix = word.to_ascii_lowercase();
            return match prefix.as_str() {
                "r" | "u" => {
                    let text = self.string(&prefix)?;
                    Ok(Key::Str(text.iter().filter_map(|&c| char::from_u32(c)).collect()))
                }
                "b" | "br" | "rb" => {
                    let bytes = self.string(&prefix)?;
                    let bytes: Option<Vec<u8>> = bytes.into_iter().map(|c| u8::try_from(c).ok()).collect();
                    bytes.map(Key::Bytes).ok_or_else(|| self.error("bytes that are not ASCII"))
                }
                _ => Err(self.error("an unknown kind of string")),
            };
        }
        match word.as_str() {
            "None" => Ok(Key::None),
            "True" | "False" => {
                let digit = if word == "True" { "1" } else { "0" };
                Key::int(digit, 10, false).ok_or_else(|| self.error("no number"))
            }
            _ => Err(self.error("a key that is no literal")),
        }
    }

    fn number(&mut self) -> Result<Key, SyntaxError> {
        let mut sign = String::new();
        if let Some(c) = self.peek().filter(|c| matches!(c, '-' | '+')) {
            self.next();
            sign.push(c);
        }
        let mut digits = String::new();
        while let Some(c) = self.peek() {
            let in_exponent =
                matches!(c, '-' | '+') && digits.ends_with(['e', 'E']) && !digits.starts_with("0x");
            if !(c.is_ascii_alphanumeric() || c == '_' || c == '.' || in_exponent) {
                break;
            }
            digits.push(c);
            self.next();
        }
        let plain = digits.replace('_', "").to_ascii_lowercase();
        let radix =
            [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find(|(prefix, _)| plain.starts_with(prefix));
        let int = match radix {
            Some((_, radix)) => Key::int(plain.get(2..).unwrap_or_default(), radix, sign == "-"),
            None => Key::int(&plain, 10, sign == "-"),
        };
        if let Some(int) = int {
            return Ok(int);
        }
        let is_float = plain.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        let float = (sign + &plain).parse().ok().filter(|_| is_float);
        float.map(Key::Float).ok_or_else(|| self.error("no number"))
    }

    /// The code points of a string in quotes.
    fn string(&mut self, prefix: &str) -> Result<Vec<u32>, SyntaxError> {
        let quote = self.next();
        let raw = prefix.contains('r');
        let mut text = Vec::new();
        loop {
            match self.next() {
                None => return Err(self.error("a string without its end")),
                c if c == quote => return Ok(text),
                Some('\\') if raw => {
                    text.push(u32::from('\\'));
                    text.extend(self.next().map(u32::from));
                }
                Some('\\') => self.escape(&mut text, prefix)?,
                Some(c) => text.push(u32::from(c)),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u32>, prefix: &str) -> Result<(), SyntaxError> {
        let simple = [
            ('n', '\n'),
            ('t', '\t'),
            ('r', '\r'),
            ('\\', '\\'),
            ('\'', '\''),
            ('"', '"'),
            ('a', '\x07'),
            ('b', '\x08'),
            ('f', '\x0c'),
            ('v', '\x0b'),
        ];
        let digits = match self.next() {
            None => return Err(self.error("a string without its end")),
            Some('x') => 2,
            Some('u') if !prefix.contains('b') => 4,
            Some('U') if !prefix.contains('b') => 8,
            Some(c @ '0'..='7') => {
                let mut value = u32::from(c) - u32::from('0');
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
                    value = value * 8 + digit;
                    self.next();
                }
                text.push(value);
                return Ok(());
            }
            Some(c) => {
                match simple.iter().find(|(name, _)| *name == c) {
                    Some((_, value)) => text.push(u32::from(*value)),
                    None => text.extend([u32::from('\\'), u32::from(c)]),
                }
                return Ok(());
            }
        };
        let mut value = 0;
        for _ in 0..digits {
            let digit =
                self.next().and_then(|c| c.to_digit(16)).ok_or_else(|| self.error("a damaged escape"))?;
            value = value << 4 | digit;
        }
        text.push(value);
        Ok(())
    }

    fn name(&mut self) -> Result<String, SyntaxError> {
        if !self.peek().is_some_and(is_name_start) {
            return Err(self.unexpected());
        }
        Ok(self.word(is_name_part))
    }

    fn word(&mut self, is_part: impl Fn(char) -> bool) -> String {
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|&c| is_part(c)) {
            word.push(c);
            self.next();
        }
        word
    }

    fn spaces(&mut self) {
        self.word(char::is_whitespace);
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().map(|(_, c)| *c)
    }

    fn next(&mut self) -> Option<char> {
        self.rest.next().map(|(_, c)| c)
    }

    /// Where the parser is, in bytes.
    fn at(&mut self) -> usize {
        self.rest.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn error(&mut self, what: &str) -> SyntaxError {
        let at = self.at();
        let at = self.text.get(..at).map_or(0, |before| before.chars().count());
        SyntaxError { what: what.to_owned(), at }
    }

    fn unexpected(&mut self) -> SyntaxError {
        match self.peek() {
            Some(c) => self.error(&format!("an unexpected {c:?}")),
            None => self.error("an unexpected end"),
        }
    }
}

/// Whether a name may begin with the character.
pub(super) fn is_name_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

/// Whether the character may be in a name.
pub(super) fn is_name_part(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;

    fn steps(text: &str) -> Vec<Step> {
        parse(text).unwrap().steps.into_iter().map(|(step, _)| step).collect()
    }

    fn item(text: &str) -> Key {
        match steps(&format!("x[{text}]")).pop() {
            Some(Step::Item(key)) => key,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn paths_are_names_or_addresses_with_steps() {
        let path = parse(" self.cfg[ \"db\" ] . host ").unwrap();
        assert_eq!(path.root, Root::Name("self".into()));
        assert_eq!(
            path.steps.iter().map(|(step, _)| step.clone()).collect::<Vec<_>>(),
            [
                Step::Attribute("cfg".into()),
                Step::Item(Key::Str("db".into())),
                Step::Attribute("host".into())
            ]
        );
        assert_eq!(parse("0x7f12.größe").unwrap().root, Root::Address(Address(0x7f12)));
        assert_eq!(steps("items[3].name").len(), 2);
    }

    #[test]
    fn keys_are_literals_of_python() {
        assert_eq!(item("-3"), Key::Int(BigInt::from(-3)));
        assert_eq!(item("0xff_ff"), Key::Int(BigInt::from(0xffff)));
        assert_eq!(item("1e3"), Key::Float(1000.0));
        assert_eq!(item("-.5"), Key::Float(-0.5));
        assert_eq!(item("True"), Key::Int(BigInt::from(1)));
        assert_eq!(item("None"), Key::None);
        assert_eq!(item(r#"'a\'\n\x41\u00e9\q'"#), Key::Str("a'\nA\u{e9}\\q".into()));
        assert_eq!(item(r#"r"\n""#), Key::Str("\\n".into()));
        assert_eq!(item(r#"b"\xff\0""#), Key::Bytes(vec![0xff, 0]));
        let one = || Key::Int(BigInt::from(1));
        assert_eq!(item("(1,)"), Key::Tuple(vec![one()]));
        assert_eq!(item("(1)"), one());
        assert_eq!(item("1, (1, 1)"), Key::Tuple(vec![one(), Key::Tuple(vec![one(), one()])]));
        assert_eq!(item("()"), Key::Tuple(vec![]));
    }

    #[test]
    fn what_is_no_path_says_where_and_what_is() {
        for (text, message) in [
            ("", "an unexpected end at column 1"),
            ("f(1)", "a call, which would run code, at column 2"),
            ("a.", "an unexpected end at column 3"),
            ("a[b]", "a key that is no literal at column 4"),
            ("é + 1", "an unexpected '+' at column 3"),
            ("0xzz", "no address at column 5"),
            ("a['x", "a string without its end at column 5"),
            ("a[inf]", "a key that is no literal"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(message) && error.contains("without running code"), "{text}: {error}");
        }
    }

    #[test]
    fn no_text_is_too_much() {
        const ALPHABET: &[char] = &[
            'a', '.', '[', ']', '(', ')', ',', '"', '\'', '\\', 'x', '0', '9', '-', 'b', 'r', 'e', ' ', 'é',
            'U',
        ];
        // A linear congruential generator is random enough to build texts by.
        let mut state = 42u64;
        let mut next = |bound: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % bound
        };
        for _ in 0..20_000 {
            let text: String = (0..next(24)).map(|_| ALPHABET[next(ALPHABET.len())]).collect();
            let _ = parse(&text);
        }
        let _ = parse(&"(".repeat(MAX_LENGTH));
        let _ = parse(&format!("a[{}", "(".repeat(MAX_LENGTH / 2)));
        assert!(parse(&"a".repeat(MAX_LENGTH + 1)).is_err());
    }
}
