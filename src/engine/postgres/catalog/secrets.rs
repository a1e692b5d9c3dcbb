//! Secrets in options of foreign servers, user mappings and foreign tables.
//!
//! Option values whose names or contents look like a secret become `***` before they are part of a
//! fact. Options are an open set, so the test is generous: a value too many is blotted out
//! rather than one too few.

use crate::model::Attribute;

/// What stands in place of a secret.
const BLOT: &str = "***";

/// Parts of option names whose values are secret.
const SECRET_NAMES: [&str; 10] =
    ["pass", "pwd", "secret", "token", "key", "cred", "auth", "private", "sas", "conn"];

/// An attribute of `name=value` items with its secrets blotted out.
pub(super) fn blotted(attribute: Attribute) -> Attribute {
    match attribute {
        Attribute::List(items) => {
            Attribute::List(items.into_iter().map(|item| blotted_item(&item)).collect())
        }
        Attribute::Text(item) => Attribute::Text(blotted_item(&item)),
        other => other,
    }
}

fn blotted_item(item: &str) -> String {
    let Some((name, value)) = item.split_once('=') else { return BLOT.to_owned() };
    let lower = name.to_ascii_lowercase();
    let is_secret = SECRET_NAMES.iter().any(|part| lower.contains(part)) || holds_secret(value);
    format!("{name}={}", if is_secret { BLOT } else { value })
}

/// Whether a value is a connection string with a password in it.
fn holds_secret(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let has_user = lower.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    has_user || ["password", "passwd", "pwd=", "secret"].iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blotted_out_and_the_rest_is_kept() {
        for (item, expected) in [
            ("host=db.example", "host=db.example"),
            ("password=hunter2", "password=***"),
            ("AWS_Secret_Access=x", "AWS_Secret_Access=***"),
            ("server=http://user:pw@host", "server=***"),
            ("server=http://host/x", "server=http://host/x"),
            ("extra=port=1 password=x", "extra=***"),
            ("no equals sign", "***"),
        ] {
            assert_eq!(blotted_item(item), expected);
        }
    }
}
