//! From the statements of routines, triggers and events to facts.
//!
//! Heads are taken apart, under the SQL mode of the object; bodies are kept as they were written,
//! comments included, because the server keeps them so and runs them under the settings that
//! stand beside them.

use super::draft::Draft;
use super::spelling;
use super::tokens::{Kind, Lexer, Mode, Token, text_of};
use crate::engine::mysql::query::Answer;
use crate::engine::mysql::sql;
use crate::model::{Fact, ObjectKind};

/// What an object was created under: it decides what its text means.
struct Setting<'r> {
    sql_mode: &'r str,
    client: &'r str,
    connection: &'r str,
    database: &'r str,
}

impl<'r> Setting<'r> {
    fn of(record: &'r Answer, charset_at: usize) -> Setting<'r> {
        Setting {
            sql_mode: record.text(1),
            client: record.text(charset_at),
            connection: record.text(charset_at + 1),
            database: record.text(charset_at + 2),
        }
    }

    fn beside(&self, draft: Draft) -> Draft {
        draft
            .text("sql-mode", some(self.sql_mode))
            .text("charset", some(self.client).map(|name| spelling::charset(&name)))
            .text("collation", some(self.connection).map(|name| spelling::charset(&name)))
            .text("database-collation", some(self.database).map(|name| spelling::charset(&name)))
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A statement that is read from its beginning.
struct Head<'t> {
    text: &'t str,
    lexer: std::iter::Peekable<Lexer<'t>>,
    end: usize,
}

impl<'t> Head<'t> {
    fn new(text: &'t str, sql_mode: &str) -> Head<'t> {
        Head { text, lexer: Lexer::new(text, Mode::of(sql_mode)).peekable(), end: 0 }
    }

    fn next(&mut self) -> Option<Token<'t>> {
        let token = self.lexer.next()?;
        self.end = token.end();
        Some(token)
    }

    fn take(&mut self, word: &str) -> bool {
        let is_it = self.lexer.peek().is_some_and(|t| t.is(word) || t.is_symbol(word));
        if is_it {
            self.next();
        }
        is_it
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.take(word) { Ok(()) } else { Err(format!("{word} is missing")) }
    }

    /// CREATE with what may follow it, up to the kind of object; gives the definer.
    fn create(&mut self) -> Result<Option<String>, String> {
        self.expect("CREATE")?;
        if self.take("OR") {
            self.expect("REPLACE")?;
        }
        if !self.take("DEFINER") {
            return Ok(None);
        }
        self.expect("=")?;
        Ok(Some(self.account()?))
    }

    /// An account, as `` `user`@`host` `` or `` `role` ``.
    fn account(&mut self) -> Result<String, String> {
        let mut account = self.part_of_account()?;
        if self.take("@") {
            account = format!("{account}@{}", self.part_of_account()?);
        }
        Ok(account)
    }

    fn part_of_account(&mut self) -> Result<String, String> {
        let token = self.next().ok_or_else(|| "the definer is missing".to_owned())?;
        let name = token.name().or_else(|| token.string());
        let name = name.ok_or_else(|| "the definer is no account".to_owned())?;
        Ok(sql::quoted(&name))
    }

    /// What is left, without blanks around it.
    fn rest(&self) -> &'t str {
        self.text.get(self.end..).unwrap_or_default().trim()
    }

    /// What stands in brackets that begin here.
    fn bracketed(&mut self) -> Result<&'t str, String> {
        self.expect("(")?;
        let begin = self.end;
        let mut depth = 1;
        while let Some(token) = self.next() {
            match (token.kind, token.text) {
                (Kind::Symbol, "(") => depth += 1,
                (Kind::Symbol, ")") => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Ok(self.text.get(begin..token.start).unwrap_or_default().trim());
            }
        }
        Err("a bracket is missing".to_owned())
    }
}

/// The object of a routine's fact: functions and procedures have names of their own each.
pub(super) fn routine_object(kind: &str, name: &str) -> String {
    format!("{} {name}", kind.to_ascii_lowercase())
}

/// The fact of a function, procedure or package, from its SHOW CREATE.
pub(super) fn routine(kind: &str, name: &str, record: &Answer) -> Result<Fact, String> {
    let setting = Setting::of(record, 3);
    let text = record.get(2);
    let text = text.ok_or_else(|| "the account may not see its body".to_owned())?;
    let mut head = Head::new(text, setting.sql_mode);
    let definer = head.create()?;
    let is_aggregate = head.take("AGGREGATE");
    for word in kind.split(' ') {
        head.expect(word)?;
    }
    let told = head.next().and_then(|token| token.name()).unwrap_or_default();
    if !told.eq_ignore_ascii_case(name) {
        return Err(format!("its text is about `{told}`"));
    }
    let mut draft = Draft::new(ObjectKind::Routine, &routine_object(kind, name), "")
        .text("definer", definer)
        .flag("aggregate", is_aggregate);
    if !kind.starts_with("PACKAGE") {
        draft = draft.text("parameters", some(head.bracketed()?));
    }
    let mut rest = head.text.get(head.end..).unwrap_or_default();
    if kind == "FUNCTION" {
        head.expect("RETURN").or_else(|_| head.expect("RETURNS"))?;
        let line = head.text.get(head.end..).unwrap_or_default();
        let (returns, after) = line.split_once('\n').ok_or("what it returns does not end")?;
        draft = draft.text("returns", Some(returned(returns)));
        rest = after;
    }
    let (draft, body) = characteristics(draft, rest)?;
    Ok(setting.beside(draft).text("body", Some(body)).done())
}

/// The type a function returns: with the servers' spelling of types and character sets.
fn returned(text: &str) -> String {
    let tokens = super::tokens::cut(text.trim());
    let type_end = tokens
        .iter()
        .position(|t| t.is("CHARSET") || t.is("CHARACTER") || t.is("COLLATE"))
        .unwrap_or(tokens.len());
    let mut out = spelling::type_name(&text_of(&tokens[..type_end]));
    for token in &tokens[type_end..] {
        out.push(' ');
        out.push_str(&spelling::charset(token.text));
    }
    out
}

/// The lines the server writes between head and body, each of which has a fixed form.
fn characteristics(mut draft: Draft, text: &str) -> Result<(Draft, String), String> {
    let mut rest = text.trim_start_matches('\n');
    loop {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let words = line.trim();
        draft = match words {
            "" if !after.is_empty() => draft,
            "NO SQL" | "READS SQL DATA" | "MODIFIES SQL DATA" => {
                draft.text("data-access", Some(words))
            }
            "CONTAINS SQL" | "LANGUAGE SQL" | "NOT DETERMINISTIC" => draft,
            "DETERMINISTIC" => draft.flag("deterministic", true),
            "SQL SECURITY INVOKER" => draft.text("security", Some("INVOKER")),
            _ if line.starts_with("    LANGUAGE ") => {
                draft.text("language", words.strip_prefix("LANGUAGE "))
            }
            _ if line.starts_with("    COMMENT '") => {
                let begin = rest.find('\'').unwrap_or_default();
                let comment = Lexer::new(rest.get(begin..).unwrap_or_default(), Mode::default())
                    .next()
                    .ok_or("its comment is not understood")?;
                draft = draft.text("comment", comment.string());
                let end = begin + comment.end();
                rest = rest.get(end..).unwrap_or_default().trim_start_matches('\n');
                continue;
            }
            _ => return Ok((draft, rest.trim().to_owned())),
        };
        rest = after;
    }
}

/// What INFORMATION_SCHEMA says of a trigger.
#[derive(Debug, Clone, Default)]
pub(super) struct ToldTrigger {
    pub(super) name: String,
    pub(super) table: String,
    pub(super) timing: String,
    pub(super) event: String,
    /// The trigger before it of the same table, timing and event.
    pub(super) follows: Option<String>,
}

/// The fact of a trigger and its statement, from its SHOW CREATE. The server keeps the statement as
/// it was sent; its head is written anew, with the place among others that the trigger has now.
pub(super) fn trigger(told: &ToldTrigger, record: &Answer) -> Result<(Fact, String), String> {
    let setting = Setting::of(record, 3);
    let mut head = Head::new(record.text(2), setting.sql_mode);
    let definer = head.create()?;
    head.expect("TRIGGER")?;
    loop {
        let token = head.next().ok_or("FOR EACH ROW is missing")?;
        if token.is("FOR") && head.take("EACH") {
            head.expect("ROW")?;
            break;
        }
    }
    if head.take("FOLLOWS") || head.take("PRECEDES") {
        head.next();
    }
    let (name, table) = (sql::quoted(&told.name), sql::quoted(&told.table));
    let by = definer.as_ref().map(|definer| format!(" DEFINER={definer}")).unwrap_or_default();
    let follows = told.follows.as_deref().map(|other| format!(" FOLLOWS {}", sql::quoted(other)));
    let statement = format!(
        "CREATE{by} TRIGGER {name} {} {} ON {table} FOR EACH ROW{} {}",
        told.timing,
        told.event,
        follows.unwrap_or_default(),
        head.rest()
    );
    let draft = Draft::new(ObjectKind::Trigger, &told.name, "")
        .text("table", Some(told.table.clone()))
        .text("timing", Some(told.timing.clone()))
        .text("event", Some(told.event.clone()))
        .text("follows", told.follows.clone())
        .text("definer", definer)
        .text("body", Some(head.rest()))
        .depends_on([told.table.clone()]);
    Ok((setting.beside(draft).done(), statement))
}

/// The fact of an event, from its SHOW CREATE. Where nobody asked for a start, the server has
/// written the moment of creation, which is no part of the event.
pub(super) fn event(
    name: &str,
    starts_when_created: bool,
    record: &Answer,
) -> Result<Fact, String> {
    let setting = Setting::of(record, 4);
    let mut head = Head::new(record.text(3), setting.sql_mode);
    let mut draft = Draft::new(ObjectKind::Event, name, "")
        .text("definer", head.create()?)
        .text("time-zone", some(record.text(2)));
    head.expect("EVENT")?;
    head.next();
    for word in ["ON", "SCHEDULE"] {
        head.expect(word)?;
    }
    // Clauses of the schedule: a word, then what belongs to it.
    let mut clauses: Vec<(String, Vec<Token<'_>>)> = Vec::new();
    while let Some(token) = head.next() {
        if token.is("ON") {
            break;
        }
        let begins = ["AT", "EVERY", "STARTS", "ENDS"].iter().any(|word| token.is(word));
        match clauses.last_mut() {
            Some((_, tokens)) if !begins => tokens.push(token),
            _ => clauses.push((token.text.to_ascii_lowercase(), Vec::new())),
        }
    }
    for (clause, tokens) in clauses {
        if !(clause == "starts" && starts_when_created) {
            draft = draft.text(&clause, Some(text_of(&tokens)));
        }
    }
    head.expect("COMPLETION")?;
    let is_kept = !head.take("NOT");
    head.expect("PRESERVE")?;
    draft = draft.flag("preserve", is_kept);
    if head.take("DISABLE") {
        let on_replica = head.take("ON") && head.next().is_some();
        draft =
            draft.text("status", Some(if on_replica { "REPLICA DISABLED" } else { "DISABLED" }));
    } else {
        head.expect("ENABLE")?;
    }
    if head.take("COMMENT") {
        draft = draft.text("comment", head.next().and_then(|token| token.string()));
    }
    head.expect("DO")?;
    Ok(setting.beside(draft.text("body", Some(head.rest()))).done())
}

/// The statement of an event that starts when it is created, without the moment of creation.
pub(super) fn without_start(text: &str, sql_mode: &str) -> String {
    let mut lexer = Lexer::new(text, Mode::of(sql_mode)).take_while(|token| !token.is("DO"));
    let starts = lexer.find(|token| token.is("STARTS"));
    match (starts, lexer.next()) {
        (Some(starts), Some(moment)) => {
            let before = text.get(..starts.start).unwrap_or_default().trim_end();
            format!("{before}{}", text.get(moment.end()..).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

/// The fact of a view, from its SHOW CREATE, and what INFORMATION_SCHEMA says it reads.
pub(super) fn view(
    name: &str,
    database: &str,
    record: &Answer,
    depends_on: Vec<String>,
) -> Result<Fact, String> {
    let tokens = super::tokens::cut(record.text(1));
    let begin = tokens.iter().position(|token| token.is("VIEW")).ok_or("VIEW is missing")?;
    let (head, rest) = tokens.split_at(begin);
    let after = |word: &str| head.iter().position(|token| token.is(word));
    let (rest, _) = super::tokens::without_own(rest.get(1..).unwrap_or_default(), database);
    let told = rest.first().and_then(Token::name).unwrap_or_default();
    if !told.eq_ignore_ascii_case(name) {
        return Err(format!("its text is about `{told}`"));
    }
    let query = rest.iter().position(|token| token.is("AS")).ok_or("AS is missing")?;
    let columns: Vec<String> =
        rest.get(1..query).unwrap_or_default().iter().filter_map(Token::name).collect();
    let mut query = rest.get(query + 1..).unwrap_or_default();
    let mut check = None;
    if let [before @ .., with, kind, word, option] = query
        && with.is("WITH")
        && word.is("CHECK")
        && option.is("OPTION")
    {
        check = Some(kind.text.to_ascii_uppercase());
        query = before;
    }
    let value = |word: &str, ahead: usize| {
        let at = after(word)?;
        head.get(at + ahead).map(|token| token.text.to_ascii_uppercase())
    };
    let definer = after("DEFINER").map(|at| {
        let end = head.iter().position(|token| token.is("SQL")).unwrap_or(head.len());
        text_of(head.get(at + 2..end).unwrap_or_default())
    });
    let draft = Draft::new(ObjectKind::View, name, "")
        .text("algorithm", value("ALGORITHM", 2).filter(|algorithm| algorithm != "UNDEFINED"))
        .text("definer", definer)
        .text("security", value("SECURITY", 1).filter(|security| security != "DEFINER"))
        .list("columns", columns)
        .text("query", Some(text_of(query)))
        .text("check-option", check)
        .text("charset", some(record.text(2)).map(|name| spelling::charset(&name)))
        .text("collation", some(record.text(3)).map(|name| spelling::charset(&name)))
        .depends_on(depends_on);
    Ok(draft.done())
}

/// The fact of a sequence (MariaDB), from its SHOW CREATE.
pub(super) fn sequence(name: &str, record: &Answer) -> Result<Fact, String> {
    let tokens = super::tokens::cut(record.text(1));
    let words: Vec<String> = tokens.iter().map(|token| token.text.to_ascii_lowercase()).collect();
    let number = |names: &[&str]| {
        let at = words.windows(names.len()).position(|window| window == names)?;
        let (sign, at) = match words.get(at + names.len()).map(String::as_str) {
            Some("-") => ("-", at + names.len() + 1),
            _ => ("", at + names.len()),
        };
        words.get(at).map(|digits| format!("{sign}{digits}"))
    };
    let required = |names: &[&str]| {
        number(names).map(Some).ok_or_else(|| format!("{} is missing", names.join(" ")))
    };
    let type_name = words.iter().position(|word| word == "as").and_then(|at| words.get(at + 1));
    let is_unsigned = words.iter().any(|word| word == "unsigned");
    let type_name =
        type_name.map(|t| if is_unsigned { format!("{t} unsigned") } else { t.clone() });
    Ok(Draft::new(ObjectKind::Sequence, name, "")
        .text("type", type_name)
        .text("start", required(&["start", "with"])?)
        .text("minimum", required(&["minvalue"])?)
        .text("maximum", required(&["maxvalue"])?)
        .text("increment", required(&["increment", "by"])?)
        .text("cache", number(&["cache"]))
        .flag("cycle", words.iter().any(|word| word == "cycle"))
        .text(
            "engine",
            tokens
                .iter()
                .position(|token| token.is("ENGINE"))
                .and_then(|at| tokens.get(at + 2).map(|token| token.text.to_owned())),
        )
        .done())
}
