//! Splitting a command line into arguments.

/// The arguments of a command line, as `CommandLineToArgvW` of shell32 gives them: the first one ends at the quote that
/// closes it, or at the first blank. In the others, blanks within quotes are part of the argument, a quote behind an odd
/// number of backslashes is a character, and so is the third of three quotes; of backslashes before a quote every second
/// one counts.
pub(super) fn split(line: &str) -> Vec<String> {
    let blank: &[char] = &[' ', '\t'];
    let (program, mut rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        None => line.split_once(blank).unwrap_or((line, "")),
    };
    let mut arguments = vec![program.to_owned()];
    loop {
        rest = rest.trim_start_matches(blank);
        if rest.is_empty() {
            return arguments;
        }
        let (argument, behind) = next(rest);
        arguments.push(argument);
        rest = behind;
    }
}

/// The argument that `text` begins with, and what stands behind it.
fn next(text: &str) -> (String, &str) {
    let mut argument = String::new();
    let (mut quotes, mut backslashes) = (0, 0usize);
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            ' ' | '\t' if quotes == 0 => return (argument, text.get(at..).unwrap_or_default()),
            '"' => {
                argument.truncate(argument.len() - backslashes.div_ceil(2));
                if backslashes % 2 == 1 {
                    argument.push('"');
                } else {
                    quotes += 1;
                }
                while characters.next_if(|(_, next)| *next == '"').is_some() {
                    quotes += 1;
                    if quotes == 3 {
                        argument.push('"');
                        quotes = 0;
                    }
                }
                quotes %= 2;
                backslashes = 0;
            }
            _ => {
                argument.push(character);
                backslashes = if character == '\\' { backslashes + 1 } else { 0 };
            }
        }
    }
    (argument, "")
}

#[cfg(test)]
mod tests {
    use super::split;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        assert_eq!(split(line), expected, "{line}");
    }

    #[test]
    fn arguments_are_separated_by_blanks_outside_of_quotes() {
        check(r#""C:\Program Files\x.exe" a  "b c"	d"#, &[r"C:\Program Files\x.exe", "a", "b c", "d"]);
        check(r"x.exe a\b \\srv\share\", &["x.exe", r"a\b", r"\\srv\share\"]);
        check(r#"x.exe "" a"b c"d "open"#, &["x.exe", "", "ab cd", "open"]);
        check("x.exe", &["x.exe"]);
        check(r#""x"#, &["x"]);
        check(" a", &["", "a"]);
    }

    /// Examples of Microsoft's documentation of `CommandLineToArgvW`.
    #[test]
    fn backslashes_before_quotes_count_half() {
        check(r#"x "abc" d e"#, &["x", "abc", "d", "e"]);
        check(r#"x a\\b d"e f"g h"#, &["x", r"a\\b", "de fg", "h"]);
        check(r#"x a\\\"b c d"#, &["x", r#"a\"b"#, "c", "d"]);
        check(r#"x a\\\\"b c" d e"#, &["x", r"a\\b c", "d", "e"]);
    }

    #[test]
    fn three_quotes_are_one_character() {
        check(r#"x """a b""" c"#, &["x", "\"a", "b\"", "c"]);
        check(r#"x "a""b c" d"#, &["x", "a\"b", "c d"]);
    }
}
