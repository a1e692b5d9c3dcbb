//! Questions to the server's catalog: rows of text, whatever the settings of the session are.
//!
//! While the catalog is read, the session prints statements in the default SQL mode with quoted
//! names, and in UTF-8; what it was set to before comes back at the end.

use futures_util::TryStreamExt as _;
use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use crate::engine::error::EngineError;
use crate::engine::mysql::failure;

/// A row of texts.
pub(super) type Record = Vec<Option<String>>;

/// What the server answered to a question about one object.
#[derive(Debug)]
pub(super) enum Shown {
    /// What it shows.
    Row(Record),
    /// The account may not see it, or the server cannot show it, and why.
    Not(String),
}

/// The server's answer that an object is not there.
const GONE: [u16; 6] = [1049, 1146, 1305, 1360, 1539, 4091];
/// Answers that the server itself cannot show an object: its engine is missing, its files are
/// damaged, another server does not answer, its definition is broken.
const BROKEN: [u16; 19] = [
    1016, 1017, 1033, 1034, 1035, 1105, 1194, 1195, 1286, 1296, 1356, 1429, 1430, 1431, 1449, 1457,
    1548, 1812, 1932,
];

/// What the printing of statements depends on, where the server has it: the default SQL mode,
/// quoted names, options that were given and no others, generated keys too, all in UTF-8.
const PINNED: [(&str, &str); 5] = [
    ("character_set_results", "utf8mb4"),
    ("show_create_table_verbosity", "0"),
    ("show_gipk_in_create_table_and_information_schema", "1"),
    ("sql_mode", "''"),
    ("sql_quote_show_create", "1"),
];

/// The catalog of one database on a server.
pub(super) struct Reader<'c> {
    connection: &'c mut MySqlConnection,
    /// The database.
    pub(super) database: String,
    restore: Option<String>,
}

/// The server's number of an error, and its message.
fn told(error: &sqlx::Error) -> Option<(u16, String)> {
    let number = failure::number(error)?;
    Some((number, error.as_database_error()?.message().to_owned()))
}

/// A name in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn literal(text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    if hex.is_empty() { "''".to_owned() } else { format!("CONVERT(x'{hex}' USING utf8mb4)") }
}

impl<'c> Reader<'c> {
    /// A reader of a database's catalog; pins what the printing of statements depends on.
    pub(super) async fn new(
        connection: &'c mut MySqlConnection,
        database: &str,
    ) -> Result<Reader<'c>, EngineError> {
        let mut reader = Reader { connection, database: database.to_owned(), restore: None };
        // SHOW VARIABLES knows which of them this server has.
        let names: Vec<String> = PINNED.iter().map(|(name, _)| format!("'{name}'")).collect();
        let sql = format!("SHOW SESSION VARIABLES WHERE Variable_name IN ({})", names.join(", "));
        let known = reader.raw(&sql).await;
        let known =
            known.map_err(|error| failure::classify(database, "read the settings of", error))?;
        let (mut before, mut now) = (Vec::new(), Vec::new());
        for row in &known {
            let row = reader.record(row, "read the settings of")?;
            let name = cell(&row, 0).to_ascii_lowercase();
            if let Some((_, value)) = PINNED.iter().find(|(pinned, _)| *pinned == name) {
                let was = match cell(&row, 1) {
                    "" if name == "character_set_results" => "NULL".to_owned(),
                    was => literal(was),
                };
                before.push(format!("{name} = {was}"));
                now.push(format!("{name} = {value}"));
            }
        }
        reader.restore = Some(format!("SET SESSION {}", before.join(", SESSION ")));
        reader.set(&format!("SET SESSION {}", now.join(", SESSION "))).await?;
        Ok(reader)
    }

    async fn raw(&mut self, sql: &str) -> Result<Vec<MySqlRow>, sqlx::Error> {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        query.fetch(&mut *self.connection).try_collect().await
    }

    /// Sets the session back to what it was.
    pub(super) async fn finish(mut self) -> Result<(), EngineError> {
        match self.restore.take() {
            Some(sql) => self.set(&sql).await,
            None => Ok(()),
        }
    }

    async fn set(&mut self, sql: &str) -> Result<(), EngineError> {
        let result = self.connection.execute(AssertSqlSafe(sql.to_owned())).await;
        result
            .map(drop)
            .map_err(|error| failure::classify(&self.database, "set up a session on", error))
    }

    /// The rows of a query in which `?` stands for the database's name. Every column must be text.
    pub(super) async fn rows(
        &mut self,
        sql: &str,
        action: &str,
    ) -> Result<Vec<Record>, EngineError> {
        let count = sql.matches('?').count();
        let mut arguments = MySqlArguments::default();
        for _ in 0..count {
            sqlx::Arguments::add(&mut arguments, self.database.as_str()).map_err(|error| {
                failure::classify(&self.database, action, sqlx::Error::Encode(error))
            })?;
        }
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).persistent(false);
        let rows = self.connection.fetch_all(query).await;
        let rows = rows.map_err(|error| failure::classify(&self.database, action, error))?;
        rows.iter().map(|row| self.record(row, action)).collect()
    }

    /// Whether a table of INFORMATION_SCHEMA has a column, by which versions are told apart.
    pub(super) async fn has(&mut self, table: &str, column: &str) -> Result<bool, EngineError> {
        let sql = format!(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = 'information_schema' AND TABLE_NAME = '{table}' \
             AND COLUMN_NAME = '{column}'"
        );
        Ok(!self.rows(&sql, "read the catalog of").await?.is_empty())
    }

    /// What SHOW prints of one object, as its only row. By the text protocol: not every server
    /// prepares every SHOW.
    pub(super) async fn show(&mut self, sql: &str) -> Result<Shown, EngineError> {
        let action = "read the catalog of";
        match self.raw(sql).await {
            Ok(rows) => match rows.first() {
                Some(row) => match self.record(row, action) {
                    Err(EngineError::Unsupported { what, .. }) => Ok(Shown::Not(what)),
                    record => record.map(Shown::Row),
                },
                None => Ok(Shown::Not("the server shows nothing of it".to_owned())),
            },
            Err(error) => match told(&error) {
                Some((code, message)) if failure::is_denied(&error) || BROKEN.contains(&code) => {
                    Ok(Shown::Not(message))
                }
                Some((code, message)) if GONE.contains(&code) => Err(EngineError::Unsupported {
                    database: self.database.clone(),
                    what: format!("an object went away while the catalog was read: {message}"),
                }),
                _ => Err(failure::classify(&self.database, action, error)),
            },
        }
    }

    /// The lines of SHOW GRANTS; `None` where the server checks no privileges.
    pub(super) async fn grants(&mut self) -> Result<Option<Vec<String>>, EngineError> {
        match self.raw("SHOW GRANTS").await {
            Ok(rows) => {
                let mut lines = Vec::with_capacity(rows.len());
                for row in &rows {
                    lines.extend(self.record(row, "read the rights on")?.into_iter().flatten());
                }
                Ok(Some(lines))
            }
            // --skip-grant-tables.
            Err(error) if told(&error).is_some_and(|(code, _)| code == 1290) => Ok(None),
            Err(error) => Err(failure::classify(&self.database, "read the rights on", error)),
        }
    }

    fn record(&self, row: &MySqlRow, action: &str) -> Result<Record, EngineError> {
        (0..row.columns().len())
            .map(|at| {
                let bytes: Option<Vec<u8>> = row
                    .try_get_unchecked(at)
                    .map_err(|error| failure::classify(&self.database, action, error))?;
                bytes
                    .map(|bytes| {
                        String::from_utf8(bytes).map_err(|_| EngineError::Unsupported {
                            database: self.database.clone(),
                            what: "a text of the catalog is not UTF-8".to_owned(),
                        })
                    })
                    .transpose()
            })
            .collect()
    }
}

/// A cell of a record; empty where it is NULL or not there.
pub(super) fn cell(record: &Record, at: usize) -> &str {
    record.get(at).and_then(Option::as_deref).unwrap_or_default()
}
