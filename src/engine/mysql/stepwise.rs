//! What a change needs of a session that commits at every step: the journal, the lock that keeps
//! other such changes out, an empty database to try the steps on.

use futures_util::FutureExt as _;

use super::query::query;
use super::shadow::Shadow;
use super::target::MysqlSession;
use super::{MysqlDdl, journal, sql};
use crate::engine::error::EngineError;
use crate::engine::{Journal, TRASH_PREFIX, UNDONE_PREFIX};

/// The lock of a target, in the server's names for locks.
const LOCK: &str = "CONCAT('deepdiff-db ', LEFT(SHA2(DATABASE(), 256), 40))";

impl MysqlSession<'_> {
    /// The schema language of the server.
    pub fn ddl(&self) -> MysqlDdl {
        MysqlDdl::of(&self.target.server())
    }

    /// Keeps others of this program from changing the schema of the target, until the connection
    /// ends or the lock is given back. False where another one has it for longer than locks are
    /// waited for.
    pub fn lock_changes(&self) -> Result<bool, EngineError> {
        let patience = self.target.options.busy_timeout.as_secs().max(1);
        let ask = format!("SELECT GET_LOCK({LOCK}, {patience})");
        Ok(self.target.connection.ask("take the lock on changes of", ask)? == Some(1))
    }

    /// Gives the lock on changes back.
    pub fn unlock_changes(&self) -> Result<(), EngineError> {
        let ask = format!("SELECT RELEASE_LOCK({LOCK})");
        self.target.connection.ask("give back the lock on changes of", ask).map(|_| ())
    }

    /// Makes the journal's table where there is none, which commits; fails where the account may
    /// not write it.
    pub fn prepare_journal(&self) -> Result<(), EngineError> {
        self.target.connection.call("prepare the journal of", |link| journal::prepare(link).boxed())
    }

    /// What the journal says; `None` where nothing is on its way.
    pub fn journal(&self) -> Result<Option<Journal>, EngineError> {
        self.target.connection.call("read the journal of", |link| journal::read(link).boxed())
    }

    /// Writes a journal in the place of whatever was there, outside of transactions.
    pub fn write_journal(&self, journal: &Journal) -> Result<(), EngineError> {
        let journal = journal.clone();
        self.target.connection.call("write the journal of", move |link| {
            async move { journal::write(link, &journal).await }.boxed()
        })
    }

    /// Notes how far the run is: in the transaction, where one is open.
    pub fn advance_journal(&self, position: u64, is_running: bool) -> Result<(), EngineError> {
        self.target.ready()?;
        let noted = self.target.connection.call("write the journal of", move |link| {
            async move { journal::advance(link, position, is_running).await }.boxed()
        });
        self.target.noted(noted)
    }

    /// Takes everything out of the journal: in the transaction, where one is open.
    pub fn clear_journal(&self) -> Result<(), EngineError> {
        self.target.ready()?;
        let cleared = self
            .target
            .connection
            .call("write the journal of", |link| async move { journal::clear(link).await }.boxed());
        self.target.noted(cleared)
    }

    /// Makes an empty database beside the target.
    pub fn shadow(&self) -> Result<Shadow<'_>, EngineError> {
        Shadow::make(self)
    }

    /// The tables that were put aside and not dropped.
    pub fn trash(&self) -> Result<Vec<String>, EngineError> {
        let begins =
            |prefix: &str| format!("LEFT(TABLE_NAME, {}) = {}", prefix.len(), sql::text(prefix));
        let list = format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() \
             AND ({} OR {}) ORDER BY TABLE_NAME",
            begins(TRASH_PREFIX),
            begins(UNDONE_PREFIX)
        );
        let rows = self.rows_of("list the tables put aside of", list)?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    /// The first row that a query of this program's own gives, as texts.
    pub fn first_row(&self, sql: &str) -> Result<Option<Vec<Option<String>>>, EngineError> {
        self.target.ready()?;
        let rows = self.rows_of("look at the rows of", sql.to_owned());
        Ok(self.target.noted(rows)?.into_iter().next())
    }

    fn rows_of(&self, action: &str, sql: String) -> Result<Vec<Vec<Option<String>>>, EngineError> {
        let told = action.to_owned();
        self.target.connection.call(action, move |link| {
            async move {
                let rows = query(&mut link.connection, sql).await;
                let rows = rows.map_err(|error| link.wrong(&told, error))?;
                Ok(rows.into_iter().map(super::query::Answer::into_cells).collect())
            }
            .boxed()
        })
    }
}
