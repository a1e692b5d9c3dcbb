//! How PostgreSQL writes SQL: names, values, sequences, limits.

use super::declared::{find, unmodified};
use super::literals;
use super::sql::{ServerEncoding, quoted};
use crate::engine::StatementLimits;
use crate::model::{Attribute, ColumnSpec, Decimal, Fact, ObjectKind, ObjectName, Value};

/// The server takes no text of a gigabyte; a message has room for more than the statement.
const LONGEST: usize = (1 << 30) - (1 << 20);

/// Types whose input functions take nothing: the server alone makes their values.
const WITHOUT_INPUT: [&str; 7] = [
    "pg_node_tree",
    "pg_ndistinct",
    "pg_dependencies",
    "pg_mcv_list",
    "pg_brin_bloom_summary",
    "pg_brin_minmax_multi_summary",
    "gtsvector",
];

/// What stops a client. Whether it has begun a transaction or not, and whether it commits by itself
/// or not: its session may only read from here on, and one that goes on after the error finds a
/// transaction that has failed. psql itself leaves at the last line.
const CLIENT_STOP: &str = "ROLLBACK;
SET default_transaction_read_only = on;
COMMIT;
BEGIN READ ONLY;
SELECT CAST('run this file by `deepdiff-db apply`, which checks every row before' AS integer);
\\quit
";

/// How PostgreSQL writes SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresDialect {
    encoding: ServerEncoding,
}

/// The encoding of a database with these facts.
pub(super) fn encoding_of(facts: &[Fact]) -> ServerEncoding {
    let setting = find(facts, ObjectKind::Setting, &ObjectName::bare("encoding"), "");
    let name = match setting.and_then(|fact| fact.attributes.get("value")) {
        Some(Attribute::Text(name)) => name.clone(),
        _ => "UTF8".to_owned(),
    };
    ServerEncoding { name }
}

impl PostgresDialect {
    /// The dialect of a database with these facts.
    pub fn of_facts(facts: &[Fact]) -> Self {
        PostgresDialect { encoding: encoding_of(facts) }
    }

    /// A quoted name.
    pub fn quoted(&self, name: &str) -> String {
        quoted(name)
    }

    /// The exact text of a value; `None` where no type of the server holds it.
    pub fn literal(&self, value: &Value) -> Option<String> {
        match value {
            Value::Int(_) | Value::Bool(_) | Value::Decimal(Decimal::Finite(_)) => {
                literals::plain(value).map(std::borrow::Cow::into_owned)
            }
            value => literals::literal(value, &self.encoding),
        }
    }

    /// The text of the parameter with this number, counted from 1.
    pub fn parameter(&self, number: usize) -> String {
        format!("${number}")
    }

    /// The statement after which foreign keys that can wait are checked at the end of the
    /// transaction.
    pub fn deferral(&self) -> Option<&'static str> {
        Some("SET CONSTRAINTS ALL DEFERRED")
    }

    /// The statement after which nothing waits for the end of the transaction.
    pub fn deferral_end(&self) -> Vec<&'static str> {
        vec!["SET CONSTRAINTS ALL IMMEDIATE"]
    }

    /// The statement that raises a sequence to a position and never lowers it; none for what is no
    /// sequence. One that counts down is lowered, never raised.
    pub fn raise_sequence(&self, name: &ObjectName, position: i64, facts: &[Fact]) -> Vec<String> {
        let Some(sequence) = find(facts, ObjectKind::Sequence, name, "") else {
            return Vec::new();
        };
        let counts_down = matches!(
            sequence.attributes.get("increment"),
            Some(Attribute::Number(increment)) if *increment < 0
        );
        let before = if counts_down { '>' } else { '<' };
        let relation = self.encoding.qualified(name);
        vec![format!(
            "SELECT setval({}, {position}) FROM {relation} WHERE last_value {before} {position} \
             OR (last_value = {position} AND NOT is_called)",
            self.encoding.literal(&relation)
        )]
    }

    /// The lines that stop a native client.
    pub fn client_stop(&self) -> &'static str {
        CLIENT_STOP
    }

    /// How long statements may be.
    pub fn limits(&self) -> StatementLimits {
        StatementLimits { longest: LONGEST, inserted: 500, changed: 500, full: 256 * 1024 }
    }

    /// Why rows of a table with this column cannot be written exactly; `None` where they can.
    pub fn unwritable(&self, column: &ColumnSpec) -> Option<String> {
        let name = unmodified(&column.declared_type);
        let element = name.trim_end_matches("[]");
        WITHOUT_INPUT.contains(&element).then(|| {
            format!(
                "column `{}` is of type {element}, whose values the server alone makes",
                column.name
            )
        })
    }

    /// The definition of a column: none is taken out of a text here.
    pub fn column_definition(&self, _create_table: &str, _column: &str) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(name: &str, attributes: &[(&str, Attribute)]) -> Fact {
        Fact {
            id: crate::model::FactId {
                kind: ObjectKind::Sequence,
                object: ObjectName { schema: "s".to_owned(), name: name.to_owned() },
                part: String::new(),
            },
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            depends_on: Vec::new(),
        }
    }

    #[test]
    fn sequences_go_their_own_way_only() {
        let facts =
            [sequence("down", &[("increment", Attribute::Number(-1))]), sequence("it's", &[])];
        let dialect = PostgresDialect::of_facts(&facts);
        assert_eq!(
            dialect.raise_sequence(&facts[1].id.object, 7, &facts),
            ["SELECT setval('\"s\".\"it''s\"', 7) FROM \"s\".\"it's\" WHERE last_value < 7 OR \
              (last_value = 7 AND NOT is_called)"]
        );
        let down = dialect.raise_sequence(&facts[0].id.object, -7, &facts);
        assert!(down[0].contains("last_value > -7"), "{down:?}");
        assert!(dialect.raise_sequence(&ObjectName::bare("x"), 7, &facts).is_empty());
    }

    #[test]
    fn what_the_server_alone_makes_is_not_written() {
        let dialect = PostgresDialect::of_facts(&[]);
        let column = |declared_type: &str| ColumnSpec {
            name: "c".to_owned(),
            declared_type: declared_type.to_owned(),
            default: Value::Null,
        };
        assert!(dialect.unwritable(&column("pg_node_tree")).is_some());
        for name in ["oid", "text", "numeric(3,1)[]", "regclass", "public.pg_node_tree"] {
            assert_eq!(dialect.unwritable(&column(name)), None);
        }
    }
}
