//! Statements whose answers are a few texts: catalogs, settings, functions.
//!
//! The simple protocol: several statements in one text are one round trip, every value comes as
//! text, and nothing is prepared on the server.

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Either, Executor as _, Row as _};

/// A row of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Texts(Vec<Option<String>>);

impl Texts {
    /// The text at `place`; empty where it is NULL.
    pub(super) fn text(&self, place: usize) -> &str {
        self.get(place).unwrap_or_default()
    }

    /// The text at `place`.
    pub(super) fn get(&self, place: usize) -> Option<&str> {
        self.0.get(place).and_then(Option::as_deref)
    }

    /// Whether the text at `place` is that of a true condition.
    pub(super) fn is_true(&self, place: usize) -> bool {
        self.text(place).starts_with('t')
    }

    /// The number at `place`, where there is one.
    pub(super) fn number<N: std::str::FromStr>(&self, place: usize) -> Option<N> {
        self.text(place).parse().ok()
    }
}

/// Runs statements and drops what they answer.
pub(super) async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop)
}

/// Runs statements; gives how many rows each changed or returned, and the error of the one after
/// them.
pub(super) async fn each(
    connection: &mut PgConnection,
    sql: String,
) -> (Vec<u64>, Result<(), sqlx::Error>) {
    let mut counts = Vec::new();
    let mut answers = connection.fetch_many(sqlx::raw_sql(AssertSqlSafe(sql)));
    loop {
        match answers.try_next().await {
            Ok(Some(Either::Left(done))) => counts.push(done.rows_affected()),
            Ok(Some(Either::Right(_))) => {}
            Ok(None) => return (counts, Ok(())),
            Err(error) => return (counts, Err(error)),
        }
    }
}

/// Runs a query.
pub(super) async fn rows(
    connection: &mut PgConnection,
    sql: String,
) -> Result<Vec<Texts>, sqlx::Error> {
    let rows = connection.fetch_all(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    rows.into_iter()
        .map(|row| {
            (0..row.len())
                .map(|place| row.try_get_unchecked::<Option<String>, _>(place))
                .collect::<Result<Vec<_>, _>>()
                .map(Texts)
        })
        .collect()
}

/// Runs a query that answers one text.
pub(super) async fn text(
    connection: &mut PgConnection,
    sql: String,
) -> Result<String, sqlx::Error> {
    let rows = rows(connection, sql).await?;
    Ok(rows.first().map(|row| row.text(0).to_owned()).unwrap_or_default())
}
