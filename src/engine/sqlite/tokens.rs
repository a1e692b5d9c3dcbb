//! SQLite's lexical grammar: text into tokens, and tokens into one normal text.
//!
//! The cuts are those of SQLite's own tokenizer (`tokenize.c`), so what SQLite accepted is cut
//! alike here. [`normal_text`] leaves comments and layout out and keeps every token as written;
//! it is injective: cutting its result again gives the same tokens.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum TokenKind {
    /// A bare word: a keyword or an identifier.
    Word,
    /// An identifier in `"…"`, `` `…` `` or `[…]`.
    Quoted,
    /// A string in `'…'`.
    Text,
    /// A blob, `x'…'`.
    Blob,
    /// A number.
    Number,
    /// A parameter.
    Variable,
    /// An operator or punctuation.
    Symbol,
    /// What SQLite would not accept.
    Illegal,
}

/// A token and the text it was written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: TokenKind,
    pub(super) text: &'t str,
}

impl<'t> Token<'t> {
    /// Whether this is the bare keyword, which must be given in upper case.
    pub(super) fn is_word(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    /// Whether this is the symbol.
    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text == symbol
    }

    /// The name this token stands for, quotes removed; `None` where it cannot be a name.
    pub(super) fn name(&self) -> Option<String> {
        match self.kind {
            TokenKind::Word => Some(self.text.to_owned()),
            TokenKind::Quoted | TokenKind::Text => Some(unquoted(self.text)),
            _ => None,
        }
    }
}

/// The tokens of a text, without spaces and comments.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (kind, length) = next_token(&bytes[at..]);
        // A cut inside a character cannot happen on valid text: cuts are at ASCII bytes. Should it,
        // the rest is one illegal token rather than a panic.
        let end = at.saturating_add(length.max(1)).min(bytes.len());
        let Some(piece) = text.get(at..end) else {
            let rest = text.get(at..).unwrap_or("\u{fffd}");
            found.push(Token { kind: TokenKind::Illegal, text: rest });
            break;
        };
        if let Some(kind) = kind {
            found.push(Token { kind, text: piece });
        }
        at = end;
    }
    found
}

/// The tokens as one text: one space between two tokens, except where punctuation reads better
/// without, and never where leaving it out would cut differently.
pub(super) fn normal_text(tokens: &[Token<'_>]) -> String {
    let mut text = String::new();
    let mut before: Option<&Token<'_>> = None;
    for token in tokens {
        if let Some(before) = before
            && needs_space(before, token)
        {
            text.push(' ');
        }
        text.push_str(token.text);
        before = Some(token);
    }
    text
}

/// The normal text of a text.
pub(super) fn normalised(text: &str) -> String {
    normal_text(&tokens(text))
}

/// Removes the quotes of a quoted token and undoubles the quote character in it.
pub(super) fn unquoted(text: &str) -> String {
    let mut characters = text.chars();
    let close = match characters.next() {
        Some('[') => ']',
        Some(quote @ ('"' | '\'' | '`')) => quote,
        _ => return text.to_owned(),
    };
    let mut name = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        if character == close && characters.next() != Some(close) {
            break;
        }
        name.push(character);
    }
    name
}

/// Words after which an opening bracket does not belong to them, as it does to a function's name.
const WORDS_BEFORE_BRACKETS: &[&str] = &[
    "AND",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "CHECK",
    "COLLATE",
    "DEFAULT",
    "DISTINCT",
    "ELSE",
    "EXCEPT",
    "EXISTS",
    "FROM",
    "GLOB",
    "IN",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LIKE",
    "LIMIT",
    "MATCH",
    "NOT",
    "OFFSET",
    "ON",
    "OR",
    "OVER",
    "PARTITION",
    "REGEXP",
    "RETURNING",
    "SELECT",
    "SET",
    "THEN",
    "UNION",
    "UNIQUE",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
];

fn needs_space(before: &Token<'_>, token: &Token<'_>) -> bool {
    let is_joined = token.is_symbol(",")
        || token.is_symbol(")")
        || token.is_symbol(";")
        || before.is_symbol("(")
        || is_call(before, token)
        || is_qualifier(before, token);
    !is_joined
}

fn is_call(before: &Token<'_>, token: &Token<'_>) -> bool {
    token.is_symbol("(")
        && before.kind == TokenKind::Word
        && !WORDS_BEFORE_BRACKETS.iter().any(|word| before.is_word(word))
}

fn is_qualifier(before: &Token<'_>, token: &Token<'_>) -> bool {
    let is_name = |token: &Token<'_>| matches!(token.kind, TokenKind::Word | TokenKind::Quoted);
    (token.is_symbol(".") && is_name(before)) || (before.is_symbol(".") && is_name(token))
}

/// A character that may stand inside an identifier.
fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\x0c' | b'\r')
}

/// How many of the bytes from `from` on satisfy the test.
fn run(bytes: &[u8], from: usize, test: impl Fn(u8) -> bool) -> usize {
    bytes.get(from..).unwrap_or_default().iter().take_while(|&&byte| test(byte)).count()
}

/// The kind and length of the token at the front; no kind for spaces and comments.
fn next_token(bytes: &[u8]) -> (Option<TokenKind>, usize) {
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let symbol = |length| (Some(TokenKind::Symbol), length);
    match at(0) {
        byte if is_space(byte) => (None, run(bytes, 0, is_space)),
        0xef if at(1) == 0xbb && at(2) == 0xbf => (None, 3),
        b'-' if at(1) == b'-' => (None, run(bytes, 0, |byte| byte != b'\n')),
        b'-' if at(1) == b'>' => symbol(if at(2) == b'>' { 3 } else { 2 }),
        b'/' if at(1) == b'*' && bytes.len() > 2 => (None, comment_length(bytes)),
        b'=' => symbol(if at(1) == b'=' { 2 } else { 1 }),
        b'<' => symbol(if matches!(at(1), b'=' | b'>' | b'<') { 2 } else { 1 }),
        b'>' => symbol(if matches!(at(1), b'=' | b'>') { 2 } else { 1 }),
        b'!' if at(1) == b'=' => symbol(2),
        b'|' => symbol(if at(1) == b'|' { 2 } else { 1 }),
        b'-' | b'(' | b')' | b';' | b'+' | b'*' | b'/' | b'%' | b',' | b'&' | b'~' => symbol(1),
        quote @ (b'\'' | b'"' | b'`') => quoted_token(bytes, quote),
        b'[' => match bytes.iter().position(|&byte| byte == b']') {
            Some(end) => (Some(TokenKind::Quoted), end + 1),
            None => (Some(TokenKind::Illegal), bytes.len()),
        },
        b'.' if !at(1).is_ascii_digit() => symbol(1),
        b'.' | b'0'..=b'9' => number_token(bytes),
        b'?' => (Some(TokenKind::Variable), 1 + run(bytes, 1, |byte| byte.is_ascii_digit())),
        b'$' | b'@' | b':' | b'#' => variable_token(bytes),
        b'x' | b'X' if at(1) == b'\'' => blob_token(bytes),
        byte if is_identifier(byte) => (Some(TokenKind::Word), run(bytes, 0, is_identifier)),
        _ => (Some(TokenKind::Illegal), 1),
    }
}

fn comment_length(bytes: &[u8]) -> usize {
    bytes[2..].windows(2).position(|pair| pair == b"*/").map_or(bytes.len(), |end| end + 4)
}

fn quoted_token(bytes: &[u8], quote: u8) -> (Option<TokenKind>, usize) {
    let mut at = 1;
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                let kind = if quote == b'\'' { TokenKind::Text } else { TokenKind::Quoted };
                return (Some(kind), at + 1);
            }
            at += 1;
        }
        at += 1;
    }
    (Some(TokenKind::Illegal), bytes.len())
}

fn number_token(bytes: &[u8]) -> (Option<TokenKind>, usize) {
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let digit = |byte: u8| byte.is_ascii_digit() || byte == b'_';
    let mut length;
    if at(0) == b'0' && matches!(at(1), b'x' | b'X') && at(2).is_ascii_hexdigit() {
        length = 2 + run(bytes, 2, |byte| byte.is_ascii_hexdigit() || byte == b'_');
    } else {
        length = run(bytes, 0, digit);
        if at(length) == b'.' {
            length += 1 + run(bytes, length + 1, digit);
        }
        let sign = usize::from(matches!(at(length + 1), b'+' | b'-'));
        if matches!(at(length), b'e' | b'E') && at(length + 1 + sign).is_ascii_digit() {
            length += 1 + sign;
            length += run(bytes, length, digit);
        }
    }
    match run(bytes, length, is_identifier) {
        0 => (Some(TokenKind::Number), length),
        more => (Some(TokenKind::Illegal), length + more),
    }
}

fn variable_token(bytes: &[u8]) -> (Option<TokenKind>, usize) {
    let mut at = 1;
    let mut letters = 0;
    while at < bytes.len() {
        if is_identifier(bytes[at]) {
            letters += 1;
        } else if bytes[at] == b'(' && letters > 0 {
            at += run(bytes, at, |byte| !is_space(byte) && byte != b')');
            return match bytes.get(at) {
                Some(b')') => (Some(TokenKind::Variable), at + 1),
                _ => (Some(TokenKind::Illegal), at),
            };
        } else if bytes[at] == b':' && bytes.get(at + 1) == Some(&b':') {
            at += 1;
        } else {
            break;
        }
        at += 1;
    }
    (Some(if letters == 0 { TokenKind::Illegal } else { TokenKind::Variable }), at)
}

fn blob_token(bytes: &[u8]) -> (Option<TokenKind>, usize) {
    let digits = run(bytes, 2, |byte| byte.is_ascii_hexdigit());
    if bytes.get(2 + digits) == Some(&b'\'') && digits.is_multiple_of(2) {
        return (Some(TokenKind::Blob), digits + 3);
    }
    let length = 2 + run(bytes, 2, |byte| byte != b'\'');
    (Some(TokenKind::Illegal), (length + 1).min(bytes.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str) -> Vec<(TokenKind, &str)> {
        tokens(text).into_iter().map(|token| (token.kind, token.text)).collect()
    }

    #[test]
    fn tokens_are_cut_as_sqlite_cuts_them() {
        use TokenKind::{Blob, Illegal, Number, Quoted, Symbol, Text, Variable, Word};
        assert_eq!(
            cut(
                "a\"b\"\"c\"[d e]`f`'g''h'x'0aFF' -- no\n/* no */1.5e-3.5 0x1F 1_000 ?1 :a $b::c(d)"
            ),
            vec![
                (Word, "a"),
                (Quoted, "\"b\"\"c\""),
                (Quoted, "[d e]"),
                (Quoted, "`f`"),
                (Text, "'g''h'"),
                (Blob, "x'0aFF'"),
                (Number, "1.5e-3"),
                (Number, ".5"),
                (Number, "0x1F"),
                (Number, "1_000"),
                (Variable, "?1"),
                (Variable, ":a"),
                (Variable, "$b::c(d)"),
            ]
        );
        assert_eq!(
            cut("a->>b<>c||d!=e<<f"),
            vec![
                (Word, "a"),
                (Symbol, "->>"),
                (Word, "b"),
                (Symbol, "<>"),
                (Word, "c"),
                (Symbol, "||"),
                (Word, "d"),
                (Symbol, "!="),
                (Word, "e"),
                (Symbol, "<<"),
                (Word, "f"),
            ]
        );
        assert_eq!(cut("12ab"), vec![(Illegal, "12ab")]);
        assert_eq!(cut("x'0g'"), vec![(Illegal, "x'0g'")]);
        assert_eq!(cut("'open"), vec![(Illegal, "'open")]);
        assert_eq!(cut("/* open"), vec![]);
        assert_eq!(cut("a /"), vec![(Word, "a"), (Symbol, "/")]);
        assert_eq!(cut("größe é"), vec![(Word, "größe"), (Word, "é")]);
    }

    #[test]
    fn quotes_come_off() {
        assert_eq!(unquoted("\"a\"\"b\""), "a\"b");
        assert_eq!(unquoted("[a b]"), "a b");
        assert_eq!(unquoted("`a``b`"), "a`b");
        assert_eq!(unquoted("'it''s'"), "it's");
        assert_eq!(unquoted("bare"), "bare");
    }

    #[test]
    fn layout_and_comments_do_not_count() {
        let text = "CHECK(price>0/* why */AND length( name )<=10 -- end\n)";
        assert_eq!(normalised(text), "CHECK (price > 0 AND length(name) <= 10)");
        assert_eq!(normalised("VARCHAR ( 10 , 2 )"), "VARCHAR(10, 2)");
        assert_eq!(normalised("t . \"a\" . 1"), "t.\"a\". 1");
    }

    proptest! {
        #[test]
        fn any_text_is_cut_without_panic_and_the_normal_text_cuts_alike(text in "\\PC*|[ -~\\n]{0,60}") {
            let first = tokens(&text);
            let normal = normal_text(&first);
            // An unterminated token swallows what follows it, so only legal texts are compared.
            if first.iter().all(|token| token.kind != TokenKind::Illegal) {
                prop_assert_eq!(cut(&text), cut(&normal));
            }
        }
    }
}
