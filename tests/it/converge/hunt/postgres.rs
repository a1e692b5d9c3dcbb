//! Databases of PostgreSQL by chance: what is in them, and their rows.
//!
//! The draft knows what it has asked for, not what the server took: a statement that the server
//! refuses is no part of the database, and nothing is wrong.

use std::fmt::Write as _;

use super::chance::Chance;

/// What columns are of. Types that are made by the script stand at the end.
pub const TYPES: [&str; 25] = [
    "int",
    "bigint",
    "smallint",
    "text",
    "varchar(8)",
    "varchar(40)",
    "numeric(8,2)",
    "numeric",
    "numeric(12,4)",
    "boolean",
    "date",
    "timestamp",
    "timestamptz",
    "uuid",
    "jsonb",
    "real",
    "double precision",
    "bytea",
    "text COLLATE \"C\"",
    "int4range",
    "int[]",
    "interval",
    "mood",
    "price",
    "duo",
];

/// Columns by these names; few, so that names meet.
const COLUMNS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "\"H h\""];

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub kind: &'static str,
    pub is_computed: bool,
}

/// A table.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
}

/// A database as it was asked for.
#[derive(Debug, Clone)]
pub struct Draft {
    pub chance: Chance,
    pub tables: Vec<Table>,
    pub script: String,
    names: usize,
}

/// A value of a type; few of each, so that they meet.
pub fn value(kind: &str, chance: &mut Chance) -> String {
    if chance.one_in(9) {
        return "NULL".to_owned();
    }
    let n = 1 + chance.below(12);
    match kind {
        "int" | "smallint" | "bigint" | "price" => n.to_string(),
        "numeric(8,2)" | "numeric" | "numeric(12,4)" => {
            chance.pick(&["1.5", "2", "3.25", "-4.125", "100"]).to_owned()
        }
        "real" | "double precision" => chance.pick(&["0.1", "2", "'-0'", "1e10"]).to_owned(),
        "boolean" => chance.pick(&["true", "false"]).to_owned(),
        "date" | "timestamp" | "timestamptz" => format!("'2024-01-{n:02}'"),
        "uuid" => format!("'00000000-0000-0000-0000-0000000000{n:02}'"),
        "jsonb" => chance.pick(&["'{}'", "'[1]'", "'7'", "'{\"k\": 1.0}'"]).to_owned(),
        "bytea" => format!("'\\x{n:02x}'"),
        "int4range" => format!("'[{n},20)'"),
        "int[]" => format!("'{{{n},NULL}}'"),
        "interval" => format!("'{n} days'"),
        "mood" => chance.pick(&["'sad'", "'ok'", "'happy'"]).to_owned(),
        "duo" => format!("'({n},w)'"),
        _ if chance.one_in(3) => format!("'{n}'"),
        _ => format!("'w{n}'"),
    }
}

impl Draft {
    /// A database with tables, what they need, what needs them, and rows.
    pub fn new(seed: u64) -> Draft {
        let chance = Chance::new(seed);
        let mut draft = Draft { chance, tables: Vec::new(), script: String::new(), names: 0 };
        draft.say(
            "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE DOMAIN price AS int CHECK (VALUE >= 0);
             CREATE TYPE duo AS (x int, y text); CREATE SEQUENCE numbers;
             CREATE FUNCTION plus(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + 1';
             CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
             CREATE SCHEMA other",
        );
        for _ in 0..2 + draft.chance.below(3) {
            draft.create_table();
        }
        for _ in 0..draft.chance.below(6) {
            draft.belongings();
        }
        draft.rows();
        draft
    }

    /// Adds a statement.
    pub fn say(&mut self, statement: &str) {
        writeln!(self.script, "{statement};").expect("because it is memory");
    }

    /// A name that nothing has yet.
    pub fn fresh(&mut self, word: &str) -> String {
        self.names += 1;
        format!("{word}{}", self.names)
    }

    pub fn kind(&mut self) -> &'static str {
        // Mostly what turns up in the wild.
        let count = if self.chance.one_in(2) { 6 } else { TYPES.len() };
        TYPES[self.chance.below(count)]
    }

    pub fn column_name(&mut self) -> String {
        COLUMNS[self.chance.below(COLUMNS.len())].to_owned()
    }

    /// Which of the tables.
    pub fn any(&mut self) -> Option<usize> {
        let count = self.tables.len();
        (count > 0).then(|| self.chance.below(count))
    }

    /// A column of a table.
    pub fn any_column(&mut self, table: usize) -> Column {
        let count = self.tables[table].columns.len();
        let at = self.chance.below(count);
        self.tables[table].columns.get(at).cloned().unwrap_or(Column {
            name: "id".to_owned(),
            kind: "int",
            is_computed: false,
        })
    }

    /// What may stand behind the type of a column.
    pub fn column_words(&mut self, kind: &'static str) -> (String, bool) {
        let is_int = matches!(kind, "int" | "bigint" | "smallint");
        match self.chance.below(16) {
            0 | 1 => (" NOT NULL".to_owned(), false),
            2 | 3 => (format!(" DEFAULT {}", value(kind, &mut self.chance)), false),
            4 => (format!(" NOT NULL DEFAULT {}", value(kind, &mut self.chance)), false),
            5 => (" UNIQUE".to_owned(), false),
            6 if is_int => (" GENERATED BY DEFAULT AS IDENTITY".to_owned(), false),
            7 if is_int => (" GENERATED ALWAYS AS IDENTITY".to_owned(), false),
            8 if is_int => (" DEFAULT nextval('numbers')".to_owned(), false),
            9 if is_int => (" CHECK ({c} > 0)".to_owned(), false),
            10 if kind == "int" => (" GENERATED ALWAYS AS (id + 1) STORED".to_owned(), true),
            11 if kind == "int" => (" DEFAULT plus(3)".to_owned(), false),
            _ => (String::new(), false),
        }
    }

    pub fn create_table(&mut self) {
        let place = if self.chance.one_in(8) { "other." } else { "" };
        let name = format!("{place}{}", self.fresh("t"));
        let key = ["int", "int", "bigint", "text", "uuid"][self.chance.below(5)];
        let mut columns = vec![Column { name: "id".to_owned(), kind: key, is_computed: false }];
        let mut parts = vec![format!("id {key}{}", self.chance.pick(&["", " NOT NULL", ""]))];
        if matches!(key, "int" | "bigint") && self.chance.one_in(3) {
            let how = self.chance.pick(&[
                "id serial",
                "id int GENERATED ALWAYS AS IDENTITY",
                "id bigserial",
            ]);
            parts[0] = how.to_owned();
        }
        for _ in 0..1 + self.chance.below(5) {
            let name = self.column_name();
            if columns.iter().any(|column| column.name == name) {
                continue;
            }
            let kind = self.kind();
            let (words, is_computed) = self.column_words(kind);
            parts.push(format!("{name} {kind}{}", words.replace("{c}", &name)));
            columns.push(Column { name, kind, is_computed });
        }
        let is_partitioned = self.chance.one_in(6);
        let second = columns.get(1).map_or("id", |column| column.name.as_str()).to_owned();
        match self.chance.below(8) {
            0 => {}
            1 => parts.push(format!("PRIMARY KEY (id, {second})")),
            2 => parts.push(format!("UNIQUE (id, {second})")),
            _ => parts.push("PRIMARY KEY (id)".to_owned()),
        }
        if let Some(parent) = self.any()
            && self.chance.one_in(2)
        {
            let action = self.chance.pick(&[
                "",
                " ON DELETE CASCADE",
                " ON DELETE SET NULL",
                " ON UPDATE CASCADE",
                " DEFERRABLE INITIALLY DEFERRED",
            ]);
            let parent = &self.tables[parent];
            parts.push(format!(
                "up {} REFERENCES {}(id){action}",
                parent.columns[0].kind, parent.name
            ));
            columns.push(Column {
                name: "up".to_owned(),
                kind: parent.columns[0].kind,
                is_computed: false,
            });
        }
        let tail = match (is_partitioned, self.any()) {
            (true, _) => " PARTITION BY HASH (id)".to_owned(),
            (false, Some(parent)) if self.chance.one_in(8) => {
                format!(" INHERITS ({})", self.tables[parent].name)
            }
            _ => String::new(),
        };
        self.say(&format!("CREATE TABLE {name} ({}){tail}", parts.join(", ")));
        if is_partitioned {
            self.say(&format!("CREATE TABLE {name}_p0 PARTITION OF {name} FOR VALUES WITH (MODULUS 2, REMAINDER 0)"));
            self.say(&format!("CREATE TABLE {name}_p1 PARTITION OF {name} FOR VALUES WITH (MODULUS 2, REMAINDER 1)"));
        }
        self.tables.push(Table { name, columns });
    }

    /// Something that belongs to a table or reads it.
    pub fn belongings(&mut self) {
        let Some(at) = self.any() else { return };
        let (column, more) = (self.any_column(at), self.any_column(at));
        let table = self.tables[at].name.clone();
        let (a, b) = (column.name, more.name);
        let name = self.fresh("n");
        let kinds = 22;
        let statement = match self.chance.below(kinds) {
            0 => format!("CREATE INDEX {name} ON {table} ({a})"),
            1 => format!("CREATE UNIQUE INDEX {name} ON {table} ({a})"),
            2 => format!("CREATE UNIQUE INDEX {name} ON {table} ({a}, {b}) WHERE {b} IS NOT NULL"),
            3 => format!("CREATE INDEX {name} ON {table} (({a}::text || 'x'), {b} DESC)"),
            4 => format!("ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE ({a}, {b})"),
            5 => format!(
                "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({a} IS NOT NULL OR {b} IS NULL)"
            ),
            6 => format!(
                "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({a}::text <> 'never') NOT VALID"
            ),
            7 => format!("CREATE VIEW {name} AS SELECT * FROM {table}"),
            8 => format!(
                "CREATE VIEW {name} AS SELECT {a} AS x, count(*) AS n FROM {table} GROUP BY {a}"
            ),
            9 => format!("CREATE MATERIALIZED VIEW {name} AS SELECT {a} FROM {table}"),
            10 => format!(
                "CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION fires()"
            ),
            11 => format!("CREATE POLICY {name} ON {table} USING ({a} IS NOT NULL)"),
            12 => format!("CREATE STATISTICS {name} ON {a}, {b} FROM {table}"),
            13 => format!("COMMENT ON COLUMN {table}.{a} IS '{name}'"),
            14 => format!("GRANT SELECT ({a}), UPDATE ({b}) ON {table} TO pg_monitor"),
            15 => format!(
                "CREATE FUNCTION {name}(r {table}) RETURNS text LANGUAGE sql AS 'SELECT r.{}::text'",
                a.replace('\'', "''")
            ),
            16 => format!(
                "CREATE VIEW {name} AS SELECT o.{a}, i.{b} FROM {table} o LEFT JOIN {table} i USING (id)"
            ),
            17 => format!(
                "CREATE RULE {name} AS ON DELETE TO {table} WHERE old.{a} IS NULL DO ALSO NOTHING"
            ),
            18 => format!(
                "ALTER TABLE {table} ADD CONSTRAINT {name} EXCLUDE USING btree ({a} WITH =) WHERE ({b} IS NULL AND {b} IS NOT NULL)"
            ),
            19 => format!(
                "CREATE SEQUENCE {name} OWNED BY {table}.{a}; ALTER TABLE {table} ALTER {a} SET DEFAULT nextval('{name}')"
            ),
            20 => format!(
                "CREATE FUNCTION {name}() RETURNS bigint LANGUAGE sql BEGIN ATOMIC; SELECT count({a}) FROM {table}; END"
            ),
            _ => {
                let parent = self.any().map(|at| self.tables[at].name.clone()).unwrap_or_default();
                let target = self.chance.pick(&["id", "a", "b"]);
                format!(
                    "ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({a}) REFERENCES {parent} ({target})"
                )
            }
        };
        self.say(&statement);
    }

    /// Rows for every table.
    pub fn rows(&mut self) {
        for at in 0..self.tables.len() {
            for _ in 0..1 + self.chance.below(9) {
                self.row(at);
            }
        }
    }

    /// A row, which the server may refuse.
    pub fn row(&mut self, at: usize) {
        let table = self.tables[at].clone();
        let columns: Vec<&Column> =
            table.columns.iter().filter(|column| !column.is_computed).collect();
        let mut values = Vec::new();
        for column in &columns {
            let mut cell = value(column.kind, &mut self.chance);
            if column.name == "id" && cell == "NULL" {
                cell = value("int", &mut self.chance).replace("NULL", "20");
            }
            values.push(cell);
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        self.say(&format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})",
            table.name,
            names.join(", "),
            values.join(", ")
        ));
    }
}
