//! How each engine enforces what the facts of a schema say: when rows collide, when a foreign key
//! is checked, which triggers fire.
//!
//! The names of attributes are those of `docs/format-*-facts.md`. Where an engine's rule for "the
//! same" is not known here, values are folded coarsely: two that may be the same get one token,
//! which adds an order that may not be needed and never loses one.

use super::token::{Conversion, Folding};
use crate::engine::ddl::{Ddl, flag, text};
use crate::engine::mysql::MysqlDdl;
use crate::engine::postgres::PostgresDdl;
use crate::engine::sqlite::SqliteDdl;
use crate::model::{Fact, KeyMatching, ObjectName};

/// An engine, as far as planning is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enforcement {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

/// A column as a key compares it.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'c> {
    /// The collation that is named for it.
    pub collation: Option<&'c str>,
    /// Its declared type.
    pub declared: &'c str,
    /// How many characters of it count, where not all do.
    pub prefix: Option<usize>,
}

impl Enforcement {
    /// That of the engine of this name; `None` where packs know no such engine.
    pub fn of(engine: &str) -> Option<Enforcement> {
        Some(match engine {
            "sqlite" => Enforcement::Sqlite,
            "postgres" => Enforcement::Postgres,
            "mysql" => Enforcement::Mysql,
            _ => return None,
        })
    }

    /// By what a table is found. SQLite finds names without case.
    pub fn place(self, table: &str) -> String {
        match self {
            Enforcement::Sqlite => table.to_ascii_lowercase(),
            Enforcement::Postgres | Enforcement::Mysql => table.to_owned(),
        }
    }

    /// Whether names of tables are the same without case, as far as a person who names one goes.
    pub fn ignores_case(self) -> bool {
        self != Enforcement::Postgres
    }

    /// Whether every statement that changes the schema commits, so that a pack which has some is no
    /// single transaction.
    pub fn commits_ddl(self) -> bool {
        self == Enforcement::Mysql
    }

    /// Whether a table that is dropped gives up its rows one by one, with all that foreign keys do
    /// then (<https://www.sqlite.org/foreignkeys.html#fk_schemacommands>).
    pub fn acts_on_dropped_rows(self) -> bool {
        self == Enforcement::Sqlite
    }

    /// Whether sequences are tables' own numbers, and not objects.
    pub fn numbers_tables(self) -> bool {
        self == Enforcement::Sqlite
    }

    /// Whether a pack for this engine is proved on a scratch copy.
    pub fn is_proved(self) -> bool {
        self == Enforcement::Sqlite
    }

    /// The engine's schema language, as the server speaks it that a snapshot names.
    pub fn ddl(self, server: &str) -> Box<dyn Ddl> {
        match self {
            Enforcement::Sqlite => Box::new(SqliteDdl),
            Enforcement::Postgres => Box::new(PostgresDdl::default()),
            Enforcement::Mysql => Box::new(MysqlDdl::of(server)),
        }
    }

    /// What is locked while a pack runs, for people.
    pub fn locks(self) -> &'static str {
        match self {
            Enforcement::Sqlite => "the whole database is locked for writing while the pack runs",
            Enforcement::Postgres | Enforcement::Mysql => {
                "the rows that change are locked while the pack runs, and no table can be altered"
            }
        }
    }

    /// Whether rows can be told apart that are equal in all columns.
    pub fn has_hidden_rowids(self) -> bool {
        self == Enforcement::Sqlite
    }

    /// Whether a column of the primary key may hold NULL.
    pub fn takes_null_in_primary_keys(self) -> bool {
        self == Enforcement::Sqlite
    }

    /// Whether this program must bring a collation itself before rows under it can change.
    pub fn needs_collations(self) -> bool {
        self == Enforcement::Sqlite
    }

    /// Whether `foreign_key` may be checked at the end of the transaction.
    pub fn may_wait(self, foreign_key: &Fact) -> bool {
        match self {
            Enforcement::Sqlite => true,
            Enforcement::Postgres => flag(foreign_key, "deferrable"),
            Enforcement::Mysql => false,
        }
    }

    /// Whether a row that refers to itself is in its own way when it goes, or when what it is
    /// referred to by changes. (InnoDB looks for rows that refer to it while it is still there.)
    pub fn holds_rows_by_themselves(self) -> bool {
        self == Enforcement::Mysql
    }

    /// Whether a unique key may be checked at the end of the transaction.
    pub fn unique_may_wait(self, key: &Fact) -> bool {
        self == Enforcement::Postgres && flag(key, "deferrable")
    }

    /// Whether a trigger fires for the changes of a pack. Where facts do not say, it does.
    pub fn fires(self, trigger: &Fact) -> bool {
        let enabled = text(trigger, "enabled");
        enabled.is_none_or(|enabled| enabled == "ALWAYS")
    }

    /// What a column of a unique key compares by.
    pub fn folding(self, column: Compared<'_>) -> Folding {
        let matching = self.matching(column);
        Folding { matching, conversion: Conversion::AsIs, prefix: column.prefix }
    }

    /// What a foreign key's values are compared with a column by
    /// (<https://www.sqlite.org/foreignkeys.html#fk_basics> for SQLite).
    pub fn parent_folding(self, column: Compared<'_>) -> Folding {
        let conversion = match self {
            Enforcement::Sqlite => affinity(column.declared),
            Enforcement::Postgres | Enforcement::Mysql => Conversion::AsIs,
        };
        Folding { matching: self.matching(column), conversion, prefix: None }
    }

    fn matching(self, column: Compared<'_>) -> KeyMatching {
        let declared = column.declared.to_ascii_lowercase();
        match self {
            Enforcement::Sqlite => match column.collation {
                None => KeyMatching::Binary,
                Some(collation) => sqlite_matching(collation),
            },
            Enforcement::Postgres => match column.collation {
                None | Some("BINARY") if is_bpchar(&declared) => KeyMatching::TrailingSpaces,
                None | Some("BINARY") if is_coarse(&declared) => KeyMatching::Unknown,
                None | Some("BINARY") => KeyMatching::Binary,
                Some(_) => KeyMatching::Unknown,
            },
            Enforcement::Mysql => match column.collation {
                None => KeyMatching::Binary,
                Some(collation) => mysql_matching(collation),
            },
        }
    }

    /// The table that a fact is about: itself, or what its attribute `table` names.
    pub fn table_of(self, fact: &Fact) -> ObjectName {
        let Some(name) = text(fact, "table") else { return fact.id.object.clone() };
        let schema = text(fact, "table-schema").unwrap_or(&fact.id.object.schema);
        ObjectName { schema: schema.to_owned(), name: name.to_owned() }
    }
}

fn sqlite_matching(collation: &str) -> KeyMatching {
    match collation.to_ascii_uppercase().as_str() {
        "BINARY" => KeyMatching::Binary,
        "NOCASE" => KeyMatching::AsciiNoCase,
        "RTRIM" => KeyMatching::TrailingSpaces,
        _ => KeyMatching::Unknown,
    }
}

/// By the names of collations: `_bin` compares code points, and pads unless the name says not to.
fn mysql_matching(collation: &str) -> KeyMatching {
    let collation = collation.to_ascii_lowercase();
    let is_binary = collation == "binary";
    match collation.strip_suffix("_bin") {
        _ if is_binary => KeyMatching::Binary,
        Some(front) if front.ends_with("_nopad") || front.ends_with("_0900") => KeyMatching::Binary,
        Some(_) => KeyMatching::TrailingSpaces,
        None => KeyMatching::Unknown,
    }
}

fn is_bpchar(declared: &str) -> bool {
    (declared.starts_with("character(") || declared == "character" || declared.contains("bpchar"))
        && !declared.ends_with(']')
}

/// Types whose equality is wider than that of their text, and unknown here.
fn is_coarse(declared: &str) -> bool {
    declared.contains("citext")
}

/// What a comparison with a column of this declared type converts the other side to.
fn affinity(declared: &str) -> Conversion {
    let declared = declared.to_ascii_uppercase();
    let has = |part: &str| declared.contains(part);
    if !has("INT") && (has("CHAR") || has("CLOB") || has("TEXT")) {
        Conversion::ToText
    } else if !has("INT") && (declared.is_empty() || has("BLOB")) {
        Conversion::AsIs
    } else {
        Conversion::ToNumber
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collations_of_mysql_compare_by_their_names() {
        for (collation, expected) in [
            ("utf8mb4_bin", KeyMatching::TrailingSpaces),
            ("utf8mb4_nopad_bin", KeyMatching::Binary),
            ("utf8mb4_0900_bin", KeyMatching::Binary),
            ("binary", KeyMatching::Binary),
            ("utf8mb4_general_ci", KeyMatching::Unknown),
        ] {
            assert_eq!(mysql_matching(collation), expected, "{collation}");
        }
    }

    #[test]
    fn types_of_postgres_that_are_wider_than_their_text() {
        let of = |declared| {
            let column = Compared { collation: None, declared, prefix: None };
            Enforcement::Postgres.folding(column).matching
        };
        assert_eq!(of("character(3)"), KeyMatching::TrailingSpaces);
        assert_eq!(of("character varying(3)"), KeyMatching::Binary);
        assert_eq!(of("public.citext"), KeyMatching::Unknown);
    }
}
