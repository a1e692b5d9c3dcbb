//! An empty database on the server of a target, on which the steps of a change are tried.
//!
//! It is named by the target's own name, so that one which a killed program left is found and
//! dropped by the next one; whoever makes one holds the lock on changes of the target. It never
//! holds a row.

use futures_util::FutureExt as _;

use super::query::{execute, query};
use super::sql::quoted;
use super::target::{MysqlSession, MysqlTarget};
use crate::engine::error::EngineError;

const MAKE: &str = "make an empty database to try the steps on, on the server of";
const DROP: &str = "drop the database that the steps were tried on, on the server of";

/// An empty database beside a target.
pub struct Shadow<'a> {
    session: &'a MysqlSession<'a>,
    target: MysqlTarget,
    name: String,
    is_dropped: bool,
}

impl<'a> Shadow<'a> {
    /// Makes one; whatever an earlier program left under its name is dropped.
    pub(super) fn make(session: &'a MysqlSession<'a>) -> Result<Shadow<'a>, EngineError> {
        let name = session.target.connection.call(MAKE, |link| {
            async move {
                let ask = "SELECT CONCAT('_deepdiff_shadow_', LEFT(SHA2(DATABASE(), 256), 20))";
                let told = query(&mut link.connection, ask).await;
                let told = told.map_err(|error| link.wrong(MAKE, error))?;
                let name = told.first().map(|row| row.text(0).to_owned()).unwrap_or_default();
                for statement in ["DROP DATABASE IF EXISTS", "CREATE DATABASE"] {
                    let made =
                        execute(&mut link.connection, format!("{statement} {}", quoted(&name)));
                    made.await.map_err(|error| link.wrong(MAKE, error))?;
                }
                Ok(name)
            }
            .boxed()
        })?;
        let mut url = session.target.url.clone();
        url.database = Some(name.clone());
        match MysqlTarget::connect(&url, &session.target.options) {
            Ok(target) => Ok(Shadow { session, target, name, is_dropped: false }),
            Err(error) => {
                let _ = drop_database(session, &name);
                Err(error)
            }
        }
    }

    /// A session in it.
    pub fn session(&self) -> MysqlSession<'_> {
        MysqlSession { target: &self.target }
    }

    /// Drops it.
    pub fn drop_it(mut self) -> Result<(), EngineError> {
        self.is_dropped = true;
        drop_database(self.session, &self.name)
    }
}

impl Drop for Shadow<'_> {
    fn drop(&mut self) {
        if !self.is_dropped {
            // Where this fails, the next one that is made drops it.
            let _ = drop_database(self.session, &self.name);
        }
    }
}

fn drop_database(session: &MysqlSession<'_>, name: &str) -> Result<(), EngineError> {
    let statement = format!("DROP DATABASE IF EXISTS {}", quoted(name));
    session.target.connection.call(DROP, move |link| {
        async move {
            let dropped = execute(&mut link.connection, statement).await;
            dropped.map_err(|error| link.wrong(DROP, error))
        }
        .boxed()
    })
}
