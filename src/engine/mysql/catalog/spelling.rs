//! One spelling for what MySQL and MariaDB, and their versions, spell differently.
//!
//! Only what is the same thing for the server is brought together here, each rule being listed in
//! `docs/guarantees.md`; what might mean something else is left as it is written.

use super::tokens::{Kind, Token, text_of, unbracketed};

/// Integer types and the widths that are shown where none was asked for: signed, unsigned.
const WIDTHS: [(&str, &str, &str); 5] = [
    ("tinyint", "4", "3"),
    ("smallint", "6", "5"),
    ("mediumint", "9", "8"),
    ("int", "11", "10"),
    ("bigint", "20", "20"),
];

/// A column's type: without the display width that says nothing, words in lower case.
///
/// MySQL 8.0.19 and later show no width, except of `tinyint(1)` and ZEROFILL.
pub(super) fn type_name(written: &str) -> String {
    let (word, rest) = match written.find(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        Some(at) => written.split_at(at),
        None => (written, ""),
    };
    let word = word.to_ascii_lowercase();
    let is_filled = rest.to_ascii_lowercase().contains("zerofill");
    let (arguments, flags) = match rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
        Some((arguments, flags)) if !arguments.contains(['\'', '"']) => (Some(arguments), flags),
        _ => return format!("{word}{rest}"),
    };
    let flags = flags.to_ascii_lowercase();
    let is_unsigned = flags.contains("unsigned");
    let says_nothing = !is_filled
        && (word == "year"
            || WIDTHS.iter().any(|(name, signed, unsigned)| {
                word == *name && arguments == Some(if is_unsigned { unsigned } else { signed })
            }));
    match arguments {
        Some(arguments) if !says_nothing => format!("{word}({arguments}){flags}"),
        _ => format!("{word}{flags}"),
    }
}

/// A character set or collation: `utf8` has been an alias of `utf8mb3`, and is shown as either.
pub(super) fn charset(name: &str) -> String {
    match name.strip_prefix("utf8") {
        Some("") => "utf8mb3".to_owned(),
        Some(rest) if rest.starts_with('_') => format!("utf8mb3{rest}"),
        _ => name.to_owned(),
    }
}

/// Whether a type's values are numbers, whose defaults one server quotes and the other does not.
fn is_numeric(type_name: &str) -> bool {
    let word = type_name.split(['(', ' ']).next().unwrap_or_default();
    let others = ["decimal", "float", "double", "year"];
    WIDTHS.iter().any(|(name, _, _)| *name == word) || others.contains(&word)
}

/// A column's default: without brackets around an expression or quotes around a number.
pub(super) fn default(tokens: &[Token<'_>], type_name: &str) -> String {
    match tokens {
        [literal] if literal.kind == Kind::Text && is_numeric(type_name) => {
            literal.string().unwrap_or_else(|| literal.text.to_owned())
        }
        _ => now(tokens).unwrap_or_else(|| text_of(unbracketed(tokens))),
    }
}

/// `current_timestamp()`, `now()` and their like, as a default or after ON UPDATE.
pub(super) fn now(tokens: &[Token<'_>]) -> Option<String> {
    let (word, rest) = tokens.split_first()?;
    let names = ["current_timestamp", "now", "localtime", "localtimestamp"];
    if !names.iter().any(|name| word.is(name)) {
        return None;
    }
    let texts: Vec<&str> = rest.iter().map(|token| token.text).collect();
    match texts.as_slice() {
        [] | ["(", ")"] | ["(", "0", ")"] => Some("CURRENT_TIMESTAMP".to_owned()),
        ["(", digits, ")"] => Some(format!("CURRENT_TIMESTAMP({digits})")),
        _ => None,
    }
}

/// Partitioning as text: quotes around names that need none differ between the servers.
pub(super) fn unquoted(tokens: &[Token<'_>]) -> String {
    let mut out = String::new();
    for (at, token) in tokens.iter().enumerate() {
        if at > 0 && token.has_gap && !token.is_symbol("(") {
            out.push(' ');
        }
        let is_plain = |name: &String| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && name.chars().any(|c| !c.is_ascii_digit())
        };
        match token.kind {
            Kind::Name => match token.name().filter(is_plain) {
                Some(name) => out.push_str(&name),
                None => out.push_str(token.text),
            },
            Kind::Word => out.push_str(token.text),
            _ => out.push_str(token.text),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tokens::cut;
    use super::*;

    #[test]
    fn m5_widths_that_say_nothing_go() {
        for (written, spelled) in [
            ("int(11)", "int"),
            ("int(10) unsigned", "int unsigned"),
            ("int(5)", "int(5)"),
            ("int(10) unsigned zerofill", "int(10) unsigned zerofill"),
            ("tinyint(1)", "tinyint(1)"),
            ("bigint(20)", "bigint"),
            ("year(4)", "year"),
            ("varchar(20)", "varchar(20)"),
            ("ENUM('a)','B')", "enum('a)','B')"),
            ("decimal(10,2) unsigned", "decimal(10,2) unsigned"),
        ] {
            assert_eq!(type_name(written), spelled);
        }
    }

    #[test]
    fn m2_utf8_is_utf8mb3() {
        assert_eq!(charset("utf8"), "utf8mb3");
        assert_eq!(charset("utf8_bin"), "utf8mb3_bin");
        assert_eq!(charset("utf8mb4_0900_ai_ci"), "utf8mb4_0900_ai_ci");
    }

    #[test]
    fn defaults_in_one_spelling() {
        let spelled = |text: &str, of: &str| default(&cut(text), of);
        assert_eq!(spelled("'5'", "int"), "5");
        assert_eq!(spelled("5", "int"), "5");
        assert_eq!(spelled("'5'", "varchar(3)"), "'5'");
        assert_eq!(spelled("current_timestamp(3)", "datetime(3)"), "CURRENT_TIMESTAMP(3)");
        assert_eq!(spelled("CURRENT_TIMESTAMP", "datetime"), "CURRENT_TIMESTAMP");
        assert_eq!(spelled("((1 + 2))", "int"), "1 + 2");
        assert_eq!(spelled("(1) + (2)", "int"), "(1) + (2)");
        assert_eq!(spelled("b'101'", "bit(3)"), "b'101'");
    }
}
