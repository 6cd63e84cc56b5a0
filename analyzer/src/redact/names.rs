//! Which names look as if they were bound to secrets, by the words they are made of.

/// Words that mean a secret wherever they stand in a name.
const WORDS: &[&str] = &[
    "apikey",
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "cred",
    "creds",
    "credential",
    "credentials",
    "csrf",
    "dsn",
    "jwt",
    "otp",
    "passcode",
    "passwords",
    "pwd",
    "secret",
    "secrets",
    "sessionid",
    "sessid",
    "token",
    "tokens",
    "totp",
    "xsrf",
];

/// What makes a word secret wherever it is in it: `PGPASSWORD`.
const WITHIN: &[&str] = &["password", "passwd", "passphrase"];

/// What makes a word secret at its end: `authtoken`, `clientsecret`.
const ENDINGS: &[&str] = &[
    "accesskey",
    "apikey",
    "authkey",
    "cookie",
    "credentials",
    "privatekey",
    "secret",
    "secretkey",
    "sessid",
    "sessionid",
    "sharedkey",
    "signingkey",
    "token",
];

/// Words that mean a secret one behind the other.
const PAIRS: &[(&str, &str)] = &[
    ("conn", "str"),
    ("conn", "string"),
    ("connect", "string"),
    ("connection", "str"),
    ("connection", "string"),
    ("db", "pass"),
    ("database", "pass"),
    ("mail", "pass"),
    ("session", "id"),
    ("session", "key"),
    ("smtp", "pass"),
    ("user", "pass"),
];

/// Keys that open nothing, by the word before `key`.
const HARMLESS_KEYS: &[&str] = &[
    "arrow",
    "cache",
    "candidate",
    "column",
    "dict",
    "foreign",
    "group",
    "hot",
    "idempotency",
    "index",
    "lookup",
    "map",
    "natural",
    "object",
    "partition",
    "primary",
    "public",
    "registry",
    "routing",
    "row",
    "sort",
    "tab",
    "unique",
];

/// First words of names that say how many or whether: `max_tokens`, `has_password`.
const ABOUT: &[&str] = &[
    "allow",
    "allows",
    "check",
    "completion",
    "count",
    "has",
    "is",
    "max",
    "min",
    "n",
    "needs",
    "no",
    "num",
    "prompt",
    "requires",
    "total",
    "use",
    "uses",
    "validate",
    "with",
];

/// Last words of names that say something about a secret: `password_file`, `token_count`.
const METADATA: &[&str] = &[
    "age",
    "alg",
    "algorithm",
    "at",
    "backend",
    "backends",
    "callback",
    "class",
    "cls",
    "count",
    "counts",
    "dir",
    "domain",
    "enabled",
    "error",
    "errors",
    "expired",
    "expires",
    "expiry",
    "factory",
    "field",
    "file",
    "filename",
    "form",
    "format",
    "func",
    "function",
    "handler",
    "hashers",
    "httponly",
    "index",
    "kind",
    "len",
    "length",
    "manager",
    "max",
    "method",
    "middleware",
    "min",
    "module",
    "name",
    "names",
    "path",
    "pattern",
    "policy",
    "provider",
    "regex",
    "required",
    "samesite",
    "scheme",
    "secure",
    "size",
    "status",
    "timeout",
    "ttl",
    "type",
    "types",
    "uri",
    "url",
    "user",
    "username",
    "users",
    "valid",
    "validator",
    "validators",
];

/// How much a name says that its value is a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// `key` alone: as often as not that of a dictionary.
    Weak,
    /// A password, a token, a key to something.
    Strong,
}

/// Whether the value of a variable, attribute, key, argument, header or environment variable of this name is a secret.
pub(super) fn suspicion(name: &str) -> Option<Suspicion> {
    let words = words(name.rsplit('.').next().unwrap_or(name));
    let (first, last) = (words.first()?.as_str(), words.last()?.as_str());
    if words.len() > 1 && (ABOUT.contains(&first) || METADATA.contains(&last)) {
        return None;
    }
    let is_secret = |word: &str| {
        WORDS.contains(&word)
            || WITHIN.iter().any(|part| word.contains(part))
            || ENDINGS.iter().any(|end| word.ends_with(end))
    };
    let follow = |(before, after): (&str, &str)| {
        words.windows(2).any(|pair| matches!(pair, [a, b] if a == before && b == after))
    };
    if first == "pass" && words.len() == 1
        || words.iter().any(|word| is_secret(word))
        || PAIRS.iter().any(|&pair| follow(pair))
    {
        return Some(Suspicion::Strong);
    }
    let end = words.strip_suffix(&["id".to_owned()]).filter(|rest| rest.len() > 1).unwrap_or(&words);
    match end {
        [.., before, last] if last == "key" && !HARMLESS_KEYS.contains(&before.as_str()) => {
            Some(Suspicion::Strong)
        }
        [only] if only == "key" => Some(Suspicion::Weak),
        _ => None,
    }
}

/// The words of a name in lower case: `snake_case`, `kebab-case`, `camelCase`, `HTTPHeader`; digits are left out.
fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = name.chars().peekable();
    let mut before = ' ';
    while let Some(c) = characters.next() {
        let begins = c.is_uppercase()
            && (before.is_lowercase()
                || before.is_uppercase() && characters.peek().is_some_and(|next| next.is_lowercase()));
        if (!c.is_alphabetic() || begins) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphabetic() {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_where_the_case_or_a_mark_says() {
        assert_eq!(words("snake_case-kebab"), ["snake", "case", "kebab"]);
        assert_eq!(words("camelCaseXMLToken2x"), ["camel", "case", "xml", "token", "x"]);
        assert_eq!(words("__API_KEY__"), ["api", "key"]);
        assert!(words("_42").is_empty());
    }

    #[test]
    fn secrets_are_known_by_their_words() {
        for name in [
            "password",
            "PASSWORD",
            "db_password",
            "dbPassword",
            "PGPASSWORD",
            "passwd",
            "MYSQL_PWD",
            "token",
            "accessToken",
            "X-Auth-Token",
            "csrftoken",
            "secret",
            "client_secret",
            "CLIENTSECRET",
            "api_key",
            "apiKey",
            "APIKey",
            "apikey",
            "private_key",
            "AWS_SECRET_ACCESS_KEY",
            "aws_access_key_id",
            "Authorization",
            "Proxy-Authorization",
            "auth",
            "basic_auth",
            "Cookie",
            "Set-Cookie",
            "session_id",
            "sessionid",
            "PHPSESSID",
            "sentry_dsn",
            "SENTRY_DSN",
            "connection_string",
            "credentials",
            "creds",
            "self.password",
            "passphrase",
            "signing_key",
            "password2",
            "oauth2_token",
            "db_pass",
            "_token",
            "secretKeyBase",
            "password_hash",
            "pass",
        ] {
            assert_eq!(suspicion(name), Some(Suspicion::Strong), "{name}");
        }
    }

    #[test]
    fn likenesses_of_secrets_are_not_taken_for_them() {
        for name in [
            "keyboard",
            "tokenizer",
            "author",
            "authors",
            "monkey",
            "turkey",
            "keys",
            "keyword",
            "public_key",
            "primary_key",
            "sort_key",
            "max_tokens",
            "token_count",
            "has_password",
            "password_file",
            "token_url",
            "secretary",
            "bypass",
            "compass",
            "passenger",
            "session",
            "identifier",
            "cookie_name",
            "auth_user",
            "name",
            "KeyError",
            "",
            "_",
            "42",
            "key_func",
        ] {
            assert_eq!(suspicion(name), None, "{name}");
        }
        assert_eq!(suspicion("key"), Some(Suspicion::Weak));
    }
}
