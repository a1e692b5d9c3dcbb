//! Databases of SQLite by chance. Its tables cannot be altered much, so a draft is a list of parts
//! that is changed and then written as a script; a statement that SQLite refuses is no part of the
//! database.

use std::fmt::Write as _;

use super::chance::Chance;

const TYPES: [&str; 9] = [
    "INTEGER",
    "TEXT",
    "REAL",
    "BLOB",
    "",
    "NUMERIC",
    "VARCHAR(10)",
    "BOOLEAN",
    "TEXT COLLATE NOCASE",
];
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "\"F f\""];
const WORDS: [&str; 12] = [
    "",
    "",
    "",
    " NOT NULL",
    " NOT NULL DEFAULT 'x'",
    " DEFAULT 7",
    " UNIQUE",
    " CHECK ({c} <> 'never')",
    " GENERATED ALWAYS AS (id || 'g') VIRTUAL",
    " GENERATED ALWAYS AS (id || 'g') STORED",
    " UNIQUE ON CONFLICT IGNORE",
    " DEFAULT (1 + 2)",
];
const KEYS: [&str; 6] = [
    "INTEGER PRIMARY KEY",
    "INTEGER PRIMARY KEY AUTOINCREMENT",
    "TEXT PRIMARY KEY",
    "INT PRIMARY KEY",
    "INT",
    "TEXT NOT NULL UNIQUE",
];

#[derive(Debug, Clone)]
struct Table {
    name: String,
    key: &'static str,
    columns: Vec<(&'static str, &'static str, &'static str)>,
    /// A table that a column of it refers to, and how.
    parent: Option<(String, &'static str)>,
    tail: &'static str,
    /// What is made after it, with `{t}` for its name.
    belongings: Vec<String>,
    /// Chances of its rows.
    rows: Vec<u64>,
}

impl Table {
    /// The columns without those that versions of SQLite disagree about: what is computed in a
    /// strict table, of another type than the column's.
    fn written(&self) -> impl Iterator<Item = &(&'static str, &'static str, &'static str)> {
        let is_strict = self.tail == " STRICT";
        self.columns.iter().filter(move |(_, _, words)| !(is_strict && words.contains("GENERATED")))
    }
}

/// A database as it was asked for.
#[derive(Debug, Clone)]
pub struct Draft {
    pub chance: Chance,
    tables: Vec<Table>,
    names: usize,
}

fn value(kind: &str, chance: &mut Chance) -> String {
    let n = chance.below(9);
    match (chance.below(10), kind) {
        (0, _) => "NULL".to_owned(),
        (1, _) => format!("'{n}'"),
        (2, _) => format!("x'0{n}'"),
        (3, _) | (_, "REAL") => format!("{n}.5"),
        (_, "INTEGER" | "NUMERIC" | "BOOLEAN") => n.to_string(),
        _ => format!("'{}{n}'", chance.pick(&["w", "W"])),
    }
}

impl Draft {
    pub fn new(seed: u64) -> Draft {
        let mut draft = Draft { chance: Chance::new(seed), tables: Vec::new(), names: 0 };
        for _ in 0..2 + draft.chance.below(3) {
            draft.create_table();
        }
        draft
    }

    fn create_table(&mut self) {
        self.names += 1;
        let chance = &mut self.chance;
        let mut table = Table {
            name: format!("t{}", self.names),
            key: chance.pick(&KEYS),
            columns: Vec::new(),
            parent: None,
            tail: chance.pick(&["", "", "", " WITHOUT ROWID", " STRICT"]),
            belongings: Vec::new(),
            rows: Vec::new(),
        };
        if chance.one_in(2) && !self.tables.is_empty() {
            let action = chance.pick(&[
                "",
                " ON DELETE CASCADE",
                " ON UPDATE CASCADE",
                " DEFERRABLE INITIALLY DEFERRED",
            ]);
            table.parent =
                Some((self.tables[chance.below(self.tables.len())].name.clone(), action));
        }
        for _ in 0..1 + chance.below(9) {
            table.rows.push(u64::try_from(chance.below(1 << 30)).expect("because it is small"));
        }
        self.tables.push(table);
        let at = self.tables.len() - 1;
        for _ in 0..1 + self.chance.below(4) {
            self.add_column(at);
        }
        if self.chance.one_in(2) {
            self.belonging(at);
        }
    }

    fn add_column(&mut self, at: usize) {
        let column = (self.chance.pick(&NAMES), self.chance.pick(&TYPES), self.chance.pick(&WORDS));
        let place = self.chance.below(self.tables[at].columns.len() + 1);
        let columns = &mut self.tables[at].columns;
        if columns.iter().all(|(name, _, _)| *name != column.0) {
            columns.insert(place, column);
        }
    }

    fn belonging(&mut self, at: usize) {
        self.names += 1;
        let (name, a) = (format!("n{}", self.names), self.chance.pick(&NAMES));
        self.tables[at].belongings.push(match self.chance.below(6) {
            0 => format!("CREATE INDEX {name} ON {{t}}({a})"),
            1 => format!("CREATE UNIQUE INDEX {name} ON {{t}}({a})"),
            2 => format!("CREATE UNIQUE INDEX {name} ON {{t}}({a}, id) WHERE {a} IS NOT NULL"),
            // No views: SQLite takes those that cannot be read, which the observer does not.
            3 => format!("CREATE INDEX {name} ON {{t}}({a} DESC, id) WHERE id > 2"),
            4 => format!("CREATE TRIGGER {name} AFTER UPDATE OF {a} ON {{t}} BEGIN SELECT 1; END"),
            _ => format!("CREATE INDEX {name} ON {{t}}(lower({a}))"),
        });
    }

    /// Some changes of tables and rows.
    pub fn change(&mut self, count: usize) {
        for _ in 0..count {
            let at = self.chance.below(self.tables.len());
            let place = self.chance.below(self.tables[at].columns.len().max(1));
            match self.chance.below(14) {
                0 | 1 => self.add_column(at),
                2 if !self.tables[at].columns.is_empty() => {
                    self.tables[at].columns.remove(place);
                }
                3 | 4 if !self.tables[at].columns.is_empty() => {
                    self.tables[at].columns[place].1 = self.chance.pick(&TYPES);
                }
                5 | 6 if !self.tables[at].columns.is_empty() => {
                    self.tables[at].columns[place].2 = self.chance.pick(&WORDS);
                }
                7 => self.tables[at].key = self.chance.pick(&KEYS),
                8 => self.tables[at].tail = self.chance.pick(&["", " WITHOUT ROWID", " STRICT"]),
                9 => self.belonging(at),
                10 => drop(self.tables[at].belongings.pop()),
                11 if self.tables.len() > 1 => drop(self.tables.remove(at)),
                12 => self.create_table(),
                _ => {
                    let row =
                        u64::try_from(self.chance.below(1 << 30)).expect("because it is small");
                    self.tables[at].rows.push(row);
                    self.tables[at].rows.swap_remove(0);
                }
            }
        }
    }

    /// The statements that make it.
    pub fn script(&self) -> String {
        let mut script = "PRAGMA foreign_keys = ON;\n".to_owned();
        for table in &self.tables {
            let name = &table.name;
            let mut parts = vec![format!("id {}", table.key)];
            for (column, kind, words) in table.written() {
                parts.push(format!("{column} {kind}{}", words.replace("{c}", column)));
            }
            if let Some((parent, action)) = &table.parent {
                parts.push(format!("up REFERENCES {parent}(id){action}"));
            }
            let sql = format!("CREATE TABLE {name} ({}){};", parts.join(", "), table.tail);
            writeln!(script, "{sql}").expect("because it is memory");
            for belonging in &table.belongings {
                writeln!(script, "{};", belonging.replace("{t}", name))
                    .expect("because it is memory");
            }
            for seed in &table.rows {
                let mut chance = Chance::new(*seed);
                let mut names = vec!["id"];
                let kind = if table.key.starts_with("INT") { "INTEGER" } else { "TEXT" };
                let mut values = vec![value(kind, &mut chance)];
                for (column, kind, words) in table.written() {
                    if !words.contains("GENERATED") {
                        names.push(column);
                        values.push(value(kind, &mut chance));
                    }
                }
                if table.parent.is_some() {
                    names.push("up");
                    values.push(value("INTEGER", &mut chance));
                }
                let (names, values) = (names.join(", "), values.join(", "));
                writeln!(script, "INSERT INTO {name} ({names}) VALUES ({values});")
                    .expect("because it is memory");
            }
        }
        script
    }
}
