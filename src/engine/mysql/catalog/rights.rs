//! What an account may see, worked out from its grants.
//!
//! The server lists what an account has no right on as absent, not as denied. So what a missing
//! right could hide is *unknown*: listed by name where the name is seen, else as `*`. A grant that
//! is not understood counts as missing.

use std::collections::BTreeSet;

use super::tokens::{Kind, Token, closing, cut, split, text_of};
use crate::model::NotCaptured;

/// What a grant is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    Global,
    /// A pattern of database names.
    Database(String),
    /// A table or view in a database.
    Table(String, String),
}

/// A line of SHOW GRANTS.
#[derive(Debug, Clone)]
struct Grant {
    privileges: BTreeSet<String>,
    level: Level,
    is_taken_back: bool,
}

/// The rights of the account on one database.
#[derive(Debug, Clone, Default)]
pub(super) struct Rights {
    grants: Vec<Grant>,
    is_unchecked: bool,
    database: String,
    /// Whether reading the tables of the schema `mysql` shows routines (before MySQL 8).
    mysql_shows_routines: bool,
}

impl Rights {
    /// The rights that these lines of SHOW GRANTS give; `None` where none are checked.
    pub(super) fn of(
        lines: Option<&[String]>,
        database: &str,
        mysql_shows_routines: bool,
    ) -> Rights {
        let grants = lines.unwrap_or_default().iter().filter_map(|line| parse(line)).collect();
        Rights {
            grants,
            is_unchecked: lines.is_none(),
            database: database.to_owned(),
            mysql_shows_routines,
        }
    }

    fn holds(&self, privilege: &str, covers: impl Fn(&Level) -> bool) -> bool {
        let gives = |grant: &&Grant| {
            covers(&grant.level)
                && (grant.privileges.contains(privilege) || grant.privileges.contains("ALL"))
        };
        let mut found = self.grants.iter().filter(gives).peekable();
        self.is_unchecked || (found.peek().is_some() && found.all(|grant| !grant.is_taken_back))
    }

    /// Whether the account has a privilege everywhere.
    fn everywhere(&self, privilege: &str) -> bool {
        self.holds(privilege, |level| *level == Level::Global)
    }

    /// Whether the account has a privilege on all of the database.
    pub(super) fn on_database(&self, privilege: &str) -> bool {
        self.holds(privilege, |level| match level {
            Level::Global => true,
            Level::Database(pattern) => is_like(pattern, &self.database),
            Level::Table(..) => false,
        })
    }

    /// Whether the account has a privilege on all columns of a table.
    pub(super) fn on_table(&self, privilege: &str, table: &str) -> bool {
        let is_it = |level: &Level| match level {
            Level::Table(database, name) => {
                database.eq_ignore_ascii_case(&self.database) && name.eq_ignore_ascii_case(table)
            }
            _ => false,
        };
        self.on_database(privilege) || self.holds(privilege, is_it)
    }

    /// Whether every routine is listed.
    fn lists_routines(&self) -> bool {
        self.shows_routines()
            || ["EXECUTE", "ALTER ROUTINE", "CREATE ROUTINE"]
                .iter()
                .any(|privilege| self.on_database(privilege))
    }

    /// Whether every routine is shown with its body.
    pub(super) fn shows_routines(&self) -> bool {
        let in_mysql = |level: &Level| match level {
            Level::Database(pattern) => is_like(pattern, "mysql"),
            Level::Table(database, table) => database == "mysql" && table == "proc",
            Level::Global => false,
        };
        self.everywhere("SELECT")
            || self.everywhere("SHOW_ROUTINE")
            || self.on_database("SHOW CREATE ROUTINE")
            || (self.mysql_shows_routines && self.holds("SELECT", in_mysql))
    }

    /// What could be there and is not listed.
    pub(super) fn hidden(&self) -> Vec<NotCaptured> {
        let mut hidden = Vec::new();
        if !self.on_database("SELECT") {
            hidden.push(NotCaptured::unknown(
                "table",
                "*",
                "the account has no SELECT on the whole database: tables on which it has no right \
                 are not listed to it",
            ));
        }
        if !self.lists_routines() {
            hidden.push(NotCaptured::unknown(
                "routine",
                "*",
                "the account has neither SHOW_ROUTINE (MySQL 8), SHOW CREATE ROUTINE (MariaDB \
                 11.3) nor SELECT on mysql.proc: routines are not listed to it",
            ));
        }
        if !self.on_database("EVENT") {
            let reason = "the account has no EVENT right on the database: events are not listed \
                          to it";
            hidden.push(NotCaptured::unknown("event", "*", reason));
        }
        hidden
    }

    /// What is unknown of a table that is listed; the first is the table itself.
    pub(super) fn of_table(&self, table: &str) -> (Option<NotCaptured>, Option<NotCaptured>) {
        let rows = (!self.on_table("SELECT", table)).then(|| {
            let reason = "the account has no SELECT on all of its columns";
            NotCaptured::unknown("table", table, reason)
        });
        let triggers = (!self.on_table("TRIGGER", table)).then(|| {
            let reason = "the account has no TRIGGER right on the table: its triggers are not \
                          listed to it";
            NotCaptured::unknown("triggers", table, reason)
        });
        (rows, triggers)
    }

    /// What is unknown of a view that is listed.
    pub(super) fn of_view(&self, view: &str) -> Option<NotCaptured> {
        let sees = |privilege: &str| self.on_table(privilege, view);
        (!(sees("SHOW VIEW") && sees("SELECT"))).then(|| {
            NotCaptured::unknown(
                "view",
                view,
                "the account has no SHOW VIEW and SELECT right on it",
            )
        })
    }
}

/// A line of SHOW GRANTS, where it is about tables.
fn parse(line: &str) -> Option<Grant> {
    let tokens = cut(line);
    let (first, rest) = tokens.split_first()?;
    let is_taken_back = first.is("REVOKE");
    if !is_taken_back && !first.is("GRANT") {
        return None;
    }
    let on = position_outside(rest, "ON")?;
    let privileges = split(&rest[..on])
        .into_iter()
        // A right on some columns is no right on the table.
        .filter(|words| !words.iter().any(|token| token.is_symbol("(")))
        .map(|words| match words {
            [all, ..] if all.is("ALL") => "ALL".to_owned(),
            _ => text_of(words).to_ascii_uppercase(),
        })
        .collect();
    let mut place = rest.get(on + 1..)?;
    if place.first()?.is("TABLE") {
        place = &place[1..];
    }
    let level = match place {
        [all, dot, every, ..]
            if all.is_symbol("*") && dot.is_symbol(".") && every.is_symbol("*") =>
        {
            Level::Global
        }
        [database, dot, every, ..] if dot.is_symbol(".") && every.is_symbol("*") => {
            Level::Database(database.name()?)
        }
        [database, dot, table, ..] if dot.is_symbol(".") && is_name(table) => {
            Level::Table(database.name()?, table.name()?)
        }
        _ => return None,
    };
    Some(Grant { privileges, level, is_taken_back })
}

fn is_name(token: &Token<'_>) -> bool {
    matches!(token.kind, Kind::Name | Kind::Word)
}

fn position_outside(tokens: &[Token<'_>], word: &str) -> Option<usize> {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if token.is(word) {
            return Some(at);
        }
        at += if token.is_symbol("(") { closing(&tokens[at..])? } else { 1 };
    }
    None
}

/// Whether a name matches a pattern of grants: `%` and `_` are wild, `\` takes that away.
fn is_like(pattern: &str, name: &str) -> bool {
    fn matches(pattern: &[char], name: &[char]) -> bool {
        match pattern {
            [] => name.is_empty(),
            ['%', rest @ ..] => (0..=name.len()).any(|at| matches(rest, &name[at..])),
            ['_', rest @ ..] => name.split_first().is_some_and(|(_, name)| matches(rest, name)),
            ['\\', literal, rest @ ..] | [literal, rest @ ..] => name
                .split_first()
                .is_some_and(|(first, name)| first == literal && matches(rest, name)),
        }
    }
    let characters = |text: &str| text.chars().collect::<Vec<char>>();
    matches(&characters(pattern), &characters(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(lines: &[&str]) -> Rights {
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        Rights::of(Some(&lines), "my_db", true)
    }

    #[test]
    fn grants_are_understood() {
        let all = rights(&["GRANT ALL PRIVILEGES ON *.* TO `u`@`h` IDENTIFIED BY PASSWORD '*A'"]);
        assert!(all.on_database("TRIGGER") && all.shows_routines() && all.hidden().is_empty());
        let some = rights(&[
            "GRANT USAGE ON *.* TO `u`@`h`",
            "GRANT SELECT, SHOW VIEW ON `my\\_db`.* TO `u`@`h`",
            "GRANT TRIGGER ON `my_db`.`t` TO `u`@`h`",
            "GRANT EXECUTE ON PROCEDURE `my_db`.`p` TO `u`@`h`",
        ]);
        assert!(some.on_database("SELECT") && !some.on_database("TRIGGER"));
        assert!(some.on_table("TRIGGER", "t") && !some.on_table("TRIGGER", "u"));
        let kinds: Vec<String> = some.hidden().into_iter().map(|hidden| hidden.kind).collect();
        assert_eq!(kinds, ["routine", "event"]);
        assert!(!rights(&["GRANT SELECT ON `my\\_dx`.* TO `u`@`h`"]).on_database("SELECT"));
        assert!(rights(&["GRANT SELECT ON `my%`.* TO `u`@`h`"]).on_database("SELECT"));
    }

    #[test]
    fn rights_on_columns_and_rights_that_were_taken_back_are_none() {
        let columns = rights(&["GRANT SELECT (`a`, `on`), INSERT ON `my_db`.`t` TO `u`@`h`"]);
        assert!(!columns.on_table("SELECT", "t") && columns.on_table("INSERT", "t"));
        let taken = rights(&[
            "GRANT SELECT, EVENT ON *.* TO `u`@`h`",
            "REVOKE SELECT ON `my_db`.* FROM `u`@`h`",
        ]);
        assert!(!taken.on_database("SELECT") && taken.on_database("EVENT"));
        assert!(
            !rights(&["GRANT PROXY ON ''@'' TO `u`@`h`", "GRANT `r` TO `u`@`h`", "x"])
                .on_database("SELECT")
        );
    }
}
