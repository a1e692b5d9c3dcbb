//! Storage engines: which of them hold the rows of their tables, and which keep secrets in them.

use super::tokens::{Kind, Lexer, Mode};

/// What is to be said of the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::mysql) enum Rows {
    /// A transaction reads them as of its snapshot.
    Consistent,
    /// They are read as they are at the moment of reading.
    AsTheyAre,
    /// They are elsewhere, and are not read: why.
    Elsewhere(&'static str),
}

/// What is to be said of the rows in a table of this engine.
pub(in crate::engine::mysql) fn rows_of(engine: &str) -> Rows {
    match engine.to_ascii_lowercase().as_str() {
        "innodb" | "rocksdb" | "myrocks" | "tokudb" | "xtradb" => Rows::Consistent,
        "mrg_myisam" | "mrg_aria" | "merge" => {
            Rows::Elsewhere("they belong to the tables under it")
        }
        "federated" | "spider" | "ndb" | "ndbcluster" => {
            Rows::Elsewhere("they belong to another server")
        }
        "connect" => Rows::Elsewhere("they belong to a file or another server"),
        "s3" => Rows::Elsewhere("they lie in an object store"),
        "sphinx" | "sphinxse" | "oqgraph" | "sequence" | "performance_schema" => {
            Rows::Elsewhere("the engine computes them")
        }
        _ => Rows::AsTheyAre,
    }
}

/// Whether tables of an engine hold the address of another server, with a password perhaps.
pub(super) fn may_hold_secrets(engine: &str) -> bool {
    ["federated", "spider", "connect", "s3", "sphinx"]
        .contains(&engine.to_ascii_lowercase().as_str())
}

const HIDDEN: &str = "***";

/// A statement whose strings hold no password and no key any more.
pub(super) fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    let mut secret_follows = false;
    for token in Lexer::new(text, Mode::default()) {
        if token.kind == Kind::Text {
            out.push_str(text.get(copied..token.start).unwrap_or_default());
            copied = token.end();
            match secret_follows {
                true => out.push_str(&format!("'{HIDDEN}'")),
                false => out.push_str(&redacted_string(token.text)),
            }
        }
        secret_follows = match token.kind {
            Kind::Word | Kind::Name => is_secret(&token.name().unwrap_or_default()),
            Kind::Symbol => secret_follows && token.text == "=",
            _ => false,
        };
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passwd", "pwd", "secret", "access_key"].iter().any(|word| name.contains(word))
}

/// A string literal without the password of a URL, and without what follows a word for one.
fn redacted_string(literal: &str) -> String {
    let mut out = literal.to_owned();
    if let Some((scheme, rest)) = literal.split_once("://")
        && let Some((account, place)) = rest.rsplit_once('@')
        && let Some((user, _)) = account.split_once(':')
    {
        out = format!("{scheme}://{user}:{HIDDEN}@{place}");
    }
    let lower = out.to_ascii_lowercase();
    let found = ["password", "passwd", "pwd", "secret", "access_key"]
        .iter()
        .filter_map(|word| lower.find(word).map(|at| at + word.len()))
        .min();
    match found {
        // What a password looks like in there is not known: nothing after the word is kept.
        Some(end) => format!("{} {HIDDEN}'", out.get(..end).unwrap_or_default()),
        None => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x10_no_secret_is_left() {
        for text in [
            "CONNECTION='mysql://me:ge:heim@host:3306/d/t'",
            "COMMENT='wrapper \"mysql\", srv \"s\", user \"me\", password \"geheim\"'",
            "CONNECTION='Driver=x;PWD=geheim;Server=y' `TABLE_TYPE`='ODBC'",
            "`PASSWORD`='geheim' `HOST`='h'",
            "PASSWORD 'geheim'",
        ] {
            assert!(!redacted(text).contains("heim"), "{}", redacted(text));
        }
        let text = "CONNECTION='server/table' COMMENT='the word'";
        assert_eq!(redacted(text), text);
    }
}
