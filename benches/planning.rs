//! How long it takes to plan a change of a large schema, without a server and without rows.
//!
//! `cargo bench --bench planning -- [OBJECTS] [postgres|sqlite]` plans a schema of 10,000 objects
//! (tables, columns, keys, indexes, sequences, views, triggers, comments) from nothing, to nothing,
//! and with one object in twenty changed, and prints the table of `docs/performance.md`. The
//! schemas are facts as the catalogs of these engines give them; nothing is read from anywhere.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark talks to whoever runs it, and a panic is how it fails"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use deepdiff_db::diff::TableDefinition;
use deepdiff_db::engine::ddl::Ddl;
use deepdiff_db::engine::postgres::PostgresDdl;
use deepdiff_db::engine::sqlite::SqliteDdl;
use deepdiff_db::model::{Attribute, Fact, FactId, ObjectKind, ObjectName};
use deepdiff_db::pack::consent::Consent;
use deepdiff_db::pack::schema::{self, SchemaInput, SchemaPlan, SchemaSide};

/// How often each plan is made; the fastest counts.
const ROUNDS: usize = 3;

/// A schema as a snapshot keeps it.
#[derive(Default)]
struct Schema {
    facts: Vec<Fact>,
    definitions: Vec<TableDefinition>,
}

/// What is to be made of each table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    First,
    /// Every fifth table differs in two of its ten objects, every tenth view in its text.
    Changed,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let objects: usize = args.first().map_or(10_000, |arg| arg.parse().unwrap());
    let only = args.get(1).map(String::as_str);
    println!("| planning {objects} objects | from nothing | to nothing | one in twenty changed |");
    println!("|---|---|---|---|");
    let postgres = |version| postgres(objects, version);
    let sqlite = |version| sqlite(objects, version);
    if only.is_none_or(|only| only == "postgres") {
        line("PostgreSQL", &PostgresDdl::default(), &postgres);
    }
    if only.is_none_or(|only| only == "sqlite") {
        line("SQLite", &SqliteDdl, &sqlite);
    }
}

fn line(name: &str, ddl: &dyn Ddl, make: &dyn Fn(Version) -> Schema) {
    let (empty, first, changed) = (Schema::default(), make(Version::First), make(Version::Changed));
    let cells = [(&empty, &first), (&first, &empty), (&first, &changed)].map(|(from, to)| {
        let (time, plan) = measured(ddl, from, to);
        assert!(plan.refusals.is_empty(), "{:?}", plan.refusals.first());
        format!("{time:.2?}, {} statements", plan.steps().count())
    });
    println!("| {name} | {} |", cells.join(" | "));
}

fn measured(ddl: &dyn Ddl, from: &Schema, to: &Schema) -> (Duration, SchemaPlan) {
    let tables = from.facts.iter().filter(|fact| fact.id.kind == ObjectKind::Table);
    let tables: Vec<(ObjectName, bool)> =
        tables.map(|fact| (fact.id.object.clone(), true)).collect();
    let side = |schema: &'_ Schema| -> (Vec<Fact>, Vec<TableDefinition>) {
        (schema.facts.clone(), schema.definitions.clone())
    };
    let (before, after) = (side(from), side(to));
    let input = SchemaInput {
        before: SchemaSide { facts: &before.0, definitions: &before.1 },
        after: SchemaSide { facts: &after.0, definitions: &after.1 },
        consent: &Consent::everything(),
        tables: &tables,
        keeps_rows: &|_| false,
        keeps_values: &|_, _| false,
        lacks_rows: &|_| false,
        keeps_table: &|_| false,
        may_leave: &|_| false,
        loses_sight: &|_| false,
        is_rekeyed: &|_| false,
        may_be_anew: &|_| false,
    };
    let mut best: Option<(Duration, SchemaPlan)> = None;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let plan = black_box(schema::plan(ddl, &input));
        let time = started.elapsed();
        if best.as_ref().is_none_or(|(known, _)| time < *known) {
            best = Some((time, plan));
        }
    }
    best.unwrap()
}

/// Facts of one object.
struct Says(Fact);

impl Says {
    fn new(kind: ObjectKind, object: &ObjectName, part: &str) -> Says {
        let id = FactId { kind, object: object.clone(), part: part.to_owned() };
        Says(Fact { id, attributes: BTreeMap::new(), depends_on: Vec::new() })
    }

    fn set(mut self, name: &str, value: Attribute) -> Says {
        self.0.attributes.insert(name.to_owned(), value);
        self
    }

    fn text(self, name: &str, text: impl Into<String>) -> Says {
        self.set(name, Attribute::Text(text.into()))
    }

    fn flag(self, name: &str) -> Says {
        self.set(name, Attribute::Flag)
    }

    fn list(self, name: &str, items: &[&str]) -> Says {
        let items = items.iter().map(|item| (*item).to_owned()).collect();
        self.set(name, Attribute::List(items))
    }

    fn needs(mut self, objects: &[&ObjectName]) -> Says {
        self.0.depends_on = objects.iter().map(|object| (*object).clone()).collect();
        self.0.depends_on.sort();
        self
    }
}

fn finished(facts: Vec<Says>, definitions: Vec<TableDefinition>) -> Schema {
    let mut facts: Vec<Fact> = facts.into_iter().map(|says| says.0).collect();
    facts.sort_by(|a, b| a.id.cmp(&b.id));
    Schema { facts, definitions }
}

/// Ten objects a table, in one schema of the database: five columns, two keys, an index, the
/// sequence of a default, and a view or a comment.
fn postgres(objects: usize, version: Version) -> Schema {
    let name = |name: String| ObjectName { schema: "shop".to_owned(), name };
    let mut facts = vec![Says::new(ObjectKind::Schema, &ObjectName::bare("shop"), "")];
    let mut definitions = Vec::new();
    for number in 0..objects / 11 {
        let is_changed = version == Version::Changed && number % 5 == 0;
        let table = name(format!("table_{number:05}"));
        let parent = name(format!("table_{:05}", number / 2));
        let sequence = name(format!("table_{number:05}_id_seq"));
        let column =
            |part: &str, kind: &str| Says::new(ObjectKind::Column, &table, part).text("type", kind);
        facts.push(Says::new(ObjectKind::Table, &table, ""));
        let default = format!("nextval('shop.{}'::regclass)", sequence.name);
        let id = column("id", "bigint").flag("not-null").text("default", default);
        facts.push(id.needs(&[&sequence]));
        let amount = if is_changed { "numeric(14,2)" } else { "numeric(12,2)" };
        facts.push(column("amount", amount).text("default", "0").flag("not-null"));
        facts.push(column("parent_id", "bigint"));
        facts.push(column("title", "text").flag("not-null"));
        let last = if is_changed { "noted" } else { "note" };
        facts.push(column(last, "character varying(200)"));
        let key = Says::new(ObjectKind::PrimaryKey, &table, "");
        facts.push(key.list("columns", &["id"]).text("name", format!("{}_pkey", table.name)));
        let label = format!("{}_parent_fkey", table.name);
        let reference = Says::new(ObjectKind::ForeignKey, &table, &label)
            .list("columns", &["parent_id"])
            .list("referenced-columns", &["id"])
            .text("table", &parent.name)
            .text("name", &label);
        facts.push(reference.needs(&[&parent]));
        let index = Says::new(ObjectKind::Index, &name(format!("{}_title_idx", table.name)), "");
        let index = index.text("table", &table.name).list("columns", &["title"]);
        facts.push(index.needs(&[&table]));
        let owner = format!("shop.{}.id", table.name);
        facts.push(Says::new(ObjectKind::Sequence, &sequence, "").text("owned-by", owner));
        if number % 2 == 0 {
            let limit = if is_changed { 9 } else { 8 };
            let query = format!(
                " SELECT id,\n    title\n   FROM shop.{}\n  WHERE (amount > ({limit})::numeric);",
                table.name
            );
            let view = Says::new(ObjectKind::View, &name(format!("view_{number:05}")), "");
            facts.push(view.text("query", query).needs(&[&table]));
        } else {
            let comment = Says::new(ObjectKind::Comment, &table, "table");
            facts.push(comment.text("text", format!("What stands in {}", table.name)));
        }
        definitions.push(TableDefinition {
            kind: ObjectKind::Table,
            object: table,
            text: String::new(),
            column_order: ["id", "parent_id", "title", "amount", last].map(str::to_owned).into(),
        });
    }
    finished(facts, definitions)
}

/// Ten objects a table: five columns, two keys, an index, and a view or a trigger.
fn sqlite(objects: usize, version: Version) -> Schema {
    let (mut facts, mut definitions) = (Vec::new(), Vec::new());
    for number in 0..objects / 10 {
        let is_changed = version == Version::Changed && number % 5 == 0;
        let table = ObjectName::bare(format!("table_{number:05}"));
        let parent = ObjectName::bare(format!("table_{:05}", number / 2));
        let amount = if is_changed { "NUMERIC(14, 2)" } else { "NUMERIC(12, 2)" };
        let last = if is_changed { "noted" } else { "note" };
        let mut define = |kind, object: &ObjectName, text: String, order: &[&str]| {
            let column_order = order.iter().map(|name| (*name).to_owned()).collect();
            definitions.push(TableDefinition { kind, object: object.clone(), text, column_order });
        };
        let text = format!(
            "CREATE TABLE {0} (\n  id INTEGER PRIMARY KEY, -- who\n  parent_id INTEGER REFERENCES {1} (id),\n  \
             title TEXT NOT NULL,\n  amount {amount} NOT NULL DEFAULT 0,\n  {last} VARCHAR(200)\n)",
            table.name, parent.name
        );
        define(ObjectKind::Table, &table, text, &["id", "parent_id", "title", "amount", last]);
        facts.push(Says::new(ObjectKind::Table, &table, ""));
        let column =
            |part: &str, kind: &str| Says::new(ObjectKind::Column, &table, part).text("type", kind);
        facts.push(column("id", "INTEGER"));
        facts.push(column("parent_id", "INTEGER"));
        facts.push(column("title", "TEXT").flag("not-null"));
        facts.push(column("amount", amount).flag("not-null").text("default", "0"));
        facts.push(column(last, "VARCHAR(200)"));
        let key = Says::new(ObjectKind::PrimaryKey, &table, "").list("columns", &["id"]);
        facts.push(key.flag("rowid-alias"));
        let label = format!("(parent_id) REFERENCES {}", parent.name);
        let reference = Says::new(ObjectKind::ForeignKey, &table, &label)
            .list("columns", &["parent_id"])
            .list("referenced-columns", &["id"])
            .text("table", &parent.name);
        facts.push(reference.needs(&[&parent]));
        let index = ObjectName::bare(format!("{}_title", table.name));
        let text = format!("CREATE INDEX {} ON {} (title)", index.name, table.name);
        define(ObjectKind::Index, &index, text, &[]);
        let says = Says::new(ObjectKind::Index, &index, "").text("table", &table.name);
        facts.push(says.list("columns", &["title"]).needs(&[&table]));
        let other = ObjectName::bare(format!("other_{number:05}"));
        if number % 2 == 0 {
            let limit = if is_changed { 9 } else { 8 };
            let query = format!("SELECT id, title FROM {} WHERE amount > {limit}", table.name);
            define(ObjectKind::View, &other, format!("CREATE VIEW {} AS {query}", other.name), &[]);
            facts.push(Says::new(ObjectKind::View, &other, "").text("query", query));
        } else {
            let body = format!(
                "BEGIN UPDATE {} SET title = 'gone' WHERE parent_id = OLD.id; END",
                table.name
            );
            let head = format!("CREATE TRIGGER {} AFTER DELETE ON {}", other.name, table.name);
            define(ObjectKind::Trigger, &other, format!("{head} {body}"), &[]);
            let trigger = Says::new(ObjectKind::Trigger, &other, "").text("table", &table.name);
            let trigger = trigger.text("timing", "AFTER").text("event", "DELETE");
            facts.push(trigger.text("body", body).needs(&[&table]));
        }
    }
    finished(facts, definitions)
}
