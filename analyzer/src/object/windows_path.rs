//! Windows paths of several segments that were not parsed yet: what `ntpath` and `pathlib` (from 3.12 on) make of them.

/// The drive, the root and the rest of a path: `ntpath.splitroot`, Lib/ntpath.py.
fn split_root(path: &str) -> (&str, &str, &str) {
    let is_separator = |c: char| matches!(c, '\\' | '/');
    let cut = |at: usize| path.split_at_checked(at).unwrap_or((path, ""));
    let mut chars = path.char_indices();
    let first = chars.next().map(|(_, c)| c);
    let second = chars.next();
    if first.is_some_and(is_separator) {
        if !second.is_some_and(|(_, c)| is_separator(c)) {
            let (root, rest) = cut(1);
            return ("", root, rest);
        }
        // `\\server\share` and `\\?\UNC\server\share`.
        let is_long =
            path.get(..8).is_some_and(|head| head.replace('/', "\\").eq_ignore_ascii_case("\\\\?\\UNC\\"));
        let start = if is_long { 8 } else { 2 };
        let find = |from: usize| path.get(from..)?.find(is_separator).map(|at| from + at);
        let Some(end) = find(start).and_then(|server| find(server + 1)) else { return (path, "", "") };
        let (drive, rest) = cut(end);
        let (root, rest) = rest.split_at_checked(1).unwrap_or((rest, ""));
        return (drive, root, rest);
    }
    match second {
        Some((at, ':')) => {
            let (drive, rest) = cut(at + 1);
            match rest.strip_prefix(is_separator) {
                Some(tail) => (drive, rest.get(..1).unwrap_or_default(), tail),
                None => (drive, "", rest),
            }
        }
        _ => ("", "", path),
    }
}

/// `ntpath.join`, Lib/ntpath.py.
fn join(segments: &[String]) -> String {
    let mut segments = segments.iter();
    let (drive, root, path) = segments.next().map_or(("", "", ""), |first| split_root(first));
    let (mut drive, mut root, mut path) = (drive.to_owned(), root.to_owned(), path.to_owned());
    for segment in segments {
        let (next_drive, next_root, next_path) = split_root(segment);
        if !next_root.is_empty() {
            if !next_drive.is_empty() || drive.is_empty() {
                drive = next_drive.to_owned();
            }
            (root, path) = (next_root.to_owned(), next_path.to_owned());
            continue;
        }
        if !next_drive.is_empty() && next_drive != drive {
            let is_same = next_drive.to_lowercase() == drive.to_lowercase();
            drive = next_drive.to_owned();
            if !is_same {
                (root, path) = (next_root.to_owned(), next_path.to_owned());
                continue;
            }
        }
        if !path.is_empty() && !path.ends_with(['\\', '/']) {
            path.push('\\');
        }
        path.push_str(next_path);
    }
    let is_apart =
        !path.is_empty() && root.is_empty() && !drive.is_empty() && !drive.ends_with([':', '\\', '/']);
    let between = if is_apart { "\\" } else { &root };
    format!("{drive}{between}{path}")
}

/// `PureWindowsPath` of several segments: the anchor and the parts behind it, with `\` between (`_parse_path` and
/// `_format_parsed_parts`, Lib/pathlib.py).
pub(super) fn parse_windows(segments: &[String]) -> (String, Vec<String>) {
    let path = join(segments).replace('/', "\\");
    let (drive, root, rest) = split_root(&path);
    let mut anchor = format!("{drive}{root}");
    if root.is_empty() && drive.starts_with('\\') && !drive.ends_with('\\') {
        let parts: Vec<&str> = drive.split('\\').collect();
        let is_share = match parts.as_slice() {
            [_, _, host, _] => !"?.".contains(host),
            parts => parts.len() == 6,
        };
        if is_share {
            anchor.push('\\');
        }
    }
    let mut tail: Vec<String> =
        rest.split('\\').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
    if anchor.is_empty() && tail.first().is_some_and(|first| !split_root(first).0.is_empty()) {
        tail.insert(0, ".".to_owned());
    }
    (anchor, tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_paths_are_joined_and_normalised_as_pathlib_does() {
        let parse = |segments: &[&str]| {
            let segments: Vec<String> = segments.iter().map(|&segment| segment.to_owned()).collect();
            let (anchor, tail) = parse_windows(&segments);
            anchor + &tail.join("\\")
        };
        for (segments, expected) in [
            (&["C:/Users", "x"][..], "C:\\Users\\x"),
            (&["a/b/./c//d\\"], "a\\b\\c\\d"),
            (&["c:a", "C:b"], "C:a\\b"),
            (&["c:\\a", "d:b"], "d:b"),
            (&["c:\\a", "\\b"], "c:\\b"),
            (&["//host/share/f"], "\\\\host\\share\\f"),
            (&["//host/share"], "\\\\host\\share\\"),
            (&["//host"], "\\\\host"),
            (&["//host/share", "x"], "\\\\host\\share\\x"),
            (&["\\\\?\\UNC\\server\\share"], "\\\\?\\UNC\\server\\share\\"),
            (&["\\\\.\\device"], "\\\\.\\device"),
            (&["./c:a"], ".\\c:a"),
            (&["é:x"], "é:x"),
            (&[""], ""),
            (&[], ""),
        ] {
            assert_eq!(parse(segments), expected, "{segments:?}");
        }
    }
}
