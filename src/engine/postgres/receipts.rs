//! The table of receipts: where it is, who may write it, what is in it.
//!
//! It is where it was found, else in the first of the chosen schemas; where none is chosen, in
//! `public`, else in the first schema in which the account may create it. DDL is part of a
//! transaction, so it is made by the first receipt and not before.

use sqlx::postgres::PgConnection;

use super::errors::Failure;
use super::query;
use super::sql::{self, quoted};
use crate::engine::error::EngineError;
use crate::engine::{RECEIPTS_TABLE, Receipt};

/// Where the table of receipts is, or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    schema: String,
    is_there: bool,
    /// Whether the account may do what it has to: write it, or create it.
    is_allowed: bool,
}

impl Place {
    fn relation(&self) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(RECEIPTS_TABLE))
    }
}

async fn place(connection: &mut PgConnection, chosen: &[String]) -> Result<Option<Place>, Failure> {
    let rank = match chosen.first() {
        Some(first) => format!("n.nspname <> {}", sql::literal(first)),
        None => "n.nspname <> 'public'".to_owned(),
    };
    // Only the first of the chosen schemas gets a new one.
    let may_get = match chosen.first() {
        Some(first) => format!("n.nspname = {}", sql::literal(first)),
        None => "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND \
                 pg_catalog.has_schema_privilege(n.oid, 'CREATE')"
            .to_owned(),
    };
    let sql = format!(
        "SELECT n.nspname::text, c.oid IS NOT NULL, \
         pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND CASE WHEN c.oid IS NULL \
         THEN pg_catalog.has_schema_privilege(n.oid, 'CREATE') \
         ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') \
         AND pg_catalog.has_table_privilege(c.oid, 'INSERT') END \
         FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c \
         ON c.relnamespace = n.oid AND c.relname = '{RECEIPTS_TABLE}' AND c.relkind IN ('r', 'p') \
         WHERE c.oid IS NOT NULL OR ({may_get}) \
         ORDER BY c.oid IS NULL, {rank}, n.nspname LIMIT 1"
    );
    let rows = query::rows(connection, sql).await?;
    Ok(rows.first().map(|row| Place {
        schema: row.text(0).to_owned(),
        is_there: row.is_true(1),
        is_allowed: row.is_true(2),
    }))
}

/// Fails where the account may not write receipts.
pub(super) async fn check(
    connection: &mut PgConnection,
    database: &str,
    chosen: &[String],
) -> Result<(), Failure> {
    let message = match place(connection, chosen).await? {
        Some(place) if place.is_allowed => return Ok(()),
        Some(place) if place.is_there => {
            format!("the account needs SELECT and INSERT on table {}", place.relation())
        }
        Some(place) => format!(
            "the account needs CREATE on schema {}, where the table `{RECEIPTS_TABLE}` is made",
            quoted(&place.schema)
        ),
        None => format!(
            "there is no schema in which the account may create the table `{RECEIPTS_TABLE}`: it \
             needs CREATE on one"
        ),
    };
    let (database, action) = (database.to_owned(), "write receipts to".to_owned());
    Err(Failure::Engine(EngineError::Privilege { database, action, message }))
}

/// The receipts of a pack, the last one last.
pub(super) async fn read(
    connection: &mut PgConnection,
    chosen: &[String],
    pack: &str,
) -> Result<Vec<Receipt>, Failure> {
    let Some(place) = place(connection, chosen).await?.filter(|place| place.is_there) else {
        return Ok(Vec::new());
    };
    let sql = format!(
        "SELECT pack, target, direction, at, statements::pg_catalog.text FROM {} \
         WHERE pack = {} ORDER BY id",
        place.relation(),
        sql::literal(pack)
    );
    let rows = query::rows(connection, sql).await?;
    Ok(rows
        .iter()
        .map(|row| Receipt {
            pack: row.text(0).to_owned(),
            target: row.text(1).to_owned(),
            direction: row.text(2).to_owned(),
            at: row.text(3).to_owned(),
            statements: row.number(4).unwrap_or_default(),
        })
        .collect())
}

/// Removes the table of receipts, if there is one.
pub(super) async fn remove(
    connection: &mut PgConnection,
    chosen: &[String],
) -> Result<(), Failure> {
    match place(connection, chosen).await?.filter(|place| place.is_there) {
        None => Ok(()),
        Some(place) => {
            Ok(query::execute(connection, format!("DROP TABLE {}", place.relation())).await?)
        }
    }
}

/// Writes a receipt; makes the table where there is none.
pub(super) async fn write(
    connection: &mut PgConnection,
    database: &str,
    chosen: &[String],
    receipt: &Receipt,
) -> Result<(), Failure> {
    let Some(place) = place(connection, chosen).await? else {
        return check(connection, database, chosen).await;
    };
    let relation = place.relation();
    let mut sql = String::new();
    if !place.is_there {
        sql = format!(
            "CREATE TABLE {relation} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
             pack text NOT NULL, target text NOT NULL, direction text NOT NULL, at text NOT NULL, \
             statements bigint NOT NULL); "
        );
    }
    let texts = [&receipt.pack, &receipt.target, &receipt.direction, &receipt.at];
    let texts: Vec<String> = texts.iter().map(|text| sql::literal(text)).collect();
    sql.push_str(&format!(
        "INSERT INTO {relation} (pack, target, direction, at, statements) VALUES ({}, {})",
        texts.join(", "),
        i64::try_from(receipt.statements).unwrap_or(i64::MAX)
    ));
    Ok(query::execute(connection, sql).await?)
}
