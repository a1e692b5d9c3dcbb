//! Views, routines, triggers, events, sequences and the settings of a database.
//!
//! A program keeps the settings of the session that made it, and its text means what they say. So
//! the session takes them on before the statement, and is set back to what it is pinned to. Text
//! that is no UTF-8 for its own session, and a default collation that the database has no more,
//! cannot be given back and are refused.

use super::{MysqlDdl, Written, wording};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, list, text};
use crate::engine::mysql::catalog::tokens::{Mode, cut};
use crate::engine::mysql::connect::Purpose;
use crate::engine::mysql::sql::quoted;
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// A setting of the database that is not there by default.
pub(super) fn set(setting: &Fact) -> Written {
    let value = text(setting, "value").unwrap_or_default();
    setting_statement(&setting.id.object.name, value).map(|statement| vec![statement])
}

/// A setting of the database that is as by default.
pub(super) fn unset(setting: &Fact) -> Written {
    let value = match setting.id.object.name.as_str() {
        "comment" => "",
        "encryption" => "NO",
        name => return Err(format!("a database always has a {name}")),
    };
    setting_statement(&setting.id.object.name, value).map(|statement| vec![statement])
}

fn setting_statement(name: &str, value: &str) -> Result<Statement, String> {
    Ok(Statement::whole(match (name, value) {
        ("comment", comment) => format!("ALTER DATABASE COMMENT {}", wording::string(comment)),
        ("encryption", "YES" | "Y") => "ALTER DATABASE ENCRYPTION 'Y'".to_owned(),
        ("encryption", "NO" | "N") => "ALTER DATABASE ENCRYPTION 'N'".to_owned(),
        _ => return Err(format!("a database's {name} cannot be set to `{value}`")),
    }))
}

/// Changes a setting. Charset and collation are one statement.
pub(super) fn alter_setting(after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Alteration {
    let statements = match after.id.object.name.as_str() {
        "charset" | "collation" => {
            let differs = setting(from, "collation") != setting(to, "collation");
            match after.id.object.name == "collation" || !differs {
                true => charset_statement(to).map(|statement| vec![statement]),
                false => Ok(Vec::new()),
            }
        }
        _ => set(after),
    };
    match statements {
        Ok(statements) => Alteration::InPlace(statements),
        Err(reason) => Alteration::Refused(reason),
    }
}

fn setting<'a>(schema: &Schema<'a>, name: &str) -> Option<&'a str> {
    text(schema.object(ObjectKind::Setting, &ObjectName::bare(name))?, "value")
}

fn charset_statement(to: &Schema<'_>) -> Result<Statement, String> {
    let word = |name: &str| {
        wording::word(setting(to, name).ok_or_else(|| format!("the database has no {name}"))?)
    };
    let (charset, collation) = (word("charset")?, word("collation")?);
    Ok(Statement::whole(format!("ALTER DATABASE CHARACTER SET {charset} COLLATE {collation}")))
}

/// What a program is made under.
struct Session {
    assignments: Vec<String>,
    /// What is set back, beside the names of charsets.
    restores: Vec<String>,
    mode: Mode,
}

impl Session {
    /// The session that a program tells of.
    fn of(program: &Fact, written: &[&str], to: &Schema<'_>) -> Result<Session, String> {
        let mut session =
            Session { assignments: Vec::new(), restores: Vec::new(), mode: Mode::default() };
        if program.id.kind != ObjectKind::View {
            let mode = text(program, "sql-mode").unwrap_or_default();
            let words: Result<Vec<&str>, String> =
                mode.split(',').filter(|word| !word.is_empty()).map(wording::word).collect();
            session.assignments.push(format!("sql_mode = '{}'", words?.join(",")));
            let pinned = Purpose::Write.sql_mode();
            session.restores.push(format!("sql_mode = '{pinned}'"));
            session.mode = Mode::of(mode);
        }
        if let Some(charset) = wording::word_of(program, "charset")? {
            readable(charset, written)?;
            session.assignments.push(format!("character_set_client = {charset}"));
        }
        if let Some(collation) = wording::word_of(program, "collation")? {
            session.assignments.push(format!("collation_connection = {collation}"));
        }
        if let Some(zone) = text(program, "time-zone") {
            session.assignments.push(format!("time_zone = {}", wording::string(zone)));
            session.restores.push("time_zone = '+00:00'".to_owned());
        }
        let (told, there) = (text(program, "database-collation"), setting(to, "collation"));
        if let (Some(told), Some(there)) = (told, there)
            && told != there
        {
            return Err(format!(
                "it was made while the database's collation was {told}, which is {there} now, and \
                 keeps that: nothing but making it under the old collation gives it back"
            ));
        }
        Ok(session)
    }

    /// The statement between those that set the session and set it back.
    fn around(self, statement: String) -> Vec<Statement> {
        let Session { assignments, mut restores, .. } = self;
        if assignments.is_empty() {
            return vec![Statement::Whole(statement)];
        }
        // The names of charsets, of which results are not converted.
        restores.push("NAMES utf8mb4".to_owned());
        restores.push("character_set_results = NULL".to_owned());
        vec![
            Statement::Whole(format!("SET {}", assignments.join(", "))),
            Statement::Whole(statement),
            Statement::Whole(format!("SET {}", restores.join(", "))),
        ]
    }
}

/// Fails where text that is sent in UTF-8 would be read as something else.
fn readable(charset: &str, written: &[&str]) -> Result<(), String> {
    let fits = |text: &&str| match charset {
        "utf8mb4" => true,
        "utf8mb3" => text.chars().all(|c| u32::from(c) <= 0xffff),
        _ => text.is_ascii(),
    };
    match written.iter().all(fits) {
        true => Ok(()),
        false => Err(format!(
            "its text is not ASCII and was written by a client that spoke {charset}, which is \
             not what this program speaks"
        )),
    }
}

/// `CREATE DEFINER=…`
fn create_by(program: &Fact) -> Result<String, String> {
    Ok(match text(program, "definer") {
        Some(definer) => format!("CREATE DEFINER={}", wording::account(definer)?),
        None => "CREATE".to_owned(),
    })
}

/// Makes a view.
pub(super) fn create_view(view: &Fact) -> Written {
    let query = text(view, "query").ok_or("it has no query")?;
    if !wording::is_whole(query) {
        return Err("its query is not understood".to_owned());
    }
    let session = Session::of(view, &[query], &Schema::default())?;
    let mut head = "CREATE".to_owned();
    if let Some(algorithm) = wording::word_of(view, "algorithm")? {
        head.push_str(&format!(" ALGORITHM={algorithm}"));
    }
    if let Some(definer) = text(view, "definer") {
        head.push_str(&format!(" DEFINER={}", wording::account(definer)?));
    }
    let security = wording::word_of(view, "security")?.unwrap_or("DEFINER");
    let columns = match list(view, "columns") {
        [] => String::new(),
        columns => format!(" ({})", wording::names(columns)),
    };
    let check = match wording::word_of(view, "check-option")? {
        Some(kind) => format!("\nWITH {kind} CHECK OPTION"),
        None => String::new(),
    };
    let name = wording::object(view);
    Ok(session
        .around(format!("{head} SQL SECURITY {security} VIEW {name}{columns} AS\n{query}{check}")))
}

/// The words that name a routine: `FUNCTION`, `PROCEDURE`, `PACKAGE`, `PACKAGE BODY`.
fn routine_name(routine: &Fact) -> Result<(&'static str, String), String> {
    let object = &routine.id.object.name;
    let kinds = [
        ("package body ", "PACKAGE BODY"),
        ("package ", "PACKAGE"),
        ("function ", "FUNCTION"),
        ("procedure ", "PROCEDURE"),
    ];
    kinds
        .iter()
        .find_map(|(words, kind)| Some((*kind, quoted(object.strip_prefix(words)?))))
        .ok_or_else(|| format!("`{object}` is no routine that is known"))
}

/// Makes a routine.
pub(super) fn create_routine(routine: &Fact, to: &Schema<'_>) -> Written {
    let (kind, name) = routine_name(routine)?;
    let said = |attribute: &str| text(routine, attribute).unwrap_or_default();
    let written = [said("parameters"), said("returns"), said("comment"), said("body"), &name];
    let session = Session::of(routine, &written, to)?;
    let mut statement = create_by(routine)?;
    if flag(routine, "aggregate") {
        statement.push_str(" AGGREGATE");
    }
    statement.push_str(&format!(" {kind} {name}"));
    if !kind.starts_with("PACKAGE") {
        statement.push_str(&format!("({})", said("parameters")));
    }
    if let Some(returns) = text(routine, "returns") {
        if !wording::is_whole(returns) {
            return Err(format!("what it returns, `{returns}`, is not understood"));
        }
        // In the mode of Oracle the word is another one.
        let is_oracle = said("sql-mode").split(',').any(|word| word == "ORACLE");
        let word = if is_oracle { "RETURN" } else { "RETURNS" };
        statement.push_str(&format!(" {word} {returns}"));
    }
    if let Some(language) = wording::word_of(routine, "language")? {
        statement.push_str(&format!("\n    LANGUAGE {language}"));
    }
    match text(routine, "data-access") {
        None => {}
        Some(access @ ("NO SQL" | "READS SQL DATA" | "MODIFIES SQL DATA")) => {
            statement.push_str(&format!("\n    {access}"));
        }
        Some(access) => return Err(format!("its data access {access} is not known")),
    }
    if flag(routine, "deterministic") {
        statement.push_str("\n    DETERMINISTIC");
    }
    if let Some(security) = wording::word_of(routine, "security")? {
        statement.push_str(&format!("\n    SQL SECURITY {security}"));
    }
    if let Some(comment) = text(routine, "comment") {
        let comment = wording::string_under(comment, session.mode);
        statement.push_str(&format!("\n    COMMENT {comment}"));
    }
    statement.push_str(&format!("\n{}", said("body")));
    Ok(session.around(statement))
}

/// Drops a routine.
pub(super) fn drop_routine(routine: &Fact) -> Written {
    let (kind, name) = routine_name(routine)?;
    let statement = format!("DROP {kind} {name}");
    if !kind.starts_with("PACKAGE") {
        return Ok(vec![Statement::Whole(statement)]);
    }
    // The word is known in the mode of Oracle only.
    let pinned = Purpose::Write.sql_mode();
    Ok(vec![
        Statement::whole("SET sql_mode = 'ORACLE'"),
        Statement::Whole(statement),
        Statement::Whole(format!("SET sql_mode = '{pinned}'")),
    ])
}

/// Makes a trigger, behind the one it follows.
pub(super) fn create_trigger(trigger: &Fact, to: &Schema<'_>) -> Written {
    let body = text(trigger, "body").ok_or("it has no body")?;
    let table = text(trigger, "table").ok_or("it has no table")?;
    let follows = text(trigger, "follows");
    let (name, on) = (wording::object(trigger), quoted(table));
    let session = Session::of(trigger, &[body, &name, &on, follows.unwrap_or_default()], to)?;
    let word = |attribute: &str| {
        wording::word_of(trigger, attribute)?.ok_or_else(|| format!("it has no {attribute}"))
    };
    let (timing, event) = (word("timing")?, word("event")?);
    let place = follows.map(|other| format!(" FOLLOWS {}", quoted(other))).unwrap_or_default();
    let by = create_by(trigger)?;
    let head = format!("{by} TRIGGER {name} {timing} {event} ON {on} FOR EACH ROW{place}");
    Ok(session.around(format!("{head}\n{body}")))
}

/// Makes an event.
pub(super) fn create_event(ddl: MysqlDdl, event: &Fact, to: &Schema<'_>) -> Written {
    let said = |attribute: &str| text(event, attribute).unwrap_or_default();
    let name = wording::object(event);
    let session = Session::of(event, &[said("body"), said("comment"), &name], to)?;
    let mut schedule = Vec::new();
    for clause in ["at", "every", "starts", "ends"] {
        if let Some(moment) = text(event, clause) {
            if !wording::is_whole(moment) {
                return Err(format!("its schedule `{moment}` is not understood"));
            }
            schedule.push(format!("{} {moment}", clause.to_ascii_uppercase()));
        }
    }
    let not = if flag(event, "preserve") { "" } else { "NOT " };
    let status = match text(event, "status") {
        None => "ENABLE",
        Some("DISABLED") => "DISABLE",
        Some("REPLICA DISABLED") if ddl == MysqlDdl::Mysql8029 => "DISABLE ON REPLICA",
        Some("REPLICA DISABLED") => "DISABLE ON SLAVE",
        Some(status) => return Err(format!("its status {status} is not known")),
    };
    let comment = match text(event, "comment") {
        Some(comment) => {
            format!("\n    COMMENT {}", wording::string_under(comment, session.mode))
        }
        None => String::new(),
    };
    let by = create_by(event)?;
    let schedule = schedule.join(" ");
    Ok(session.around(format!(
        "{by} EVENT {name}\n    ON SCHEDULE {schedule}\n    ON COMPLETION {not}PRESERVE\n    \
         {status}{comment}\n    DO {}",
        said("body")
    )))
}

/// What a sequence says, a clause for each attribute.
fn sequence_clauses(sequence: &Fact) -> Result<Vec<String>, String> {
    let number = |attribute: &str| {
        let digits = text(sequence, attribute).unwrap_or_default();
        let bare = digits.strip_prefix('-').unwrap_or(digits);
        match !bare.is_empty() && bare.bytes().all(|digit| digit.is_ascii_digit()) {
            true => Ok(digits),
            false => Err(format!("its {attribute} `{digits}` is no number")),
        }
    };
    let mut clauses = vec![
        format!("START WITH {}", number("start")?),
        format!("MINVALUE {}", number("minimum")?),
        format!("MAXVALUE {}", number("maximum")?),
        format!("INCREMENT BY {}", number("increment")?),
    ];
    clauses.push(match text(sequence, "cache") {
        Some(_) => format!("CACHE {}", number("cache")?),
        None => "NOCACHE".to_owned(),
    });
    clauses.push(if flag(sequence, "cycle") { "CYCLE" } else { "NOCYCLE" }.to_owned());
    Ok(clauses)
}

/// Makes a sequence.
pub(super) fn create_sequence(sequence: &Fact) -> Written {
    let mut statement = format!("CREATE SEQUENCE {}", wording::object(sequence));
    if let Some(type_text) = text(sequence, "type") {
        let words: Result<Vec<&str>, String> = type_text.split(' ').map(wording::word).collect();
        statement.push_str(&format!(" AS {}", words?.join(" ")));
    }
    statement.push_str(&format!(" {}", sequence_clauses(sequence)?.join(" ")));
    if let Some(engine) = wording::word_of(sequence, "engine")? {
        statement.push_str(&format!(" ENGINE={engine}"));
    }
    Ok(vec![Statement::Whole(statement)])
}

/// Changes a sequence, which goes on from where it is.
pub(super) fn alter_sequence(before: &Fact, after: &Fact) -> Alteration {
    let clauses = |fact| sequence_clauses(fact);
    let (old, new) = match (clauses(before), clauses(after)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(reason), _) | (_, Err(reason)) => return Alteration::Refused(reason),
    };
    if text(before, "type") != text(after, "type") {
        return Alteration::Refused("the type of a sequence that has numbers changes".to_owned());
    }
    let name = wording::object(after);
    let changed: Vec<String> = new.into_iter().filter(|clause| !old.contains(clause)).collect();
    let mut statements = Vec::new();
    if !changed.is_empty() {
        statements.push(Statement::Whole(format!("ALTER SEQUENCE {name} {}", changed.join(" "))));
    }
    if text(before, "engine") != text(after, "engine") {
        match wording::word_of(after, "engine") {
            Ok(Some(engine)) => {
                statements.push(Statement::Whole(format!("ALTER TABLE {name} ENGINE={engine}")));
            }
            Ok(None) => {}
            Err(reason) => return Alteration::Refused(reason),
        }
    }
    Alteration::InPlace(statements)
}

/// The sequences whose numbers a default takes.
pub(super) fn sequences_of(column: &Fact) -> Vec<FactId> {
    let sequence = |object: &ObjectName| FactId {
        kind: ObjectKind::Sequence,
        object: object.clone(),
        part: String::new(),
    };
    let mut found: Vec<FactId> = column.depends_on.iter().map(sequence).collect();
    let tokens = cut(text(column, "default").unwrap_or_default());
    for call in tokens.windows(3) {
        if (call[0].is("nextval") || call[0].is("lastval"))
            && let Some(name) = call[2].name()
        {
            found.push(sequence(&ObjectName::bare(name)));
        }
    }
    found
}
