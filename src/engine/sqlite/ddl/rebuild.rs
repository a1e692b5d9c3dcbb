//! Building a table anew around its rows.
//!
//! The new table is made beside the old one, filled, and takes its name; so SQLite's own words for
//! it (<https://www.sqlite.org/lang_altertable.html#otheralter>). It must run without foreign keys,
//! which would follow the rows that go with the old table, and under `legacy_alter_table`, which
//! leaves the texts of views, triggers and other tables alone. A table whose definition calls its
//! columns by its own name (`CHECK (t.a > 0)`) cannot have another name meanwhile: its rows wait in
//! a plain table instead.
//!
//! Rows keep their hidden rowid, and AUTOINCREMENT never goes back. What a row gets in a column
//! that it did not have is what the planning of the rows takes for it: the column's constant
//! default, else NULL.

use super::super::defaults::Defaults;
use super::super::sql::{literal, quoted};
use super::super::types::TextEncoding;
use super::create;
use crate::engine::ddl::{Schema, Statement, flag, text};
use crate::model::{Fact, ObjectKind, ObjectName};

/// The statements, in order. The table's rows are those that keep their values.
pub(super) fn statements(
    table: &ObjectName,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> Result<Vec<Statement>, String> {
    let definition = create::table(table, to)?;
    let rebuild = Rebuild {
        name: &table.name,
        holder: free_name(table, from, to),
        copy: Copy::of(table, from, to)?,
        has_sequence: has_sequence(table, from) && has_sequence(table, to),
        is_checked: !checks_stay(table, from, to),
    };
    let statements = match create::qualifies_by(&definition, &table.name) {
        true => rebuild.around(&definition),
        false => rebuild.beside(&definition)?,
    };
    Ok(statements.into_iter().map(Statement::Whole).collect())
}

struct Rebuild<'a> {
    name: &'a str,
    /// The name that the new table has first, or under which the rows wait.
    holder: String,
    copy: Copy,
    has_sequence: bool,
    /// Whether rows may be refused by what the new table checks.
    is_checked: bool,
}

impl Rebuild<'_> {
    /// The new table is filled under another name.
    fn beside(&self, definition: &str) -> Result<Vec<String>, String> {
        let (old, new) = (quoted(self.name), quoted(&self.holder));
        let mut statements = vec![create::renamed(definition, &self.holder)?];
        statements.extend(self.copied(&new, &self.copy.targets, &old, &self.copy.values));
        if self.has_sequence {
            statements.extend(carry_sequence(self.name, &self.holder));
        }
        statements.push(format!("DROP TABLE {old}"));
        statements.push(format!("ALTER TABLE {new} RENAME TO {old}"));
        Ok(statements)
    }

    /// The rows wait in a table without types, which keeps every value as it is.
    fn around(&self, definition: &str) -> Vec<String> {
        let (table, holder) = (quoted(self.name), quoted(&self.holder));
        let mut waiting: Vec<String> =
            (1..=self.copy.values.len()).map(|number| quoted(&format!("c{number}"))).collect();
        let columns = waiting.join(", ");
        if self.copy.keeps_rowid {
            waiting[0] = "rowid".to_owned();
        }
        let mut statements = vec![
            format!("CREATE TABLE {holder} ({columns})"),
            copied(&holder, &waiting, &table, &self.copy.values),
        ];
        if self.has_sequence {
            statements.extend(carry_sequence(self.name, &self.holder));
        }
        statements.push(format!("DROP TABLE {table}"));
        statements.push(definition.to_owned());
        statements.extend(self.copied(&table, &self.copy.targets, &holder, &waiting));
        if self.has_sequence {
            statements.extend(carry_sequence(&self.holder, self.name));
            let name = string(&self.holder);
            statements.push(format!("DELETE FROM sqlite_sequence WHERE name = {name}"));
        }
        statements.push(format!("DROP TABLE {holder}"));
        statements
    }
}

impl Rebuild<'_> {
    /// Copies rows into the new table. A row that breaks a check which was there before is not made
    /// better by being lost.
    fn copied(&self, into: &str, to: &[String], table: &str, values: &[String]) -> Vec<String> {
        let copied = copied(into, to, table, values);
        match self.is_checked {
            true => vec![copied],
            false => vec![
                "PRAGMA ignore_check_constraints = ON".to_owned(),
                copied,
                "PRAGMA ignore_check_constraints = OFF".to_owned(),
            ],
        }
    }
}

/// Whether the new table checks nothing that the old one did not, on columns that are the same.
fn checks_stay(table: &ObjectName, from: &Schema<'_>, to: &Schema<'_>) -> bool {
    let is_same = |fact: &Fact| {
        let before = from.get(&fact.id);
        before.is_some_and(|before| before.attributes == fact.attributes)
    };
    let is_known = |fact: &Fact| from.get(&fact.id).is_none() || is_same(fact);
    let mut checks = to.parts(ObjectKind::Check, table).peekable();
    checks.peek().is_some()
        && checks.all(is_same)
        && to.parts(ObjectKind::Column, table).all(is_known)
        && to.object(ObjectKind::Table, table).is_some_and(is_same)
}

/// Which columns get what. Where the hidden rowid is kept, it stands first.
struct Copy {
    keeps_rowid: bool,
    /// Columns of the new table.
    targets: Vec<String>,
    /// What they get: a column of the old table, or a literal.
    values: Vec<String>,
}

impl Copy {
    fn of(table: &ObjectName, from: &Schema<'_>, to: &Schema<'_>) -> Result<Copy, String> {
        let (old, new) = (data_columns(table, from), data_columns(table, to));
        let is_strict = to.object(ObjectKind::Table, table).is_some_and(|t| flag(t, "strict"));
        let encoding = encoding(from);
        let mut defaults = Defaults::new(encoding);
        let rowid = kept_rowid(table, from, to);
        let (mut targets, mut values) = (Vec::new(), Vec::new());
        if let Some((new, old)) = rowid {
            targets.push(new.to_owned());
            values.push(old.to_owned());
        }
        for column in &new {
            let name = &column.id.part;
            let value = match (old.iter().any(|old| old.id.part == *name), text(column, "default"))
            {
                (true, _) => quoted(name),
                // Nothing is what it gets when it is not named.
                (false, None) => continue,
                (false, Some(default)) => {
                    let declared = text(column, "type").unwrap_or_default();
                    let value = defaults.value(declared, is_strict, default);
                    literal(&value, encoding)
                        .ok_or_else(|| format!("the default of column `{name}` has no text"))?
                }
            };
            targets.push(quoted(name));
            values.push(value);
        }
        if targets.is_empty() {
            targets.extend(new.first().map(|column| quoted(&column.id.part)));
            values.extend(new.first().map(|_| "NULL".to_owned()));
        }
        Ok(Copy { keeps_rowid: rowid.is_some(), targets, values })
    }
}

/// The conflict clauses of constraints do not count: a row that is not taken is an error.
fn copied(into: &str, targets: &[String], table: &str, values: &[String]) -> String {
    let (targets, values) = (targets.join(", "), values.join(", "));
    format!("INSERT OR ABORT INTO {into} ({targets})\nSELECT {values}\nFROM {table}")
}

/// The columns that hold data of their own, in the table's order.
fn data_columns<'a>(table: &ObjectName, schema: &Schema<'a>) -> Vec<&'a Fact> {
    let mut columns = schema.columns(table);
    columns.retain(|column| text(column, "generated").is_none());
    columns
}

/// The names by which the rowid is read and written, where both tables have one and in the new one
/// it is no column.
fn kept_rowid(
    table: &ObjectName,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> Option<(&'static str, &'static str)> {
    let key = to.object(ObjectKind::PrimaryKey, table);
    if key.is_some_and(|key| flag(key, "rowid-alias")) {
        return None;
    }
    Some((rowid_name(table, to)?, rowid_name(table, from)?))
}

/// A name of the rowid that no column hides; none where there is no rowid.
fn rowid_name(table: &ObjectName, schema: &Schema<'_>) -> Option<&'static str> {
    let own = schema.object(ObjectKind::Table, table)?;
    if flag(own, "without-rowid") {
        return None;
    }
    let is_free = |name: &&str| {
        !schema.parts(ObjectKind::Column, table).any(|c| c.id.part.eq_ignore_ascii_case(name))
    };
    ["rowid", "_rowid_", "oid"].into_iter().find(is_free)
}

fn has_sequence(table: &ObjectName, schema: &Schema<'_>) -> bool {
    let key = schema.object(ObjectKind::PrimaryKey, table);
    key.is_some_and(|key| flag(key, "autoincrement"))
}

/// The highest number that was ever given out stays so.
fn carry_sequence(from: &str, to: &str) -> [String; 2] {
    let (from, to) = (string(from), string(to));
    [
        format!(
            "INSERT INTO sqlite_sequence (name, seq)\n\
             SELECT {to}, seq FROM sqlite_sequence\n\
             WHERE name = {from} AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = {to})"
        ),
        format!(
            "UPDATE sqlite_sequence\n\
             SET seq = max(seq, (SELECT seq FROM sqlite_sequence WHERE name = {from}))\n\
             WHERE name = {to} AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = {from})"
        ),
    ]
}

fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn encoding(schema: &Schema<'_>) -> TextEncoding {
    let setting = ObjectName::bare("encoding");
    let fact = schema.object(ObjectKind::Setting, &setting);
    let name = fact.and_then(|fact| text(fact, "value"));
    name.and_then(TextEncoding::from_name).unwrap_or(TextEncoding::Utf8)
}

/// A name that nothing has, before or after. (One that is only spelled otherwise makes the CREATE
/// TABLE fail.)
fn free_name(table: &ObjectName, from: &Schema<'_>, to: &Schema<'_>) -> String {
    let is_free = |name: &String| {
        let name = ObjectName::bare(name);
        from.of(&name).is_empty() && to.of(&name).is_empty()
    };
    let first = format!("_deepdiff_new_{}", table.name);
    let others = (2..).map(|number: u32| format!("{first}_{number}"));
    std::iter::once(first.clone())
        .chain(others)
        .find(is_free)
        .expect("because a schema does not have every name")
}
