//! A moment that is fixed, and the tables that are read at it.
//!
//! Every table the catalog names is locked before the snapshot is taken, so rows are read only of
//! tables that the catalog gave, in the shape that it gave.

use futures_util::FutureExt as _;
use std::borrow::Cow;

use super::connect::Link;
use super::locks::{self, Moment, Purpose, Wait};
use super::rows::Reader;
use super::tables::{self, ListedTable, Selection, Table};
use super::{catalog, errors::Failure};
use crate::engine::error::EngineError;
use crate::model::snapshot::Scope;
use crate::model::{Catalog, ColumnSpec, TableSpec};

/// What is read, once the moment is fixed.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    scope: Scope,
    /// The moment.
    pub(super) moment: Moment,
    /// By name.
    tables: Vec<Table>,
}

/// How the tables of a look at the catalog are found.
enum Look {
    /// In a transaction that begins with it.
    Begin(Purpose),
    /// As they were found before.
    Known(Moment),
    /// In the transaction that is open, where some are locked already.
    Within(Vec<ListedTable>),
}

impl Fixed {
    /// Begins a transaction, locks the tables, fixes the moment, and reads the catalog.
    pub(super) fn new(
        link: &Link,
        selection: Selection,
        scope: &Scope,
        purpose: Purpose,
    ) -> Result<(Fixed, Catalog), EngineError> {
        look(link, selection, scope, Look::Begin(purpose))
    }

    /// Reads the catalog again: nobody else can have changed these tables.
    pub(super) fn again(
        &self,
        link: &Link,
        selection: Selection,
        scope: &Scope,
    ) -> Result<(Fixed, Catalog), EngineError> {
        if self.scope != *scope {
            let what = "is read under one scope in one transaction".to_owned();
            return Err(EngineError::Unsupported { database: link.name.clone(), what });
        }
        look(link, selection, scope, Look::Known(self.moment.clone()))
    }

    /// Reads the catalog in a transaction that has begun, and may have changed tables itself.
    pub(super) fn within(
        known: Option<&Fixed>,
        link: &Link,
        selection: Selection,
        scope: &Scope,
    ) -> Result<(Fixed, Catalog), EngineError> {
        let known = known.map(|fixed| fixed.moment.tables.clone()).unwrap_or_default();
        look(link, selection, scope, Look::Within(known))
    }

    /// The error of reading rows where there is no such moment.
    pub(super) fn missing(link: &Link) -> EngineError {
        let what = "rows are read after the catalog, in one transaction".to_owned();
        EngineError::Unsupported { database: link.name.clone(), what }
    }

    /// The reader of a table that the catalog has given.
    pub(super) fn reader<'r>(
        &'r self,
        link: &'r Link,
        spec: &TableSpec,
    ) -> Result<Reader<'r>, EngineError> {
        let found = self
            .tables
            .binary_search_by(|table| table.spec.name.cmp(&spec.name))
            .ok()
            .map(|place| &self.tables[place])
            .filter(|table| spec.columns.iter().all(|c| table.spec.columns.contains(c)));
        match found {
            Some(table) if table.spec.key == spec.key && table.spec.columns == spec.columns => {
                Ok(Reader { link, table: Cow::Borrowed(table) })
            }
            // Rows may be looked for by another key than the catalog's, and read in part.
            Some(table) => {
                let all = table.spec.columns.iter().zip(&table.columns);
                let is_asked = |column: &ColumnSpec| spec.columns.contains(column);
                let asked = all.filter(|(column, _)| is_asked(column));
                let columns = asked.map(|(_, reading)| reading.clone()).collect();
                let (listed, spec) = (table.listed.clone(), spec.clone());
                Ok(Reader { link, table: Cow::Owned(Table { listed, spec, columns }) })
            }
            None => Err(EngineError::Unsupported {
                database: link.name.clone(),
                what: format!("table `{}` is not as the catalog has it", spec.name),
            }),
        }
    }
}

fn look(
    link: &Link,
    selection: Selection,
    scope: &Scope,
    look: Look,
) -> Result<(Fixed, Catalog), EngineError> {
    let asked = scope.clone();
    let (moment, tables, facts) = link.call("read the catalog of", move |connection| {
        async move {
            let session = &mut connection.session;
            let moment = match look {
                Look::Begin(purpose) => locks::fix(session, &selection, &asked, purpose).await?,
                Look::Known(moment) => moment,
                Look::Within(known) => lock_new(session, &selection, &asked, &known).await?,
            };
            let listed = moment.tables.clone();
            // A COPY that does not begin leaves the driver out of step with the server.
            connection.is_broken = true;
            let session = &mut connection.session;
            let tables = tables::read(session, &selection, &asked, listed).await?;
            connection.is_broken = false;
            let session = &mut connection.session;
            let (database, schemas) = (&selection.database, &selection.schemas);
            let catalog = catalog::read(session, database, &asked, schemas).await?;
            Ok((moment, tables, catalog))
        }
        .boxed()
    })?;
    let specs = tables.iter().map(|table| table.spec.clone()).collect();
    let fixed = Fixed { scope: scope.clone(), moment, tables };
    Ok((fixed, Catalog { tables: specs, ..facts }))
}

/// Locks the tables that were not locked before the snapshot of the open transaction, and looks
/// whether others have emptied or rewritten one of them in between: what the snapshot says of a
/// table's file is compared with what is so now.
async fn lock_new(
    session: &mut sqlx::PgConnection,
    selection: &Selection,
    scope: &Scope,
    known: &[ListedTable],
) -> Result<Moment, Failure> {
    let tables = tables::list(session, selection, scope).await?;
    let is_new = |table: &&ListedTable| !known.iter().any(|known| known.oid == table.oid);
    let new: Vec<ListedTable> = tables.iter().filter(is_new).cloned().collect();
    if !new.is_empty() {
        locks::lock(session, &new, Wait::ForOthers).await?;
        locks::lock_closed(session, selection, &new).await?;
        locks::require_unchanged(session, selection, &new.iter().collect::<Vec<_>>()).await?;
    }
    Ok(Moment { snapshot: String::new(), tables })
}
