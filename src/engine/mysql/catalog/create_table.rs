//! The parser of what SHOW CREATE TABLE prints: the one place where the servers tell all of a table.
//!
//! What a clause is called is known here, what it means is not. A clause that is not known is kept
//! as written among the `options` of its column, key or table, so nothing is lost; an element that
//! is none of the known ones is an error, and the table is then unknown.

use std::ops::Range;

use super::tokens::{Kind, Token, closing, cut, split, text_of};

/// A table as it was printed.
#[derive(Debug, Clone, Default)]
pub(super) struct ParsedTable<'t> {
    pub(super) name: String,
    pub(super) columns: Vec<ParsedColumn<'t>>,
    pub(super) keys: Vec<ParsedKey<'t>>,
    pub(super) foreign_keys: Vec<ParsedForeignKey>,
    pub(super) checks: Vec<ParsedCheck<'t>>,
    /// Name, start column, end column.
    pub(super) periods: Vec<(String, String, String)>,
    /// Options by name, capitals; the value as written.
    pub(super) options: Vec<(String, Vec<Token<'t>>)>,
    /// The next AUTO_INCREMENT value, and where the statement says it.
    pub(super) auto_increment: Option<(String, Range<usize>)>,
    pub(super) partition: Option<ParsedPartitioning<'t>>,
}

/// A column as it was printed.
#[derive(Debug, Clone, Default)]
pub(super) struct ParsedColumn<'t> {
    pub(super) name: String,
    pub(super) type_text: String,
    pub(super) charset: Option<String>,
    pub(super) collation: Option<String>,
    pub(super) is_not_null: bool,
    pub(super) default: Option<Vec<Token<'t>>>,
    pub(super) on_update: Option<Vec<Token<'t>>>,
    pub(super) generated: Option<Vec<Token<'t>>>,
    pub(super) is_stored: bool,
    pub(super) is_auto_increment: bool,
    pub(super) is_invisible: bool,
    pub(super) is_unversioned: bool,
    pub(super) srid: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) check: Option<Vec<Token<'t>>>,
    /// Whatever else is said.
    pub(super) options: Vec<Token<'t>>,
}

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Primary,
    Unique,
    Plain,
    /// FULLTEXT, SPATIAL, VECTOR.
    Special,
}

/// A key as it was printed.
#[derive(Debug, Clone)]
pub(super) struct ParsedKey<'t> {
    pub(super) kind: KeyKind,
    /// `FULLTEXT`, `SPATIAL`, `VECTOR`.
    pub(super) special: Option<String>,
    pub(super) name: String,
    pub(super) parts: Vec<KeyPart<'t>>,
    pub(super) period: Option<String>,
    pub(super) using: Option<String>,
    pub(super) parser: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) is_invisible: bool,
    pub(super) options: Vec<Token<'t>>,
}

/// A column or expression of a key.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyPart<'t> {
    pub(super) column: Option<String>,
    pub(super) expression: Vec<Token<'t>>,
    pub(super) length: Option<String>,
    pub(super) is_descending: bool,
}

/// A foreign key as it was printed.
#[derive(Debug, Clone, Default)]
pub(super) struct ParsedForeignKey {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) schema: Option<String>,
    pub(super) table: String,
    pub(super) referenced: Vec<String>,
    pub(super) on_delete: Option<String>,
    pub(super) on_update: Option<String>,
}

/// A check of a table.
#[derive(Debug, Clone)]
pub(super) struct ParsedCheck<'t> {
    pub(super) name: String,
    pub(super) expression: Vec<Token<'t>>,
    pub(super) is_not_enforced: bool,
}

/// How a table is cut into partitions.
#[derive(Debug, Clone)]
pub(super) struct ParsedPartitioning<'t> {
    pub(super) method: Vec<Token<'t>>,
    /// Name, and what is said of it.
    pub(super) partitions: Vec<(String, Vec<Token<'t>>)>,
}

/// What is not understood.
type Wrong = String;

/// Tokens and how far they are read.
struct Cursor<'s, 't> {
    tokens: &'s [Token<'t>],
    at: usize,
}

impl<'s, 't> Cursor<'s, 't> {
    fn new(tokens: &'s [Token<'t>]) -> Self {
        Cursor { tokens, at: 0 }
    }

    fn peek(&self, ahead: usize) -> Option<&'s Token<'t>> {
        self.tokens.get(self.at + ahead)
    }

    fn rest(&self) -> &'s [Token<'t>] {
        self.tokens.get(self.at..).unwrap_or_default()
    }

    /// Takes these words, all of them or none.
    fn take(&mut self, words: &str) -> bool {
        let mut count = 0;
        for word in words.split(' ') {
            let is_it = self.peek(count).is_some_and(|t| t.is(word) || t.is_symbol(word));
            if !is_it {
                return false;
            }
            count += 1;
        }
        self.at += count;
        true
    }

    fn next(&mut self) -> Result<&'s Token<'t>, Wrong> {
        let token = self.peek(0).ok_or_else(|| "it ends too early".to_owned())?;
        self.at += 1;
        Ok(token)
    }

    fn name(&mut self) -> Result<String, Wrong> {
        let token = self.next()?;
        token.name().ok_or_else(|| format!("`{}` is no name", token.text))
    }

    fn string(&mut self) -> Result<String, Wrong> {
        self.take("=");
        let token = self.next()?;
        token.string().ok_or_else(|| format!("`{}` is no string", token.text))
    }

    /// What stands in the brackets that begin here, without them.
    fn bracketed(&mut self) -> Result<&'s [Token<'t>], Wrong> {
        let rest = self.rest();
        let end = closing(rest).ok_or_else(|| "a bracket is missing".to_owned())?;
        self.at += end;
        Ok(&rest[1..end - 1])
    }

    fn opens(&self) -> bool {
        self.peek(0).is_some_and(|token| token.is_symbol("("))
    }

    /// Names in brackets.
    fn names(&mut self) -> Result<Vec<String>, Wrong> {
        let tokens = self.bracketed()?;
        split(tokens)
            .into_iter()
            .map(|part| match part {
                [name] => name.name().ok_or_else(|| format!("`{}` is no name", name.text)),
                _ => Err(format!("`{}` is no name", text_of(part))),
            })
            .collect()
    }

    /// A value: a literal with its introducer or sign, something in brackets, a call.
    fn value(&mut self) -> Result<Vec<Token<'t>>, Wrong> {
        let begin = self.at;
        let first = self.next()?;
        if first.is_symbol("(") {
            self.at = begin;
            self.bracketed()?;
        } else if first.is_symbol("-") || first.is_symbol("+") {
            self.next()?;
        } else if matches!(first.kind, Kind::Word | Kind::Name) {
            while self.take(".") {
                self.next()?;
            }
            let follows = self.peek(0).is_some_and(|t| t.kind == Kind::Text && !t.has_gap);
            if follows {
                self.at += 1;
            } else if self.opens() {
                self.bracketed()?;
            }
        }
        Ok(self.tokens[begin..self.at].to_vec())
    }
}

/// Reads what SHOW CREATE TABLE printed.
pub(super) fn parse(text: &str) -> Result<ParsedTable<'_>, Wrong> {
    let tokens = cut(text);
    let mut cursor = Cursor::new(&tokens);
    if !(cursor.take("CREATE TABLE") || cursor.take("CREATE TEMPORARY TABLE")) {
        return Err("it does not begin with CREATE TABLE".to_owned());
    }
    let mut table = ParsedTable { name: cursor.name()?, ..ParsedTable::default() };
    let elements = cursor.bracketed()?;
    for element in split(elements) {
        parse_element(element, &mut table)?;
    }
    parse_options(&mut cursor, &mut table)?;
    Ok(table)
}

fn parse_element<'t>(tokens: &[Token<'t>], table: &mut ParsedTable<'t>) -> Result<(), Wrong> {
    let mut cursor = Cursor::new(tokens);
    let first = cursor.peek(0).ok_or_else(|| "an element is empty".to_owned())?;
    if first.kind == Kind::Name {
        table.columns.push(parse_column(&mut cursor)?);
        return Ok(());
    }
    if cursor.take("PERIOD FOR") {
        let name = cursor.name()?;
        let [start, end] = <[String; 2]>::try_from(cursor.names()?)
            .map_err(|_| "a period has two columns".to_owned())?;
        table.periods.push((name, start, end));
        return finished(&cursor);
    }
    let mut name = None;
    if cursor.take("CONSTRAINT") && cursor.peek(0).is_some_and(|t| t.kind == Kind::Name) {
        name = Some(cursor.name()?);
    }
    if cursor.take("FOREIGN KEY") {
        table.foreign_keys.push(parse_foreign_key(&mut cursor, name)?);
    } else if cursor.take("CHECK") {
        table.checks.push(ParsedCheck {
            name: name.unwrap_or_default(),
            expression: cursor.bracketed()?.to_vec(),
            is_not_enforced: cursor.take("NOT ENFORCED"),
        });
    } else {
        table.keys.push(parse_key(&mut cursor)?);
    }
    finished(&cursor)
}

fn finished(cursor: &Cursor<'_, '_>) -> Result<(), Wrong> {
    match cursor.rest() {
        [] => Ok(()),
        rest => Err(format!("`{}` is not known", text_of(rest))),
    }
}

fn parse_column<'t>(cursor: &mut Cursor<'_, 't>) -> Result<ParsedColumn<'t>, Wrong> {
    let mut column = ParsedColumn { name: cursor.name()?, ..ParsedColumn::default() };
    column.type_text = parse_type(cursor)?;
    while cursor.peek(0).is_some() {
        parse_column_clause(cursor, &mut column)?;
    }
    Ok(column)
}

/// The type with its arguments and flags, as INFORMATION_SCHEMA spells it.
fn parse_type(cursor: &mut Cursor<'_, '_>) -> Result<String, Wrong> {
    let word = cursor.next()?;
    if word.kind != Kind::Word {
        return Err(format!("`{}` is no type", word.text));
    }
    let mut text = word.text.to_owned();
    if cursor.opens() {
        let arguments: String = cursor.bracketed()?.iter().map(|token| token.text).collect();
        text.push_str(&format!("({arguments})"));
    }
    for flag in ["signed", "unsigned", "zerofill"] {
        if cursor.take(flag) {
            text.push_str(&format!(" {flag}"));
        }
    }
    Ok(text)
}

fn parse_column_clause<'t>(
    cursor: &mut Cursor<'_, 't>,
    column: &mut ParsedColumn<'t>,
) -> Result<(), Wrong> {
    if cursor.take("CHARACTER SET") || cursor.take("CHARSET") {
        column.charset = Some(cursor.name()?);
    } else if cursor.take("COLLATE") {
        column.collation = Some(cursor.name()?);
    } else if cursor.take("NOT NULL") {
        column.is_not_null = true;
    } else if cursor.take("NULL") {
        // The default.
    } else if cursor.take("DEFAULT") {
        column.default = Some(cursor.value()?);
    } else if cursor.take("ON UPDATE") {
        column.on_update = Some(cursor.value()?);
    } else if cursor.take("GENERATED ALWAYS AS ROW") {
        let which = [Token { text: "ROW", ..*cursor.next()? }];
        let word = cursor.tokens.get(cursor.at - 1).copied();
        column.generated = Some(which.into_iter().chain(word).collect());
        column.is_stored = true;
    } else if cursor.take("GENERATED ALWAYS AS") || cursor.take("AS") {
        column.generated = Some(cursor.bracketed()?.to_vec());
        column.is_stored = cursor.take("STORED") || cursor.take("PERSISTENT");
        cursor.take("VIRTUAL");
    } else if cursor.take("AUTO_INCREMENT") {
        column.is_auto_increment = true;
    } else if cursor.take("INVISIBLE") {
        column.is_invisible = true;
    } else if cursor.take("VISIBLE") || cursor.take("WITH SYSTEM VERSIONING") {
        // The default.
    } else if cursor.take("WITHOUT SYSTEM VERSIONING") {
        column.is_unversioned = true;
    } else if cursor.take("SRID") || cursor.take("REF_SYSTEM_ID =") {
        column.srid = Some(cursor.next()?.text.to_owned());
    } else if cursor.take("COMMENT") {
        column.comment = Some(cursor.string()?);
    } else if cursor.take("CHECK") {
        column.check = Some(cursor.bracketed()?.to_vec());
    } else {
        column.options.push(*cursor.next()?);
    }
    Ok(())
}

fn parse_foreign_key(
    cursor: &mut Cursor<'_, '_>,
    name: Option<String>,
) -> Result<ParsedForeignKey, Wrong> {
    let index = if cursor.opens() { None } else { Some(cursor.name()?) };
    let mut key = ParsedForeignKey {
        name: name.or(index).unwrap_or_default(),
        columns: cursor.names()?,
        ..ParsedForeignKey::default()
    };
    if !cursor.take("REFERENCES") {
        return Err("a foreign key refers to nothing".to_owned());
    }
    key.table = cursor.name()?;
    if cursor.take(".") {
        key.schema = Some(std::mem::replace(&mut key.table, cursor.name()?));
    }
    key.referenced = cursor.names()?;
    loop {
        if cursor.take("ON DELETE") {
            key.on_delete = Some(parse_action(cursor)?);
        } else if cursor.take("ON UPDATE") {
            key.on_update = Some(parse_action(cursor)?);
        } else {
            return Ok(key);
        }
    }
}

fn parse_action(cursor: &mut Cursor<'_, '_>) -> Result<String, Wrong> {
    for action in ["CASCADE", "RESTRICT", "NO ACTION", "SET NULL", "SET DEFAULT"] {
        if cursor.take(action) {
            return Ok(action.to_owned());
        }
    }
    Err("an action of a foreign key is not known".to_owned())
}

fn parse_key<'t>(cursor: &mut Cursor<'_, 't>) -> Result<ParsedKey<'t>, Wrong> {
    let mut special = None;
    let kind = if cursor.take("PRIMARY KEY") {
        KeyKind::Primary
    } else if cursor.take("UNIQUE KEY") || cursor.take("UNIQUE INDEX") || cursor.take("UNIQUE") {
        KeyKind::Unique
    } else if cursor.take("KEY") || cursor.take("INDEX") {
        KeyKind::Plain
    } else {
        let word = cursor.next()?.text.to_ascii_uppercase();
        if !["FULLTEXT", "SPATIAL", "VECTOR"].contains(&word.as_str()) {
            return Err(format!("`{word}` is not known"));
        }
        if !(cursor.take("KEY") || cursor.take("INDEX")) {
            return Err(format!("`{word}` without KEY is not known"));
        }
        special = Some(word);
        KeyKind::Special
    };
    let name = if cursor.opens() { String::new() } else { cursor.name()? };
    let mut key = ParsedKey {
        kind,
        special,
        name,
        parts: Vec::new(),
        period: None,
        using: None,
        parser: None,
        comment: None,
        is_invisible: false,
        options: Vec::new(),
    };
    for part in split(cursor.bracketed()?) {
        parse_key_part(part, &mut key)?;
    }
    while cursor.peek(0).is_some() {
        if cursor.take("USING") {
            key.using = Some(cursor.next()?.text.to_ascii_uppercase());
        } else if cursor.take("WITH PARSER") {
            key.parser = Some(cursor.name()?);
        } else if cursor.take("COMMENT") {
            key.comment = Some(cursor.string()?);
        } else if cursor.take("INVISIBLE") || cursor.take("IGNORED") {
            key.is_invisible = true;
        } else if !(cursor.take("VISIBLE") || cursor.take("NOT IGNORED")) {
            key.options.push(*cursor.next()?);
        }
    }
    Ok(key)
}

fn parse_key_part<'t>(tokens: &[Token<'t>], key: &mut ParsedKey<'t>) -> Result<(), Wrong> {
    let mut cursor = Cursor::new(tokens);
    let mut part = KeyPart::default();
    if cursor.opens() {
        part.expression = cursor.bracketed()?.to_vec();
    } else {
        let name = cursor.name()?;
        if cursor.take("WITHOUT OVERLAPS") {
            key.period = Some(name);
            return finished(&cursor);
        }
        part.column = Some(name);
        if cursor.opens() {
            part.length = Some(text_of(cursor.bracketed()?));
        }
    }
    part.is_descending = cursor.take("DESC");
    cursor.take("ASC");
    key.parts.push(part);
    finished(&cursor)
}

fn parse_options<'t>(
    cursor: &mut Cursor<'_, 't>,
    table: &mut ParsedTable<'t>,
) -> Result<(), Wrong> {
    while cursor.peek(0).is_some() {
        if cursor.take("PARTITION BY") {
            table.partition = Some(parse_partitioning(cursor.rest())?);
            return Ok(());
        }
        if cursor.take("WITH SYSTEM VERSIONING") {
            table.options.push(("SYSTEM VERSIONING".to_owned(), Vec::new()));
            continue;
        }
        let begin = cursor.peek(0).map_or(0, |token| token.start);
        if cursor.take("TABLESPACE") {
            table.options.push(("TABLESPACE".to_owned(), cursor.value()?));
            continue;
        }
        cursor.take("DEFAULT");
        let mut words = Vec::new();
        while !cursor.take("=") {
            let token = cursor.next()?;
            words.push(token.name().unwrap_or_else(|| token.text.to_owned()).to_ascii_uppercase());
        }
        let value = cursor.value()?;
        let name = words.join(" ");
        if name == "AUTO_INCREMENT" {
            let end = value.last().map_or(begin, Token::end);
            table.auto_increment = Some((text_of(&value), begin..end));
        } else {
            table.options.push((name, value));
        }
    }
    Ok(())
}

fn parse_partitioning<'t>(tokens: &[Token<'t>]) -> Result<ParsedPartitioning<'t>, Wrong> {
    let lists = |at: &usize| {
        tokens[*at].is_symbol("(") && tokens.get(at + 1).is_some_and(|t| t.is("PARTITION"))
    };
    let list = (0..tokens.len()).find(lists);
    let method = tokens[..list.unwrap_or(tokens.len())].to_vec();
    let mut partitions = Vec::new();
    if let Some(begin) = list {
        let mut cursor = Cursor::new(&tokens[begin..]);
        for part in split(cursor.bracketed()?) {
            let mut one = Cursor::new(part);
            if !one.take("PARTITION") {
                return Err("a partition does not begin with PARTITION".to_owned());
            }
            partitions.push((one.name()?, one.rest().to_vec()));
        }
        finished(&cursor)?;
    }
    Ok(ParsedPartitioning { method, partitions })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_at_any_byte_it_is_an_error_and_no_panic() {
        let text = "CREATE TABLE `t` (\n  `a` int(11) NOT NULL DEFAULT -1 COMMENT 'x''y',\n  \
            `b` varchar(3) GENERATED ALWAYS AS (concat(`a`,')')) VIRTUAL,\n  \
            UNIQUE KEY `u` (`b`(2) DESC) USING BTREE,\n  KEY `f` ((`a` + 1)),\n  \
            CONSTRAINT `c` FOREIGN KEY (`a`) REFERENCES `o`.`p` (`id`) ON DELETE SET NULL,\n  \
            CONSTRAINT `k` CHECK (`a` > 0) /*!80016 NOT ENFORCED */\n\
            ) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 UNION=(`x`,`y`)\n\
            /*!50100 PARTITION BY RANGE (`a`)\n(PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB) */";
        let table = parse(text).unwrap();
        assert_eq!((table.columns.len(), table.keys.len(), table.foreign_keys.len()), (2, 2, 1));
        assert!(table.checks[0].is_not_enforced);
        let (next, span) = table.auto_increment.clone().unwrap();
        assert_eq!((next.as_str(), &text[span]), ("7", "AUTO_INCREMENT=7"));
        assert_eq!(table.partition.unwrap().partitions.len(), 1);
        for end in 0..text.len() {
            let _ = parse(&text[..end]);
        }
    }

    #[test]
    fn an_element_that_is_not_known_is_refused() {
        assert!(
            parse("CREATE TABLE `t` (\n  `a` int,\n  HOLOGRAM KEY `h` (`a`)\n) ENGINE=X").is_err()
        );
        assert!(parse("CREATE TABLE `t` (`a` int, CHECK (`a`) MAYBE) ENGINE=X").is_err());
    }
}
