//! Pieces of SQL text: quoted names and string literals.
//!
//! A name travels in the client's encoding, which while rows are read is the server's. Only ASCII
//! is the same in both, so other characters are written as Unicode escapes there.

use crate::model::ObjectName;

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
}
