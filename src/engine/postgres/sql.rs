//! Pieces of SQL text: quoted names and string literals, and what a statement is.
//!
//! A name travels in the client's encoding, which while rows are read is the server's. Only ASCII
//! is the same in both, so other characters are written as Unicode escapes there.

use crate::model::ObjectName;

/// How much of a statement an error message shows.
const SHOWN_SQL: usize = 120;

/// A quoted name, as a server whose encoding is UTF-8 takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A quoted name of ASCII characters alone.
pub(super) fn escaped(name: &str) -> String {
    if name.is_ascii() {
        return quoted(name);
    }
    let mut text = String::from("U&\"");
    push_escaped(&mut text, name, '"');
    text.push('"');
    text
}

/// A string literal of ASCII characters alone, under `standard_conforming_strings`.
pub(super) fn literal(text: &str) -> String {
    if text.is_ascii() {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut sql = String::from("U&'");
    push_escaped(&mut sql, text, '\'');
    sql.push('\'');
    sql
}

fn push_escaped(out: &mut String, text: &str, quote: char) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push(c);
                out.push(c);
            }
            c if c.is_ascii() => out.push(c),
            c => out.push_str(&format!("\\+{:06X}", u32::from(c))),
        }
    }
}

/// The encoding of a server's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerEncoding {
    /// The server's name of it.
    pub(super) name: String,
}

impl ServerEncoding {
    /// Whether text is known to be UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        self.name == "UTF8"
    }

    /// A quoted name. A server without an encoding takes bytes as they come, and knows no
    /// character to escape.
    pub(super) fn quoted(&self, name: &str) -> String {
        if self.is_utf8() || self.name == "SQL_ASCII" { quoted(name) } else { escaped(name) }
    }

    /// A quoted name with its schema.
    pub(super) fn qualified(&self, name: &ObjectName) -> String {
        format!("{}.{}", self.quoted(&name.schema), self.quoted(&name.name))
    }

    /// A string literal.
    pub(super) fn literal(&self, text: &str) -> String {
        if self.is_utf8() || self.name == "SQL_ASCII" {
            format!("'{}'", text.replace('\'', "''"))
        } else {
            literal(text)
        }
    }
}

/// Whether what the server counts for a statement is rows that it changed.
pub(super) fn changes_rows(statement: &str) -> bool {
    let mut rest = statement.trim_start();
    loop {
        let after = match rest.get(..2) {
            Some("--") => rest.split_once('\n'),
            Some("/*") => rest.split_once("*/"),
            _ => break,
        };
        rest = after.map_or("", |(_, after)| after.trim_start());
    }
    let verb: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
    ["INSERT", "UPDATE", "DELETE", "MERGE"].iter().any(|known| verb.eq_ignore_ascii_case(known))
}

/// What an error says was being done: the head of the statement.
pub(super) fn shown(sql: &str) -> String {
    let sql = sql.trim_start();
    let mut head: String = sql.chars().take(SHOWN_SQL).collect();
    if head.len() < sql.len() {
        head.push('…');
    }
    format!("run `{}` on", head.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_literals_are_quoted() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(escaped("é\"\\"), "U&\"\\+0000E9\"\"\\\\\"");
        assert_eq!(literal("o'k\\"), "'o''k\\'");
        assert_eq!(literal("é'\\"), "U&'\\+0000E9''\\\\'");
    }

    #[test]
    fn only_changes_are_counted() {
        for sql in ["INSERT INTO t", "  -- x\n/* y */ update t", "DELETE FROM t"] {
            assert!(changes_rows(sql), "{sql}");
        }
        for sql in ["SELECT 1", "", "-- UPDATE", "/* UPDATE", "CREATE TABLE t()", "é"] {
            assert!(!changes_rows(sql), "{sql}");
        }
    }
}
