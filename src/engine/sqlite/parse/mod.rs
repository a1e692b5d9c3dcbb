//! Understanding the statements that SQLite keeps in `sqlite_schema`.
//!
//! Only what the pragmas do not tell is taken from the text, and what they do tell is compared
//! with them (`catalog`). The texts were accepted by SQLite, so this parser checks no more than it
//! needs to be sure that it reads them right; what it does not understand is an error, never a
//! guess. Expressions are kept as normal token text and not interpreted.

mod index;
mod table;
mod trigger;
mod view;

pub(super) use index::{CreateIndex, IndexTerm, parse_index};
pub(super) use table::{
    CheckClause, ColumnClause, CreateTable, ForeignKeyClause, KeyClause, KeyTerm, normal_default,
    parse_table,
};
pub(super) use trigger::{CreateTrigger, parse_trigger};
pub(super) use view::{CreateView, CreateVirtualTable, parse_view, parse_virtual_table};

use super::tokens::{Token, TokenKind, normal_text, tokens};

/// A statement that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct ParseError(String);

impl ParseError {
    fn new(message: impl Into<String>) -> ParseError {
        ParseError(message.into())
    }
}

/// A place in the tokens of one statement.
struct Cursor<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t str) -> Result<Cursor<'t>, ParseError> {
        let tokens = tokens(text);
        match tokens.iter().find(|token| token.kind == TokenKind::Illegal) {
            Some(token) => Err(ParseError::new(format!("`{}` is no SQL", clipped(token.text)))),
            None => Ok(Cursor { tokens, at: 0 }),
        }
    }

    fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.at)
    }

    fn peek_after(&self, ahead: usize) -> Option<&Token<'t>> {
        self.tokens.get(self.at + ahead)
    }

    fn next(&mut self) -> Option<Token<'t>> {
        let token = self.tokens.get(self.at).copied();
        self.at += usize::from(token.is_some());
        token
    }

    fn is_word(&self, keyword: &str) -> bool {
        self.peek().is_some_and(|token| token.is_word(keyword))
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        self.peek().is_some_and(|token| token.is_symbol(symbol))
    }

    /// Takes the keywords if they are all there, in this order.
    fn take_words(&mut self, keywords: &[&str]) -> bool {
        let are_there = keywords.iter().enumerate().all(|(ahead, keyword)| {
            self.peek_after(ahead).is_some_and(|token| token.is_word(keyword))
        });
        if are_there {
            self.at += keywords.len();
        }
        are_there
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let is_there = self.is_symbol(symbol);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect_words(&mut self, keywords: &[&str]) -> Result<(), ParseError> {
        if self.take_words(keywords) { Ok(()) } else { Err(self.unexpected(&keywords.join(" "))) }
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), ParseError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(symbol)) }
    }

    fn expect_name(&mut self, what: &str) -> Result<String, ParseError> {
        let name = self.peek().and_then(Token::name).ok_or_else(|| self.unexpected(what))?;
        self.at += 1;
        Ok(name)
    }

    fn expect_end(&mut self) -> Result<(), ParseError> {
        while self.take_symbol(";") {}
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected("the end")),
        }
    }

    fn unexpected(&self, wanted: &str) -> ParseError {
        match self.peek() {
            Some(token) => {
                ParseError::new(format!("expected {wanted}, found `{}`", clipped(token.text)))
            }
            None => ParseError::new(format!("expected {wanted}, found the end")),
        }
    }

    /// Takes a bracketed group and gives the tokens inside.
    fn bracketed(&mut self) -> Result<Vec<Token<'t>>, ParseError> {
        self.expect_symbol("(")?;
        let start = self.at;
        let mut depth = 1usize;
        while let Some(token) = self.next() {
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth -= 1;
                if depth == 0 {
                    return Ok(self.tokens[start..self.at - 1].to_vec());
                }
            }
        }
        Err(ParseError::new("a bracket is not closed"))
    }

    /// The tokens from a place on up to here, as normal text.
    fn text_since(&self, start: usize) -> String {
        normal_text(&self.tokens[start..self.at])
    }

    /// Everything that is left, without closing semicolons.
    fn rest(&mut self) -> Vec<Token<'t>> {
        let mut rest = self.tokens.split_off(self.at);
        while rest.last().is_some_and(|token| token.is_symbol(";")) {
            rest.pop();
        }
        rest
    }

    /// `[IF NOT EXISTS] [schema.]name`.
    fn object_name(&mut self, what: &str) -> Result<String, ParseError> {
        self.take_words(&["IF", "NOT", "EXISTS"]);
        let name = self.expect_name(what)?;
        if self.take_symbol(".") { self.expect_name(what) } else { Ok(name) }
    }

    /// `(name, …)`.
    fn name_list(&mut self) -> Result<Vec<String>, ParseError> {
        let inner = self.bracketed()?;
        split_at_commas(&inner)
            .into_iter()
            .map(|tokens| {
                tokens
                    .first()
                    .and_then(Token::name)
                    .ok_or_else(|| ParseError::new("expected a name in a list of columns"))
            })
            .collect()
    }
}

/// Splits at the commas outside brackets.
fn split_at_commas<'a, 't>(tokens: &'a [Token<'t>]) -> Vec<&'a [Token<'t>]> {
    let mut pieces = Vec::new();
    let mut depth = 0usize;
    let mut start = 0;
    for (index, token) in tokens.iter().enumerate() {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is_symbol(",") {
            pieces.push(&tokens[start..index]);
            start = index + 1;
        }
    }
    pieces.push(&tokens[start..]);
    pieces
}

/// The head of a text, for messages.
fn clipped(text: &str) -> String {
    text.chars().take(40).collect()
}
