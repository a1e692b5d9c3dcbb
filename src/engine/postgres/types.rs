//! How a column is read: in the type's own binary form, or as the server's text.
//!
//! Types the model has a kind for are taken apart by us; every other (arrays, composites, ranges,
//! enums, money, extensions' types) is cast to text in the query, under pinned settings, and
//! becomes [`Value::Other`](crate::model::Value::Other). A domain is read as what it is made of.

use crate::model::KeyMatching;

/// The form in which a column's values come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// `boolean`.
    Bool,
    /// `smallint`.
    Int2,
    /// `integer`.
    Int4,
    /// `bigint`.
    Int8,
    /// `oid`, which has no sign.
    Oid,
    /// `real`.
    Float4,
    /// `double precision`.
    Float8,
    /// `numeric`.
    Numeric,
    /// `text`, `varchar`, `name`.
    Text,
    /// `char(n)`, with its spaces, which do not count where it is compared.
    Padded,
    /// `"char"`: one byte.
    Char,
    /// `bytea`.
    Bytes,
    /// `date`.
    Date,
    /// `time`.
    Time,
    /// `time with time zone`.
    TimeTz,
    /// `timestamp`.
    DateTime,
    /// `timestamp with time zone`.
    Timestamp,
    /// `interval`.
    Interval,
    /// `uuid`.
    Uuid,
    /// `json`: its text.
    Json,
    /// `jsonb`: a version and its text.
    Jsonb,
    /// The server's text, by a cast.
    Other,
    /// The server's text, by the type's output function: a cast to text that somebody defined may
    /// say something else.
    Output,
}

impl Reading {
    /// The reading of a built-in type, by its number.
    pub(super) fn of_builtin(oid: u32) -> Option<Reading> {
        Some(match oid {
            16 => Reading::Bool,
            17 => Reading::Bytes,
            18 => Reading::Char,
            19 | 25 | 1043 => Reading::Text,
            1042 => Reading::Padded,
            20 => Reading::Int8,
            21 => Reading::Int2,
            23 => Reading::Int4,
            26 => Reading::Oid,
            114 => Reading::Json,
            700 => Reading::Float4,
            701 => Reading::Float8,
            1082 => Reading::Date,
            1083 => Reading::Time,
            1114 => Reading::DateTime,
            1184 => Reading::Timestamp,
            1186 => Reading::Interval,
            1266 => Reading::TimeTz,
            1700 => Reading::Numeric,
            2950 => Reading::Uuid,
            3802 => Reading::Jsonb,
            _ => return None,
        })
    }

    /// What to select for an expression.
    pub(super) fn expression(self, expression: &str) -> String {
        match self {
            Reading::Other => format!("({expression})::pg_catalog.text"),
            // `IS NULL` is true of a composite whose fields are all NULL, which is no NULL.
            Reading::Output => format!(
                "CASE WHEN pg_catalog.num_nulls({expression}) = 0 \
                 THEN pg_catalog.format('%s', {expression}) END"
            ),
            _ => expression.to_owned(),
        }
    }
}

/// The built-in type as whose values those of a base type, read so, are compared; none for those
/// that are compared as text.
pub(super) fn compared_type(oid: u32, reading: Reading) -> Option<&'static str> {
    Some(match reading {
        Reading::Bool => "bool",
        Reading::Int2 => "int2",
        Reading::Int4 => "int4",
        Reading::Int8 => "int8",
        Reading::Oid => "oid",
        Reading::Float4 => "float4",
        Reading::Float8 => "float8",
        Reading::Numeric => "numeric",
        Reading::Text => "text",
        Reading::Padded => "bpchar",
        Reading::Char => "\"char\"",
        Reading::Bytes => "bytea",
        Reading::Date => "date",
        Reading::Time => "time",
        Reading::TimeTz => "timetz",
        Reading::DateTime => "timestamp",
        Reading::Timestamp => "timestamptz",
        Reading::Interval => "interval",
        Reading::Uuid => "uuid",
        Reading::Jsonb => "jsonb",
        Reading::Other => match oid {
            650 => "cidr",
            774 => "macaddr8",
            790 => "money",
            829 => "macaddr",
            869 => "inet",
            1560 => "\"bit\"",
            1562 => "varbit",
            3220 => "pg_lsn",
            _ => return None,
        },
        Reading::Json | Reading::Output => return None,
    })
}

/// A column that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ColumnReading {
    /// Its name.
    pub(super) name: String,
    /// How it is read.
    pub(super) reading: Reading,
    /// The type as whose values keys are looked for; none for those that are compared as text.
    pub(super) compared_as: Option<String>,
    /// The declared type.
    pub(super) declared_type: String,
}

/// The order of a text column's collation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextOrder {
    /// Bytes.
    Bytes,
    /// A language's; equal texts are equal bytes.
    Language,
    /// A language's; texts of different bytes may be equal.
    Equivalence,
}

/// Built-in types whose equal values have one text: bit, varbit, money, inet, cidr, macaddr,
/// macaddr8, tid, xid8, `pg_lsn`, xid, cid.
const ONE_TEXT: [u32; 12] = [1560, 1562, 790, 869, 650, 829, 774, 27, 5069, 3220, 28, 29];

/// When an index takes two values of a type for the same key. Base type `oid`, read so; enums are
/// labels.
pub(super) fn matching(oid: u32, is_enum: bool, reading: Reading, order: TextOrder) -> KeyMatching {
    match reading {
        Reading::Text | Reading::Padded if order == TextOrder::Equivalence => KeyMatching::Unknown,
        Reading::Padded => KeyMatching::TrailingSpaces,
        Reading::Interval | Reading::Json | Reading::Jsonb | Reading::Output => {
            KeyMatching::Unknown
        }
        Reading::Other if is_enum || ONE_TEXT.contains(&oid) => KeyMatching::Binary,
        Reading::Other => KeyMatching::Unknown,
        _ => KeyMatching::Binary,
    }
}

/// Whether the server orders a column's values as the bytes of keys are ordered, for sure. A
/// numeric's scale breaks the order of what follows it in a key.
pub(super) fn is_byte_ordered(reading: Reading, order: TextOrder, is_last: bool) -> bool {
    match reading {
        Reading::Bool
        | Reading::Int2
        | Reading::Int4
        | Reading::Int8
        | Reading::Oid
        | Reading::Bytes
        | Reading::Date
        | Reading::Time
        | Reading::DateTime
        | Reading::Timestamp
        | Reading::Uuid => true,
        Reading::Numeric => is_last,
        Reading::Text => order == TextOrder::Bytes,
        _ => false,
    }
}
