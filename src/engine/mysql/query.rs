//! Small queries in the text protocol, for catalogs and settings: every cell as the server's text.
//!
//! Never for rows of tables: the text protocol cuts FLOAT.

use sqlx::mysql::{MySql, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Decode, Executor as _, Row as _};

/// A row of texts; `None` is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer(Vec<Option<String>>);

impl Answer {
    /// The text of a cell, where it is not NULL and there is one.
    pub(super) fn get(&self, index: usize) -> Option<&str> {
        self.0.get(index)?.as_deref()
    }

    /// The text of a cell; empty for NULL.
    pub(super) fn text(&self, index: usize) -> &str {
        self.get(index).unwrap_or_default()
    }

    /// All cells.
    pub(super) fn into_cells(self) -> Vec<Option<String>> {
        self.0
    }

    /// The number in a cell.
    pub(super) fn number(&self, index: usize) -> Option<u64> {
        self.get(index)?.parse().ok()
    }
}

/// The bytes of a cell as they came; `None` is NULL. The driver itself takes a zero date for NULL,
/// which this does not.
pub(super) fn bytes(row: &MySqlRow, index: usize) -> Result<Option<&[u8]>, sqlx::Error> {
    // Decoding to bytes fails on NULL only.
    Ok(<&[u8] as Decode<MySql>>::decode(row.try_get_raw(index)?).ok())
}

/// All rows of a query.
pub(super) async fn query(
    connection: &mut MySqlConnection,
    sql: impl Into<String>,
) -> Result<Vec<Answer>, sqlx::Error> {
    let rows = sqlx::raw_sql(AssertSqlSafe(sql.into())).fetch_all(connection).await?;
    rows.iter().map(answer).collect()
}

/// Runs a statement.
pub(super) async fn execute(
    connection: &mut MySqlConnection,
    sql: impl Into<String>,
) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.into()))).await?;
    Ok(())
}

fn answer(row: &MySqlRow) -> Result<Answer, sqlx::Error> {
    let mut cells = Vec::with_capacity(row.len());
    for index in 0..row.len() {
        let text = bytes(row, index)?.map(|bytes| String::from_utf8(bytes.to_vec()));
        cells.push(text.transpose().map_err(|error| sqlx::Error::Decode(error.into()))?);
    }
    Ok(Answer(cells))
}
