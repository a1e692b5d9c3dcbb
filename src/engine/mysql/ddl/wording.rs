//! Names, strings and pieces of SQL that come from facts, as text that cannot end where it stands.
//!
//! What the server printed (types, expressions, queries) is used as it was printed; it is cut into
//! tokens only to see which columns it names. Names and strings are quoted here.

use crate::engine::ddl::text;
use crate::engine::mysql::catalog::tokens::{Kind, Mode, Token, cut};
use crate::engine::mysql::sql::quoted;
use crate::model::Fact;

/// The quoted name of a fact's object.
pub(super) fn object(fact: &Fact) -> String {
    quoted(&fact.id.object.name)
}

/// Quoted names, with commas between them.
pub(super) fn names(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    quoted.join(", ")
}

/// A string as DDL takes it, where no literal in hexadecimal is allowed.
pub(super) fn string(content: &str) -> String {
    string_under(content, Mode::default())
}

/// A string under an SQL mode.
pub(super) fn string_under(content: &str, mode: Mode) -> String {
    let mut out = String::with_capacity(content.len() + 2);
    out.push('\'');
    for character in content.chars() {
        match character {
            '\'' => out.push_str("''"),
            '\\' if !mode.no_backslash_escapes => out.push_str("\\\\"),
            '\n' if !mode.no_backslash_escapes => out.push_str("\\n"),
            '\r' if !mode.no_backslash_escapes => out.push_str("\\r"),
            '\0' if !mode.no_backslash_escapes => out.push_str("\\0"),
            '\u{1a}' if !mode.no_backslash_escapes => out.push_str("\\Z"),
            other => out.push(other),
        }
    }
    out.push('\'');
    out
}

/// A word that needs no quotes: the name of a charset, an engine, an option.
pub(super) fn word(content: &str) -> Result<&str, String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
    match !content.is_empty() && content.chars().all(is_word) {
        true => Ok(content),
        false => Err(format!("`{content}` is no word that MySQL would print")),
    }
}

/// An attribute that is a word.
pub(super) fn word_of<'f>(fact: &'f Fact, attribute: &str) -> Result<Option<&'f str>, String> {
    text(fact, attribute).map(word).transpose()
}

/// An account, from how the server prints it.
pub(super) fn account(printed: &str) -> Result<String, String> {
    let tokens = cut(printed);
    let part = |token: &Token<'_>| {
        let name = token.name().or_else(|| token.string());
        name.map(|name| quoted(&name)).ok_or_else(|| format!("`{printed}` is no account"))
    };
    match tokens.as_slice() {
        [role] => part(role),
        [user, at, host] if at.is_symbol("@") => Ok(format!("{}@{}", part(user)?, part(host)?)),
        _ => Err(format!("`{printed}` is no account")),
    }
}

/// Whether a text is one expression: every bracket in it is closed, and no string or name is open.
pub(super) fn is_whole(expression: &str) -> bool {
    let mut depth = 0usize;
    let mut covered = 0;
    for token in cut(expression) {
        match (token.kind, token.text) {
            (Kind::Symbol, "(") => depth += 1,
            (Kind::Symbol, ")") => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            (Kind::Symbol, ";") => return false,
            (Kind::Text, _) if token.string().is_none() => return false,
            (Kind::Name, _) if token.name().is_none() => return false,
            _ => {}
        }
        covered = token.end();
    }
    // What the lexer passes over at the end would be a comment that swallows what follows.
    depth == 0 && expression.get(covered..).is_some_and(|rest| rest.trim().is_empty())
}

/// An expression in brackets.
pub(super) fn bracketed(expression: &str) -> Result<String, String> {
    match is_whole(expression) {
        true => Ok(format!("({expression})")),
        false => Err(format!("`{expression}` is not understood as an expression")),
    }
}

/// The names that an expression has in quotes, and its words: columns are among them.
pub(super) fn named(expression: &str) -> Vec<String> {
    cut(expression).iter().filter_map(Token::name).collect()
}
