//! Which tables are read, and how: columns, row keys, orders.
//!
//! A table is an ordinary or a partitioned one, of a schema that is in scope, that is neither
//! temporary, nor an extension's, nor out of reach (unlogged, on a standby). Partitions are read
//! through their root and inheritance children by themselves, so that every row is read once.
//! What is left out by these rules is for the catalog to name.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgConnection;

use super::catalog::exclusion;
use super::errors::Failure;
use super::sql::ServerEncoding;
use super::types::{ColumnReading, Reading, TextOrder, compared_type};
use super::{defaults, keys, query};
use crate::engine::error::EngineError;
use crate::engine::{RECEIPTS_TABLE, mask};
use crate::model::snapshot::Scope;
use crate::model::{ColumnSpec, ObjectName, TableSpec, Value};

/// What of a database is read.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    /// The database, for messages.
    pub(super) database: String,
    /// The schemas, or none for all of them.
    pub(super) schemas: Vec<String>,
    /// The encoding of the database.
    pub(super) encoding: ServerEncoding,
}

/// A table as the catalog lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ListedTable {
    /// Its name.
    pub(super) name: ObjectName,
    /// Its number.
    pub(super) oid: u32,
    /// The number of its file: another one after TRUNCATE or a rewrite.
    pub(super) file: String,
    /// Whether it has partitions, which are read with it.
    pub(super) is_partitioned: bool,
    /// Whether the account may read all of it, and so lock it by name.
    pub(super) is_open: bool,
}

/// A table that is read.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// As the catalog lists it.
    pub(super) listed: ListedTable,
    /// Its specification.
    pub(super) spec: TableSpec,
    /// How its columns are read, in the order of the specification.
    pub(super) columns: Vec<ColumnReading>,
}

/// A column as the catalog has it.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// Its number in the table.
    pub(super) number: i16,
    /// The declared type.
    pub(super) declared_type: String,
    /// The type, or what a domain is made of.
    pub(super) base_type: u32,
    /// Whether the declared type is a domain.
    pub(super) is_domain: bool,
    /// Whether that is an enum.
    pub(super) is_enum: bool,
    /// How it is read.
    pub(super) reading: Reading,
    /// The order of its collation.
    pub(super) order: TextOrder,
    /// Whether it may not be NULL.
    pub(super) is_not_null: bool,
    /// Whether it is computed from others.
    pub(super) is_generated: bool,
    /// The expression of its default.
    pub(super) default: Option<String>,
}

impl Column {
    /// What is to be known of it, its default aside.
    fn spec(&self) -> ColumnSpec {
        ColumnSpec {
            name: self.name.clone(),
            declared_type: self.declared_type.clone(),
            default: Value::Null,
        }
    }

    /// How it is read.
    pub(super) fn reading(&self) -> ColumnReading {
        let compared_as = match compared_type(self.base_type, self.reading) {
            Some(name) => Some(format!("pg_catalog.{name}")),
            // The comparison of a domain's values is that of what it is made of.
            None => (self.is_enum && !self.is_domain).then(|| self.declared_type.clone()),
        };
        ColumnReading {
            name: self.name.clone(),
            reading: self.reading,
            compared_as,
            declared_type: self.declared_type.clone(),
        }
    }
}

/// Whether the scope leaves a table out: by its name, or by its name with the schema.
pub(super) fn is_excluded(scope: &Scope, name: &ObjectName) -> bool {
    name.name == RECEIPTS_TABLE || exclusion(scope, name).is_some()
}

/// The tables that are read, by name.
pub(super) async fn list(
    connection: &mut PgConnection,
    selection: &Selection,
    scope: &Scope,
) -> Result<Vec<ListedTable>, Failure> {
    check_schemas(connection, selection).await?;
    let sql = "SELECT n.nspname::text, c.relname::text, c.oid::text, c.relfilenode::text, \
         c.relkind = 'p', pg_catalog.has_table_privilege(c.oid, 'SELECT') \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' \
         AND NOT (c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery()) \
         AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.objid = c.oid \
         AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e')";
    let rows = query::rows(connection, sql.to_owned()).await?;
    let mut tables: Vec<ListedTable> = rows
        .iter()
        .map(|row| ListedTable {
            name: ObjectName { schema: row.text(0).to_owned(), name: row.text(1).to_owned() },
            oid: row.number(2).unwrap_or_default(),
            file: row.text(3).to_owned(),
            is_partitioned: row.is_true(4),
            // Who may read some columns alone gets the refusal of the server, which names the table,
            // unless the others are not to be read.
            is_open: row.is_true(5) || scope.masks.is_empty(),
        })
        .filter(|table| {
            selection.schemas.is_empty() || selection.schemas.contains(&table.name.schema)
        })
        .filter(|table| !is_excluded(scope, &table.name))
        .collect();
    tables.sort();
    Ok(tables)
}

async fn check_schemas(
    connection: &mut PgConnection,
    selection: &Selection,
) -> Result<(), Failure> {
    if selection.schemas.is_empty() {
        return Ok(());
    }
    let sql = "SELECT nspname::text FROM pg_catalog.pg_namespace".to_owned();
    let known = query::rows(connection, sql).await?;
    match selection.schemas.iter().find(|name| known.iter().all(|row| row.text(0) != **name)) {
        None => Ok(()),
        Some(missing) => Err(Failure::Engine(EngineError::NotFound {
            database: selection.database.clone(),
            reason: format!("it has no schema `{missing}`"),
        })),
    }
}

/// Everything about the listed tables that reading their rows needs.
pub(super) async fn read(
    connection: &mut PgConnection,
    selection: &Selection,
    scope: &Scope,
    listed: Vec<ListedTable>,
) -> Result<Vec<Table>, Failure> {
    refuse_foreign_partitions(connection, selection, &listed).await?;
    let mut columns = columns(connection, &listed).await?;
    let mut indexes = keys::indexes(connection).await?;
    let mut tables = Vec::with_capacity(listed.len());
    let mut defaults = Vec::new();
    for listed in listed {
        let all = columns.remove(&listed.oid).unwrap_or_default();
        let indexes = indexes.remove(&listed.oid).unwrap_or_default();
        let (key, reads_in_key_order) =
            keys::choose(&listed.name, &all, &indexes, scope, &selection.encoding)?;
        let mut read: Vec<&Column> = all.iter().filter(|column| !column.is_generated).collect();
        read.sort_by(|one, other| one.name.cmp(&other.name));
        let mut spec = TableSpec {
            name: listed.name.clone(),
            columns: read.iter().map(|column| column.spec()).collect(),
            key,
            reads_in_key_order,
            column_order: all.iter().map(|column| column.name.clone()).collect(),
        };
        mask::apply(scope, &mut spec)?;
        read.retain(|column| spec.place(&column.name).is_some());
        for (place, column) in read.iter().enumerate() {
            let constant = defaults::constant(column, &selection.encoding);
            defaults.extend(constant.map(|constant| (tables.len(), place, constant)));
        }
        let columns = read.iter().map(|column| column.reading()).collect();
        tables.push(Table { listed, spec, columns });
    }
    let constants: Vec<_> = defaults.iter().map(|(_, _, constant)| constant.clone()).collect();
    let values = defaults::evaluate(connection, selection, &constants).await?;
    for ((table, place, _), value) in defaults.into_iter().zip(values) {
        tables[table].spec.columns[place].default = value;
    }
    Ok(tables)
}

/// Rows of a foreign partition come from elsewhere, at another moment.
async fn refuse_foreign_partitions(
    connection: &mut PgConnection,
    selection: &Selection,
    listed: &[ListedTable],
) -> Result<(), Failure> {
    let sql = "SELECT pg_catalog.pg_partition_root(c.oid)::pg_catalog.oid::text, c.relname::text \
               FROM pg_catalog.pg_class c WHERE c.relkind = 'f' AND c.relispartition";
    for row in query::rows(connection, sql.to_owned()).await? {
        let root = row.number(0);
        if let Some(table) = listed.iter().find(|table| Some(table.oid) == root) {
            let what = format!(
                "table `{}` has the foreign table `{}` for a partition, whose rows are of no one \
                 moment; exclude the table",
                table.name,
                row.text(1)
            );
            let database = selection.database.clone();
            return Err(Failure::Engine(EngineError::Unsupported { database, what }));
        }
    }
    Ok(())
}

/// The columns of every table, by the number of the table, in the order of the table.
async fn columns(
    connection: &mut PgConnection,
    listed: &[ListedTable],
) -> Result<BTreeMap<u32, Vec<Column>>, Failure> {
    let types = Types::read(connection).await?;
    let wanted: BTreeSet<u32> = listed.iter().map(|table| table.oid).collect();
    let sql = "SELECT a.attrelid::text, a.attname::text, a.attnum::text, \
         pg_catalog.format_type(a.atttypid, a.atttypmod), a.atttypid::text, a.attnotnull, \
         a.attgenerated <> '', a.attcollation::text, \
         pg_catalog.pg_get_expr(d.adbin, d.adrelid) \
         FROM pg_catalog.pg_attribute a \
         JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_' \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum";
    let mut columns: BTreeMap<u32, Vec<Column>> = BTreeMap::new();
    for row in query::rows(connection, sql.to_owned()).await? {
        let Some(table) = row.number(0).filter(|oid| wanted.contains(oid)) else { continue };
        let declared = row.number(4).unwrap_or_default();
        let base_type = types.base(declared);
        let is_generated = row.is_true(6);
        columns.entry(table).or_default().push(Column {
            name: row.text(1).to_owned(),
            number: row.number(2).unwrap_or_default(),
            declared_type: row.text(3).to_owned(),
            base_type,
            is_domain: base_type != declared,
            is_enum: types.enums.contains(&base_type),
            reading: types.reading(base_type),
            order: types.order(row.number(7).unwrap_or_default()),
            is_not_null: row.is_true(5),
            is_generated,
            default: row.get(8).filter(|_| !is_generated).map(str::to_owned),
        });
    }
    Ok(columns)
}

/// What is to be known of types and collations.
struct Types {
    /// What domains are made of.
    domains: BTreeMap<u32, u32>,
    enums: BTreeSet<u32>,
    /// Types with a cast to text that somebody defined.
    with_own_cast: BTreeSet<u32>,
    orders: BTreeMap<u32, TextOrder>,
}

impl Types {
    async fn read(connection: &mut PgConnection) -> Result<Types, Failure> {
        let sql = "SELECT oid::text, typtype::text, typbasetype::text \
                   FROM pg_catalog.pg_type WHERE typtype IN ('d', 'e')";
        let (mut domains, mut enums) = (BTreeMap::new(), BTreeSet::new());
        for row in query::rows(connection, sql.to_owned()).await? {
            let Some(oid) = row.number::<u32>(0) else { continue };
            match row.text(1) {
                "d" => drop(domains.insert(oid, row.number(2).unwrap_or_default())),
                _ => drop(enums.insert(oid)),
            }
        }
        let sql = "SELECT castsource::text FROM pg_catalog.pg_cast \
                   WHERE casttarget = 25 AND oid >= 16384 AND castmethod <> 'b'";
        let casts = query::rows(connection, sql.to_owned()).await?;
        let with_own_cast = casts.iter().filter_map(|row| row.number(0)).collect();
        Ok(Types { domains, enums, with_own_cast, orders: orders(connection).await? })
    }

    fn base(&self, oid: u32) -> u32 {
        let mut oid = oid;
        while let Some(&base) = self.domains.get(&oid) {
            oid = base;
        }
        oid
    }

    fn reading(&self, base: u32) -> Reading {
        match Reading::of_builtin(base) {
            Some(reading) => reading,
            None if self.with_own_cast.contains(&base) => Reading::Output,
            None => Reading::Other,
        }
    }

    fn order(&self, collation: u32) -> TextOrder {
        // What has no collation compares as its type does.
        self.orders.get(&collation).copied().unwrap_or(TextOrder::Language)
    }
}

/// How every collation compares; the database's default is number 100. Only the C library's `C`
/// and the servers' own are known to compare bytes.
async fn orders(connection: &mut PgConnection) -> Result<BTreeMap<u32, TextOrder>, Failure> {
    let sql = "SELECT c.oid::text, c.collprovider::text, c.collcollate::text, \
               c.collisdeterministic, c.collname::text FROM pg_catalog.pg_collation c \
               UNION ALL SELECT '100', coalesce(to_jsonb(d) ->> 'datlocprovider', 'c'), \
               d.datcollate::text, true, 'default' FROM pg_catalog.pg_database d \
               WHERE d.datname = current_database()";
    let mut orders = BTreeMap::new();
    for row in query::rows(connection, sql.to_owned()).await? {
        let Some(oid) = row.number(0) else { continue };
        let order = match (row.text(1), row.text(2)) {
            _ if !row.is_true(3) => TextOrder::Equivalence,
            ("c", "C" | "POSIX") | ("b", _) => TextOrder::Bytes,
            _ => TextOrder::Language,
        };
        // The catalog's own row of the default says nothing.
        if row.text(1) != "d" {
            orders.insert(oid, order);
        }
    }
    Ok(orders)
}
