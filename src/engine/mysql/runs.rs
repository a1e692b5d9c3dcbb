//! Running statements: many in one packet, or one with parameters.
//!
//! The server runs the statements of a packet one after the other and answers each by itself, until
//! one fails; those after it do not run. Counts are of rows found, not of rows that became another
//! (the driver asks for that when it connects).

use futures_util::TryStreamExt as _;
use sqlx::mysql::MySqlArguments;
use sqlx::{Arguments as _, AssertSqlSafe, Either, Executor as _};

use super::connect::Link;
use super::failure;

/// A packet takes no more statements from this many bytes on.
const FULL: usize = 1 << 20;

/// How many statements one packet holds.
const STATEMENTS: usize = 1000;

/// How much of a statement an error message shows.
const SHOWN: usize = 120;

/// What the server says to a text that ends in a comment.
const EMPTY: u16 = 1065;

/// Statements in parts that fit into a packet each. One that is too long stands alone.
pub(super) fn trips<'s, 't>(
    statements: &'s [&'t str],
    longest: u64,
) -> impl Iterator<Item = &'s [&'t str]> {
    let full = FULL.min(usize::try_from(longest).unwrap_or(usize::MAX));
    let mut rest = statements;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest.iter().take(STATEMENTS).take_while(|statement| {
            bytes += statement.len() + SEPARATOR.len();
            bytes <= full
        });
        let count = fitting.count().max(1).min(rest.len());
        let (trip, after) = rest.split_at(count);
        rest = after;
        (!trip.is_empty()).then_some(trip)
    })
}

/// What stands between statements: on a line of its own it ends a comment, too.
const SEPARATOR: &str = "\n;\n";

/// The text of several statements.
pub(super) fn joined(statements: &[&str]) -> String {
    let bare: Vec<&str> =
        statements.iter().map(|statement| statement.trim_end().trim_end_matches(';')).collect();
    bare.join(SEPARATOR)
}

/// Runs the statements of a text, of which there are so many; gives what each changed, and the
/// error of the one after them.
pub(super) async fn each(
    link: &mut Link,
    sql: String,
    length: usize,
) -> (Vec<u64>, Result<(), sqlx::Error>) {
    let mut counts = Vec::with_capacity(length);
    let mut results = link.connection.fetch_many(sqlx::raw_sql(AssertSqlSafe(sql)));
    let result = loop {
        match results.try_next().await {
            Ok(Some(Either::Left(done))) => counts.push(done.rows_affected()),
            Ok(Some(Either::Right(_))) => {}
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    if result.is_ok() && counts.len() != length {
        let answered = counts.len();
        let wrong = format!("{length} statements were answered {answered} times");
        return (counts, Err(sqlx::Error::Protocol(wrong)));
    }
    (counts, result)
}

/// Runs a statement with parameters: bytes of no charset.
pub(super) async fn with_parameters(
    link: &mut Link,
    sql: String,
    parameters: Vec<Vec<u8>>,
) -> Result<u64, sqlx::Error> {
    let mut arguments = MySqlArguments::default();
    for parameter in parameters {
        arguments.add(parameter).map_err(sqlx::Error::Encode)?;
    }
    let statement = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(false);
    Ok(link.connection.execute(statement).await?.rows_affected())
}

/// Runs the statements of a text, however many.
pub(super) async fn script(link: &mut Link, sql: String) -> Result<(), sqlx::Error> {
    match link.connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await {
        Ok(_) => Ok(()),
        Err(error) if failure::number(&error) == Some(EMPTY) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What is being done, with the beginning of the statement.
pub(super) fn shown(sql: &str) -> String {
    let line: String = sql.split_whitespace().collect::<Vec<&str>>().join(" ");
    let mut shown: String = line.chars().take(SHOWN).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    format!("run `{shown}` on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_parted_into_packets() {
        let long = "x".repeat(60);
        let statements = ["a;", "b", &long, "c ; "];
        let lengths = |longest| trips(&statements, longest).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(1000), [4]);
        assert_eq!(lengths(50), [2, 1, 1]);
        assert_eq!(lengths(0), [1, 1, 1, 1]);
        assert_eq!(trips(&[], 9).count(), 0);
        assert_eq!(joined(&["a;", "b", "c -- x"]), "a\n;\nb\n;\nc -- x");
    }

    #[test]
    fn messages_show_the_beginning() {
        assert_eq!(shown("INSERT\n  INTO t"), "run `INSERT INTO t` on");
        assert!(shown(&"é ".repeat(100)).ends_with("…` on"));
    }
}
