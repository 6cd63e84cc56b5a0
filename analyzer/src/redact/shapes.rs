//! Strings that are shaped like keys: what they begin with and are made of, as their issuers document it.

use regex::Regex;
use std::ops::Range;
use std::sync::LazyLock;

/// The shapes. Where a pattern has a group, the group is the secret, else all of it. Line ends may be written as
/// escapes, as in a repr; the end may be missing where a string was cut.
const PATTERNS: &[&str] = &[
    // PEM: private keys of every kind (RFC 7468).
    r"-----BEGIN (?:[A-Z0-9 ]+ )?PRIVATE KEY(?: BLOCK)?-----((?s:.)*?)(?:-----END|\z)",
    // JSON Web Tokens, signed or encrypted: base64url of `{"` and then more parts.
    r"\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3}",
    // AWS: ids of access keys and of temporary ones.
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
    // Google: API keys, OAuth tokens, client secrets.
    r"\bAIza[A-Za-z0-9_-]{35}",
    r"\bya29\.[A-Za-z0-9_-]{20,}",
    r"\bGOCSPX-[A-Za-z0-9_-]{20,}",
    // Azure: storage keys in connection strings, signatures of shared access, client secrets.
    r"(?i)\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/=]{20,})",
    r"(?i)[?&]sig=([A-Za-z0-9%+/=]{20,})",
    r"\b[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}",
    // GitHub and GitLab.
    r"\bgh[pousr]_[A-Za-z0-9]{36,}",
    r"\bgithub_pat_[A-Za-z0-9_]{22,}",
    r"\bgl(?:pat|dt|ptt|rt|soat)-[A-Za-z0-9_-]{20,}",
    // Slack: tokens and hooks.
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\bxapp-\d-[A-Za-z0-9-]{10,}",
    r"hooks\.slack\.com/(?:services|workflows)/([A-Za-z0-9+/]{20,})",
    // Stripe, OpenAI, Anthropic and others that begin in their way.
    r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}",
    r"\bwhsec_[A-Za-z0-9+/=]{16,}",
    r"\bsk-(?:[A-Za-z]+-)*[A-Za-z0-9_-]{20,}",
    r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"\bSK[0-9a-f]{32}\b",
    r"\bkey-[0-9a-f]{32}\b",
    r"\bpypi-[A-Za-z0-9_-]{32,}",
    r"\bnpm_[A-Za-z0-9]{36}",
    r"\bhf_[A-Za-z0-9]{30,}",
    r"\bdop_v1_[0-9a-f]{64}",
    r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}",
    r"\bdckr_pat_[A-Za-z0-9_-]{20,}",
    r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}\b",
    // `user:password@` in URLs (RFC 3986), the password alone.
    r"\b[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s/:@?#'\x22<>]*:([^\s/@'\x22<>]+)@",
    // HTTP's credentials (RFC 7235, 6750, 7617).
    r"(?i)\b(?:Bearer|Basic|Token|Digest|Negotiate)[ ]+([A-Za-z0-9._~+/-]{8,}={0,2})",
];

static SHAPES: LazyLock<Vec<Regex>> =
    LazyLock::new(|| PATTERNS.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect());

/// Where `text` holds something that is shaped like a key, in bytes.
pub(super) fn find(text: &str, mut found: impl FnMut(Range<usize>)) {
    for shape in SHAPES.iter() {
        for groups in shape.captures_iter(text) {
            if let Some(secret) = groups.get(1).or(groups.get(0)) {
                found(secret.range());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut ranges = Vec::new();
        find(text, |range| ranges.push(range));
        ranges.into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn every_pattern_is_a_regex() {
        assert_eq!(SHAPES.len(), PATTERNS.len());
    }

    #[test]
    fn keys_are_known_by_their_shape() {
        // Put together here, so that no scanner takes this file for a leak.
        for (before, secret, after) in [
            ("-----BEGIN RSA PRIVATE KEY-----", "\\nMIIEpAIBAAKCAQEA\\n", "-----END RSA PRIVATE KEY-----"),
            ("-----BEGIN PRIVATE KEY-----", "\nMIIEpAIBAAKCAQEA\n…", ""),
            ("x ", &["eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiIxIn0.", "c2lnbmF0dXJl"].concat(), " y"),
            ("'", &["AKIA", "IOSFODNN7EXAMPLE"].concat(), "'"),
            ("'", &["ghp_", &"a1B2".repeat(9)].concat(), "'"),
            ("(", &["xoxb-", "123456789012-abcdef"].concat(), ")"),
            ("", &["sk_live_", "4eC39HqLyjWDarjtT1zdp7dc"].concat(), ""),
            ("", &["sk-proj-", "4eC39HqLyjWDarjtT1zdp7dc"].concat(), ""),
            ("", &["AIza", &"Sy12_".repeat(7)].concat(), ""),
            ("postgres://app:", "hunter2", "@db.example.com/x"),
            ("redis://:", "p4ss", "@localhost:6379/0"),
            ("'Authorization: Bearer ", "abcDEF123._-", "'"),
            ("Basic ", "dXNlcjpwYXNz", ""),
            ("DefaultEndpointsProtocol=https;AccountKey=", &"Ab3/".repeat(8), ";x"),
        ] {
            assert_eq!(found(&format!("{before}{secret}{after}")), [secret]);
        }
    }

    #[test]
    fn ordinary_text_has_no_key() {
        for text in [
            "http://localhost:8080/path@x",
            "the basic idea",
            "sk-learn is fine",
            "task_live_long",
            "user@example.com",
            "https://example.com/a:b",
            "-----BEGIN CERTIFICATE-----",
            "eyJ.x",
            "/usr/lib/python3.13/token.py",
            "a disk-based-something",
            "Bearer token",
        ] {
            assert_eq!(found(text), Vec::<&str>::new(), "{text}");
        }
    }
}
