//! Names of refs, tags and checkpoints.
//!
//! They are file names with `/` written as `%2F` (no other `%` is possible), so every name is one
//! file in one directory, and whatever means something in a revision (`~ ^ : @{`) cannot be part
//! of one.

use std::fmt;

use super::StoreError;

/// A valid name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(String);

/// What no name contains.
const FORBIDDEN: &[char] =
    &['~', '^', ':', '%', '\\', '*', '?', '[', ']', '"', '\'', '`', '<', '>'];
const MAX_LEN: usize = 200;

impl RefName {
    /// Checks a name. Allowed are letters, digits and marks, in parts separated by `/`; no part
    /// begins with `-` or `.`, or ends with `.`; nowhere `..`, `@{`, blanks or control characters.
    pub fn new(name: &str) -> Result<RefName, StoreError> {
        match broken_rule(name) {
            None => Ok(RefName(name.to_owned())),
            Some(why) => {
                Err(StoreError::InvalidName { name: name.chars().take(MAX_LEN).collect(), why })
            }
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn file_name(&self) -> String {
        self.0.replace('/', "%2F")
    }

    /// The name of a file; `None` for files that are none of ours.
    pub(super) fn from_file_name(file: &str) -> Option<RefName> {
        RefName::new(&file.replace("%2F", "/")).ok()
    }
}

fn broken_rule(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.replace('/', "%2F").len() > MAX_LEN {
        return Some("it is longer than 200 bytes");
    }
    if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Some("it contains a blank or a control character");
    }
    if name.contains(FORBIDDEN) || name.contains("@{") || name == "@" {
        return Some("it contains a character that has a meaning in revisions or shells");
    }
    if name.contains("..") {
        return Some("it contains `..`");
    }
    for part in name.split('/') {
        if part.is_empty() {
            return Some("it has an empty part");
        }
        if part.starts_with(['-', '.']) || part.ends_with('.') {
            return Some("a part of it begins with `-` or `.`, or ends with `.`");
        }
    }
    if name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some("it looks like an id");
    }
    None
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_valid() {
        for name in ["prod", "team/prod", "v1.2", "2026-11-01", "größe", "a@b"] {
            let valid = RefName::new(name).unwrap();
            assert_eq!(RefName::from_file_name(&valid.file_name()), Some(valid));
        }
    }

    #[test]
    fn names_that_are_not() {
        let long = "x".repeat(201);
        let id = "0123456789abcdef".repeat(4);
        for name in [
            "", "/", "a//b", "/a", "a/", "..", "a..b", "-x", ".x", "a/.b", "a/-b", "x.", "a b",
            "a~1", "a^", "a:b", "a@{1}", "@", "a\nb", "a\0b", "a%2Fb", "a\\b", "a*", &long, &id,
        ] {
            RefName::new(name).unwrap_err();
        }
    }
}
