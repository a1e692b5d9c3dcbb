//! The lexer of statements that MySQL and MariaDB print (SHOW CREATE, SHOW GRANTS).
//!
//! Tokens are cut on demand, so that the head of a routine can be read without looking into its
//! body. Executable comments (`/*!50100 … */`, `/*M!100301 … */`) are opened, other comments are
//! dropped. A statement is cut under the `sql_mode` it was created in, which decides what `"` and
//! `\` mean. Nothing here fails: what is not closed goes to the end, and whoever reads refuses it.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::mysql) enum Kind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in quotes.
    Name,
    /// A string.
    Text,
    /// A number.
    Number,
    /// Any other character.
    Symbol,
}

/// A piece of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::mysql) struct Token<'t> {
    pub(in crate::engine::mysql) kind: Kind,
    /// As it was written, quotes included.
    pub(in crate::engine::mysql) text: &'t str,
    /// Where it begins in the statement.
    pub(in crate::engine::mysql) start: usize,
    /// Whether something that is no token stands before it.
    pub(in crate::engine::mysql) has_gap: bool,
}

/// What quotes and backslashes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::engine::mysql) struct Mode {
    /// `"` quotes names.
    pub(in crate::engine::mysql) ansi_quotes: bool,
    /// `\` is an ordinary character.
    pub(in crate::engine::mysql) no_backslash_escapes: bool,
}

impl Mode {
    /// The mode of a `sql_mode` list.
    pub(in crate::engine::mysql) fn of(sql_mode: &str) -> Mode {
        let has = |wanted: &str| sql_mode.split(',').any(|word| word.eq_ignore_ascii_case(wanted));
        Mode { ansi_quotes: has("ANSI_QUOTES"), no_backslash_escapes: has("NO_BACKSLASH_ESCAPES") }
    }
}

impl<'t> Token<'t> {
    /// Where it ends in the statement.
    pub(in crate::engine::mysql) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this keyword.
    pub(in crate::engine::mysql) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is this character.
    pub(in crate::engine::mysql) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// The name it is, without quotes.
    pub(in crate::engine::mysql) fn name(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(self.text.to_owned()),
            Kind::Name => {
                let quote = self.text.get(..1)?;
                let inner = self.text.get(1..)?.strip_suffix(quote)?;
                Some(inner.replace(&quote.repeat(2), quote))
            }
            _ => None,
        }
    }

    /// The string it is, as the server prints strings in SHOW CREATE TABLE.
    pub(in crate::engine::mysql) fn string(&self) -> Option<String> {
        if self.kind != Kind::Text {
            return None;
        }
        let quote = self.text.chars().next()?;
        let inner = self.text.get(1..)?.strip_suffix(quote)?;
        let mut out = String::with_capacity(inner.len());
        let mut characters = inner.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => match characters.next()? {
                    '0' => out.push('\0'),
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    'b' => out.push('\u{8}'),
                    'Z' => out.push('\u{1a}'),
                    wild @ ('%' | '_') => out.extend(['\\', wild]),
                    other => out.push(other),
                },
                doubled if doubled == quote => {
                    characters.next();
                    out.push(quote);
                }
                other => out.push(other),
            }
        }
        Some(out)
    }
}

/// Cuts a statement on demand.
#[derive(Debug, Clone)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    mode: Mode,
    open_comments: usize,
}

/// All tokens of a text in the default mode.
pub(in crate::engine::mysql) fn cut(text: &str) -> Vec<Token<'_>> {
    Lexer::new(text, Mode::default()).collect()
}

impl<'t> Lexer<'t> {
    /// A lexer at the beginning of a statement.
    pub(super) fn new(text: &'t str, mode: Mode) -> Lexer<'t> {
        Lexer { text, at: 0, mode, open_comments: 0 }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Moves past blanks and comments; whether there were any.
    fn skip(&mut self) -> bool {
        let begin = self.at;
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start().len();
            if blanks > 0 {
                self.at += blanks;
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let executable = comment.strip_prefix("M!").or_else(|| comment.strip_prefix('!'));
                match executable {
                    Some(inner) => {
                        let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
                        self.at += rest.len() - inner.len() + digits;
                        self.open_comments += 1;
                    }
                    None => {
                        self.at += comment.find("*/").map_or(rest.len(), |end| end + 4);
                    }
                }
            } else if self.open_comments > 0 && rest.starts_with("*/") {
                self.at += 2;
                self.open_comments -= 1;
            } else if rest.starts_with('#') || is_dash_comment(rest) {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else {
                return self.at > begin;
            }
        }
    }

    /// The length of a quoted piece at the beginning of `rest`.
    fn quoted_length(&self, rest: &str, quote: u8, escapes: bool) -> usize {
        let bytes = rest.as_bytes();
        let mut at = 1;
        while let Some(&byte) = bytes.get(at) {
            if byte == b'\\' && escapes {
                at += 2;
            } else if byte == quote {
                if bytes.get(at + 1) != Some(&quote) {
                    return at + 1;
                }
                at += 2;
            } else {
                at += 1;
            }
        }
        rest.len()
    }
}

impl<'t> Iterator for Lexer<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        let has_gap = self.skip();
        let rest = self.rest();
        let first = rest.chars().next()?;
        let escapes = !self.mode.no_backslash_escapes;
        let (kind, length) = match first {
            '`' => (Kind::Name, self.quoted_length(rest, b'`', false)),
            '"' if self.mode.ansi_quotes => (Kind::Name, self.quoted_length(rest, b'"', false)),
            '\'' => (Kind::Text, self.quoted_length(rest, b'\'', escapes)),
            '"' => (Kind::Text, self.quoted_length(rest, b'"', escapes)),
            '0'..='9' => (Kind::Number, number_length(rest)),
            _ if is_word(first) => {
                (Kind::Word, rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()))
            }
            _ => (Kind::Symbol, first.len_utf8()),
        };
        let text = rest.get(..length).unwrap_or(rest);
        let token = Token { kind, text, start: self.at, has_gap };
        self.at += text.len();
        Some(token)
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$') || !character.is_ascii()
}

/// `--` begins a comment only before a blank or at the end.
fn is_dash_comment(rest: &str) -> bool {
    rest.strip_prefix("--").is_some_and(|after| {
        after.chars().next().is_none_or(|c| c.is_whitespace() || c.is_control())
    })
}

fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let is_hex = rest.starts_with("0x");
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        let is_exponent_sign = matches!(byte, b'+' | b'-')
            && !is_hex
            && matches!(bytes[at - 1], b'e' | b'E')
            && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
        if !(byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_' || is_exponent_sign) {
            break;
        }
        at += 1;
    }
    at
}

/// Tokens as text: one blank where something stood between them.
pub(super) fn text_of(tokens: &[Token<'_>]) -> String {
    let mut out = String::new();
    for (at, token) in tokens.iter().enumerate() {
        if at > 0 && token.has_gap {
            out.push(' ');
        }
        out.push_str(token.text);
    }
    out
}

/// The place after the bracket that closes the one at the beginning.
pub(super) fn closing(tokens: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(at + 1);
            }
        } else if depth == 0 {
            return None;
        }
    }
    None
}

/// Cut at the commas that stand in no brackets.
pub(super) fn split<'s, 't>(tokens: &'s [Token<'t>]) -> Vec<&'s [Token<'t>]> {
    let mut parts = Vec::new();
    let (mut depth, mut begin) = (0i64, 0);
    for (at, token) in tokens.iter().enumerate() {
        match (token.kind, token.text) {
            (Kind::Symbol, "(") => depth += 1,
            (Kind::Symbol, ")") => depth -= 1,
            (Kind::Symbol, ",") if depth == 0 => {
                parts.push(&tokens[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    if begin < tokens.len() {
        parts.push(&tokens[begin..]);
    }
    parts
}

/// Without the brackets around the whole, however many.
pub(super) fn unbracketed<'s, 't>(mut tokens: &'s [Token<'t>]) -> &'s [Token<'t>] {
    while tokens.len() > 2 && closing(tokens) == Some(tokens.len()) {
        tokens = &tokens[1..tokens.len() - 1];
    }
    tokens
}

/// Where in the tokens the own database is named before something of its own.
///
/// Where the database's name is also that of something else in the text (an alias), only
/// `` `db`.`t`.`c` `` is sure to name the database.
fn own_names(tokens: &[Token<'_>], database: &str) -> Vec<usize> {
    let is_own = |at: usize| {
        tokens
            .get(at)
            .is_some_and(|t| t.kind == Kind::Name && t.name().as_deref() == Some(database))
    };
    let is_dot = |at: usize| tokens.get(at).is_some_and(|t| t.is_symbol("."));
    let qualifies = |at: usize| is_own(at) && is_dot(at + 1) && !(at > 0 && is_dot(at - 1));
    let is_ambiguous = (0..tokens.len()).any(|at| is_own(at) && !qualifies(at));
    let is_sure = |at: &usize| qualifies(*at) && (is_dot(at + 3) || !is_ambiguous);
    (0..tokens.len()).filter(is_sure).collect()
}

/// Tokens without the name of their own database, and what they named in it: `` `db`.`t` `` becomes
/// `` `t` ``, where that is sure.
pub(super) fn without_own<'t>(
    tokens: &[Token<'t>],
    database: &str,
) -> (Vec<Token<'t>>, Vec<String>) {
    let own = own_names(tokens, database);
    let (mut kept, mut named) = (Vec::with_capacity(tokens.len()), Vec::new());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if own.binary_search(&at).is_ok() {
            if let Some(object) = tokens.get(at + 2) {
                named.extend(object.name());
                kept.push(Token { has_gap: token.has_gap, ..*object });
            }
            at += 3;
        } else {
            kept.push(*token);
            at += 1;
        }
    }
    (kept, named)
}

/// A statement without the name of its own database, where that is sure.
pub(super) fn text_without_own(text: &str, database: &str) -> String {
    let tokens = cut(text);
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for at in own_names(&tokens, database) {
        out.push_str(text.get(copied..tokens[at].start).unwrap_or_default());
        copied = tokens.get(at + 2).map_or(text.len(), |object| object.start);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        cut(text).iter().map(|token| token.text).collect()
    }

    #[test]
    fn executable_comments_are_opened_and_others_dropped() {
        let text = "a /*!50100 PARTITION BY x */ /* no */ b /*M!100301 COMPRESSED*/ -- end\nc";
        assert_eq!(texts(text), ["a", "PARTITION", "BY", "x", "b", "COMPRESSED", "c"]);
    }

    #[test]
    fn strings_and_names_are_read_back() {
        let tokens = cut(r"`a``b` 'it''s \n x\\' 1.5e-3 -1");
        assert_eq!(tokens[0].name().as_deref(), Some("a`b"));
        assert_eq!(tokens[1].string().as_deref(), Some("it's \n x\\"));
        assert_eq!(tokens[2].text, "1.5e-3");
        assert_eq!((tokens[3].text, tokens[4].text), ("-", "1"));
        let ansi = Mode::of("ANSI_QUOTES,NO_BACKSLASH_ESCAPES");
        let tokens: Vec<_> = Lexer::new(r#""a" 'x\' y"#, ansi).collect();
        assert_eq!(tokens[0].kind, Kind::Name);
        assert_eq!((tokens[1].text, tokens[2].text), (r"'x\'", "y"));
    }

    #[test]
    fn what_is_not_closed_ends_with_the_text() {
        for text in ["'abc", "`a", "/* x", "/*!50100 a", "'a\\", "((", "\"", "--"] {
            let _ = cut(text);
            let _ = cut(text).first().map(|token| (token.name(), token.string()));
        }
        assert_eq!(closing(&cut("(a")), None);
        assert_eq!(closing(&cut("a)")), None);
    }

    #[test]
    fn the_own_database_is_left_out_where_it_is_sure() {
        let strip = |text: &str| {
            let tokens = text_of(&without_own(&cut(text), "db").0);
            assert_eq!(tokens, text_without_own(text, "db"));
            tokens
        };
        assert_eq!(strip("`db`.`t`.`a` from `db`.`t`"), "`t`.`a` from `t`");
        assert_eq!(strip("select `db`.`f`(1)"), "select `f`(1)");
        assert_eq!(strip("`o`.`db`.`c`, `db`.`c`"), "`o`.`db`.`c`, `db`.`c`");
        // An alias with the database's name.
        assert_eq!(strip("`db`.`a` from `db`.`t` `db`"), "`db`.`a` from `db`.`t` `db`");
    }
}
