//! Questions to the server's catalog: rows of text, whatever the settings of the session are.
//!
//! While the catalog is read, the session prints statements in the default SQL mode with quoted
//! names, and in UTF-8; what it was set to before comes back at the end.

use sqlx::mysql::MySqlConnection;

use crate::engine::error::EngineError;
use crate::engine::mysql::query::{Answer, execute, query};
use crate::engine::mysql::{failure, sql};

/// What the server answered to a question about one object.
#[derive(Debug)]
pub(super) enum Shown {
    /// What it shows.
    Row(Answer),
    /// The account may not see it, or the server cannot show it, and why.
    Not(String),
}

/// The server's answer that an object is not there.
const GONE: [u16; 6] = [1049, 1146, 1305, 1360, 1539, 4091];
/// Answers that the server itself cannot show an object: its engine is missing, its files are
/// damaged, another server does not answer, its definition is broken.
const BROKEN: [u16; 20] = [
    1016, 1017, 1033, 1034, 1035, 1105, 1168, 1194, 1195, 1286, 1296, 1356, 1429, 1430, 1431, 1449,
    1457, 1548, 1812, 1932,
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

impl<'c> Reader<'c> {
    /// A reader of a database's catalog; pins what the printing of statements depends on.
    pub(super) async fn new(
        connection: &'c mut MySqlConnection,
        database: &str,
    ) -> Result<Reader<'c>, EngineError> {
        let mut reader = Reader { connection, database: database.to_owned(), restore: None };
        // SHOW VARIABLES knows which of them this server has.
        let names: Vec<String> = PINNED.iter().map(|(name, _)| format!("'{name}'")).collect();
        let list = format!("SHOW SESSION VARIABLES WHERE Variable_name IN ({})", names.join(", "));
        let (mut before, mut now) = (Vec::new(), Vec::new());
        for row in reader.rows(&list).await? {
            let name = row.text(0).to_ascii_lowercase();
            if let Some((_, value)) = PINNED.iter().find(|(pinned, _)| *pinned == name) {
                let was = match row.text(1) {
                    "" if name == "character_set_results" => "NULL".to_owned(),
                    was => sql::text(was),
                };
                before.push(format!("{name} = {was}"));
                now.push(format!("{name} = {value}"));
            }
        }
        reader.restore = Some(format!("SET SESSION {}", before.join(", SESSION ")));
        reader.set(&format!("SET SESSION {}", now.join(", SESSION "))).await?;
        Ok(reader)
    }

    /// Sets the session back to what it was.
    pub(super) async fn finish(mut self) -> Result<(), EngineError> {
        match self.restore.take() {
            Some(sql) => self.set(&sql).await,
            None => Ok(()),
        }
    }

    async fn set(&mut self, sql: &str) -> Result<(), EngineError> {
        let result = execute(self.connection, sql).await;
        result.map_err(|error| self.failed("set up a session on", error))
    }

    fn failed(&self, action: &str, error: sqlx::Error) -> EngineError {
        failure::classify(&self.database, action, error)
    }

    /// The rows of a query in which `?` stands for the database's name.
    pub(super) async fn rows(&mut self, sql: &str) -> Result<Vec<Answer>, EngineError> {
        let sql = sql.replace('?', &sql::text(&self.database));
        let rows = query(self.connection, sql).await;
        rows.map_err(|error| self.failed("read the catalog of", error))
    }

    /// Whether a table of INFORMATION_SCHEMA has a column, by which versions are told apart.
    pub(super) async fn has(&mut self, table: &str, column: &str) -> Result<bool, EngineError> {
        let sql = format!(
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = 'information_schema' AND TABLE_NAME = '{table}' \
             AND COLUMN_NAME = '{column}'"
        );
        Ok(!self.rows(&sql).await?.is_empty())
    }

    /// What SHOW prints of one object, as its only row.
    pub(super) async fn show(&mut self, sql: &str) -> Result<Shown, EngineError> {
        let error = match query(self.connection, sql).await {
            Ok(rows) => {
                let nothing = || Shown::Not("the server shows nothing of it".to_owned());
                return Ok(rows.into_iter().next().map_or_else(nothing, Shown::Row));
            }
            Err(sqlx::Error::Decode(_)) => {
                return Ok(Shown::Not("its definition is not UTF-8".to_owned()));
            }
            Err(error) => error,
        };
        let message = error.as_database_error().map(|told| told.message().to_owned());
        match (failure::number(&error), message) {
            (Some(number), Some(message))
                if failure::is_denied(&error) || BROKEN.contains(&number) =>
            {
                Ok(Shown::Not(message))
            }
            (Some(number), Some(message)) if GONE.contains(&number) => Err(EngineError::Changed {
                database: self.database.clone(),
                what: format!("an object went away while the catalog was read: {message}"),
            }),
            _ => Err(self.failed("read the catalog of", error)),
        }
    }

    /// The lines of SHOW GRANTS; `None` where the server checks no privileges.
    pub(super) async fn grants(&mut self) -> Result<Option<Vec<String>>, EngineError> {
        match query(self.connection, "SHOW GRANTS").await {
            Ok(rows) => Ok(Some(rows.iter().map(|row| row.text(0).to_owned()).collect())),
            // --skip-grant-tables.
            Err(error) if failure::number(&error) == Some(1290) => Ok(None),
            Err(error) => Err(self.failed("read the rights on", error)),
        }
    }
}
