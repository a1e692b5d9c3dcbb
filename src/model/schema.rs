//! The schema model: a catalog is a set of facts, each of which can change on its own.
//!
//! A [`Fact`] has an identity (what kind of thing, of which name) and attributes. Facts are the
//! same for every engine; which attributes a kind carries is the engine's business, documented in
//! `docs/format.md`. The text a person wrote (its comments, its order of columns) is no fact: it
//! is kept beside them as a [`Definition`], outside the state.

use std::collections::BTreeMap;
use std::fmt;

use super::key::RowKey;
use super::value::Value;

/// The name of a table, view, index, … within a database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName {
    /// The schema; empty where the engine has none (SQLite).
    pub schema: String,
    /// The name as the catalog spells it.
    pub name: String,
}

impl ObjectName {
    /// A name in a database without schemas.
    pub fn bare(name: impl Into<String>) -> Self {
        ObjectName { schema: String::new(), name: name.into() }
    }
}

/// `schema.name`, each part quoted where a dot or a quote would make it mean something else. Within
/// one engine, two names are never the same text.
impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.schema.is_empty() {
            return f.write_str(&self.name);
        }
        write_part(f, &self.schema)?;
        f.write_str(".")?;
        write_part(f, &self.name)
    }
}

fn write_part(f: &mut fmt::Formatter<'_>, part: &str) -> fmt::Result {
    if part.contains(['.', '"']) {
        write!(f, "\"{}\"", part.replace('"', "\"\""))
    } else {
        f.write_str(part)
    }
}

/// What kind of thing a fact describes. The order is the order facts are listed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ObjectKind {
    /// A setting of the whole database (`user_version`, encoding, …).
    Setting,
    /// A table: its kind and options.
    Table,
    /// A column of a table.
    Column,
    /// The primary key of a table.
    PrimaryKey,
    /// A unique constraint of a table.
    Unique,
    /// A check constraint of a table.
    Check,
    /// A foreign key of a table.
    ForeignKey,
    /// An index that was created by its own statement.
    Index,
    /// A view.
    View,
    /// A trigger.
    Trigger,
    /// A virtual table.
    VirtualTable,
    /// A schema (namespace).
    Schema,
    /// An extension.
    Extension,
    /// A collation.
    Collation,
    /// An enum, composite or range type.
    Type,
    /// A domain.
    Domain,
    /// A sequence: its definition; its position stands beside the state.
    Sequence,
    /// An exclusion constraint of a table.
    Exclusion,
    /// A table's partitioning, or its place in a partitioned table.
    Partition,
    /// An extended statistics object.
    Statistics,
    /// A materialised view: its definition.
    MaterializedView,
    /// A rewrite rule.
    Rule,
    /// A function, procedure or aggregate.
    Routine,
    /// A trigger on DDL.
    EventTrigger,
    /// A scheduled event.
    Event,
    /// A row security policy.
    Policy,
    /// Who owns an object.
    Owner,
    /// A privilege on an object.
    Grant,
    /// Privileges that new objects get.
    DefaultGrant,
    /// A comment on an object or a part of it.
    Comment,
    /// An operator, operator class or family.
    Operator,
    /// A cast.
    Cast,
    /// A text search object.
    TextSearch,
    /// A foreign server, wrapper, user mapping or foreign table.
    Foreign,
    /// A publication or subscription.
    Publication,
}

impl ObjectKind {
    /// The stable name, as in JSON output and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            ObjectKind::Setting => "setting",
            ObjectKind::Table => "table",
            ObjectKind::Column => "column",
            ObjectKind::PrimaryKey => "primary-key",
            ObjectKind::Unique => "unique",
            ObjectKind::Check => "check",
            ObjectKind::ForeignKey => "foreign-key",
            ObjectKind::Index => "index",
            ObjectKind::View => "view",
            ObjectKind::Trigger => "trigger",
            ObjectKind::VirtualTable => "virtual-table",
            ObjectKind::Schema => "schema",
            ObjectKind::Extension => "extension",
            ObjectKind::Collation => "collation",
            ObjectKind::Type => "type",
            ObjectKind::Domain => "domain",
            ObjectKind::Sequence => "sequence",
            ObjectKind::Exclusion => "exclusion",
            ObjectKind::Partition => "partition",
            ObjectKind::Statistics => "statistics",
            ObjectKind::MaterializedView => "materialized-view",
            ObjectKind::Rule => "rule",
            ObjectKind::Routine => "routine",
            ObjectKind::EventTrigger => "event-trigger",
            ObjectKind::Event => "event",
            ObjectKind::Policy => "policy",
            ObjectKind::Owner => "owner",
            ObjectKind::Grant => "grant",
            ObjectKind::DefaultGrant => "default-grant",
            ObjectKind::Comment => "comment",
            ObjectKind::Operator => "operator",
            ObjectKind::Cast => "cast",
            ObjectKind::TextSearch => "text-search",
            ObjectKind::Foreign => "foreign",
            ObjectKind::Publication => "publication",
        }
    }

    /// Every kind, in order.
    pub const ALL: [ObjectKind; 35] = [
        ObjectKind::Setting,
        ObjectKind::Table,
        ObjectKind::Column,
        ObjectKind::PrimaryKey,
        ObjectKind::Unique,
        ObjectKind::Check,
        ObjectKind::ForeignKey,
        ObjectKind::Index,
        ObjectKind::View,
        ObjectKind::Trigger,
        ObjectKind::VirtualTable,
        ObjectKind::Schema,
        ObjectKind::Extension,
        ObjectKind::Collation,
        ObjectKind::Type,
        ObjectKind::Domain,
        ObjectKind::Sequence,
        ObjectKind::Exclusion,
        ObjectKind::Partition,
        ObjectKind::Statistics,
        ObjectKind::MaterializedView,
        ObjectKind::Rule,
        ObjectKind::Routine,
        ObjectKind::EventTrigger,
        ObjectKind::Event,
        ObjectKind::Policy,
        ObjectKind::Owner,
        ObjectKind::Grant,
        ObjectKind::DefaultGrant,
        ObjectKind::Comment,
        ObjectKind::Operator,
        ObjectKind::Cast,
        ObjectKind::TextSearch,
        ObjectKind::Foreign,
        ObjectKind::Publication,
    ];

    /// Whether rows can depend on a fact of this kind: not on who owns what, who may do what, and
    /// comments.
    pub fn concerns_rows(self) -> bool {
        !matches!(
            self,
            ObjectKind::Owner | ObjectKind::Grant | ObjectKind::DefaultGrant | ObjectKind::Comment
        )
    }

    /// Whether it says what the rows of a table must be like.
    pub fn is_constraint(self) -> bool {
        matches!(
            self,
            ObjectKind::PrimaryKey
                | ObjectKind::Unique
                | ObjectKind::Check
                | ObjectKind::ForeignKey
                | ObjectKind::Exclusion
        )
    }

    /// The kind of this stable name.
    pub fn from_name(name: &str) -> Option<ObjectKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The identity of a fact.
///
/// `part` tells apart the things that belong to one object: a column's name, a constraint's name
/// or, where it has none, what distinguishes it (its columns, its expression). It is empty for
/// objects of their own (table, view, index, trigger, setting).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId {
    /// What kind of thing it is.
    pub kind: ObjectKind,
    /// The table, view, index, trigger or setting.
    pub object: ObjectName,
    /// Which part of the object; may be empty.
    pub part: String,
}

impl fmt::Display for FactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.object)?;
        if !self.part.is_empty() {
            write!(f, ".{}", self.part)?;
        }
        Ok(())
    }
}

/// The value of a fact's attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// True. An attribute that would be false is left out.
    Flag,
    /// A number.
    Number(i64),
    /// A name, or an expression or statement as normalised tokens.
    Text(String),
    /// Names or expressions in an order that matters.
    List(Vec<String>),
}

/// One separately changeable fact of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about.
    pub id: FactId,
    /// What it says, by attribute name. Defaults are left out.
    pub attributes: BTreeMap<String, Attribute>,
    /// The objects the catalog says it depends on, sorted.
    pub depends_on: Vec<ObjectName>,
}

impl Fact {
    /// The table that an index or a trigger is on: in its own schema, as they all are.
    pub fn table(&self) -> Option<ObjectName> {
        match self.attributes.get("table")? {
            Attribute::Text(name) => {
                Some(ObjectName { schema: self.id.object.schema.clone(), name: name.clone() })
            }
            _ => None,
        }
    }
}

/// The text by which an object was defined, as the server keeps it. No part of the state: two
/// texts that define the same facts are the same schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Table, index, view, trigger or virtual table.
    pub kind: ObjectKind,
    /// Its name.
    pub object: ObjectName,
    /// The statement, without a closing semicolon.
    pub text: String,
}

/// A column whose values are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSpec {
    /// The column's name.
    pub name: String,
    /// The declared type, as the catalog spells it; may be empty (SQLite).
    pub declared_type: String,
    /// What a row gets that was there before the column was added, where that is a constant.
    pub default: Value,
}

/// A table whose rows are read: columns, identity, order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSpec {
    /// The table.
    pub name: ObjectName,
    /// The columns that hold data of their own (no generated ones), in byte order of their names.
    pub columns: Vec<ColumnSpec>,
    /// What identifies a row.
    pub key: RowKey,
    /// Whether the engine expects to read the rows in key order. The reader of the rows checks it
    /// and falls back to sorting.
    pub reads_in_key_order: bool,
    /// The column names as the table orders them, generated ones included. No part of the state.
    pub column_order: Vec<String>,
}

impl TableSpec {
    /// The place of a column among those whose values are read.
    pub fn place(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|other| other.name == column)
    }
}

/// A sequence's position. It stands beside the state, in the snapshot: it only moves forward.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// The sequence, or the table it numbers.
    pub name: ObjectName,
    /// The last value given out.
    pub position: i64,
}

/// Something the catalog holds that is not in the state, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotCaptured {
    /// What it is, in the catalog's words (`table`, `shadow table`, `statistics`, …).
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Why it is left out.
    pub reason: String,
    /// Whether its content is *unknown* (the verdict of a diff is then incomplete), rather than
    /// known to be derived or outside what a state is.
    pub is_unknown: bool,
}

impl NotCaptured {
    /// Something that is known, and left out for a reason.
    pub fn known(kind: &str, name: &str, reason: &str) -> NotCaptured {
        let (kind, name, reason) = (kind.to_owned(), name.to_owned(), reason.to_owned());
        NotCaptured { kind, name, reason, is_unknown: false }
    }

    /// Something that could not be seen.
    pub fn unknown(kind: &str, name: &str, reason: &str) -> NotCaptured {
        NotCaptured { is_unknown: true, ..NotCaptured::known(kind, name, reason) }
    }
}

/// Everything an engine's catalog says, read in the same transaction as the rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalog {
    /// The facts, sorted by id, without duplicates.
    pub facts: Vec<Fact>,
    /// The tables whose rows are read, sorted by name.
    pub tables: Vec<TableSpec>,
    /// The texts of the objects, sorted by kind and name.
    pub definitions: Vec<Definition>,
    /// Sequence positions, sorted by name.
    pub sequences: Vec<Sequence>,
    /// What is left out, sorted.
    pub not_captured: Vec<NotCaptured>,
    /// The rules of the scope that have no effect on this database, in words.
    pub unused_rules: Vec<String>,
}
