//! What RENAME makes of a schema, as measured on MySQL 5.7 and 9.7 and on MariaDB 10.11.
//!
//! Keys, foreign keys both ways, the places of columns and the table of a trigger follow, and names
//! that the server made of the table's (`t_ibfk_1`; `t_chk_1` on MySQL) become others with it. MySQL
//! refuses to rename a column that an expression names; MariaDB puts the new name into checks,
//! generated columns, defaults and partitioning, which is believed only where the wanted schema says
//! just that. Queries of views and bodies of programs are texts, which nobody rewrites.

use super::wording::named;
use super::{MysqlDdl, column};
use crate::engine::ddl::{Following, Rename, Renames, Schema, StepHazard, flag, list, text};
use crate::engine::mysql::catalog::tokens::{Token, cut};
use crate::engine::mysql::sql::quoted;
use crate::model::{Attribute, Fact, ObjectKind, ObjectName};

/// The statement.
pub(super) fn statement(
    ddl: MysqlDdl,
    rename: &Rename,
    schema: &Schema<'_>,
) -> Result<String, String> {
    let (table, to) = (quoted(&rename.table.name), quoted(&rename.to));
    let Some(name) = &rename.column else {
        return Ok(format!("RENAME TABLE {table} TO {to}"));
    };
    if ddl != MysqlDdl::Mysql57 {
        return Ok(format!("ALTER TABLE {table} RENAME COLUMN {} TO {to}", quoted(name)));
    }
    // It has no other way than to say all of the column again.
    let of = |name: &str| schema.part(ObjectKind::Column, &rename.table, name);
    let fact = of(name).or_else(|| of(&rename.to)).ok_or("the column is not there")?;
    if flag(fact, "no-default") {
        let reason =
            "MySQL 5.7 gives a column DEFAULT NULL with its new name, and it has no default";
        return Err(reason.to_owned());
    }
    let definition = column::definition(ddl, fact, schema)?;
    Ok(format!("ALTER TABLE {table} CHANGE COLUMN {} {to} {definition}", quoted(name)))
}

/// What a reviewer has to know of it: no row is touched, and the table is locked for the moment.
pub(super) fn hazards(rename: &Rename) -> Vec<StepHazard> {
    vec![StepHazard::Lock { mode: "NONE", table: rename.table.to_string() }]
}

/// What becomes of a fact.
pub(super) fn follows(
    ddl: MysqlDdl,
    fact: &Fact,
    renames: &Renames,
    wanted: &Schema<'_>,
) -> Following {
    let table = &fact.id.object;
    let mut new = fact.clone();
    renames.dependencies(&mut new);
    match fact.id.kind {
        ObjectKind::View if fact.depends_on.iter().any(|other| renames.touches(other)) => {
            return Following::Remade;
        }
        ObjectKind::Trigger => return trigger(fact, new, renames),
        ObjectKind::ForeignKey => return foreign_key(fact, new, renames),
        ObjectKind::Table if unites(fact, renames) => {
            let reason = "it unites tables, one of which gets another name";
            return Following::Refused(reason.to_owned());
        }
        _ if !renames.touches(table) || !is_of_table(fact.id.kind) => {
            return Following::Follows(new);
        }
        _ => {}
    }
    new.id.object = renames.object(table);
    let said = Said { ddl, table, renames, wanted };
    match fact.id.kind {
        ObjectKind::Table => {
            let periods = list(fact, "periods");
            if periods.iter().any(|period| said.is_spoken(period)) {
                let reason = "a column of its period gets another name";
                return Following::Refused(reason.to_owned());
            }
            Following::Follows(new)
        }
        ObjectKind::Column => {
            new.id.part = renames.column(table, &fact.id.part);
            if let Some(Attribute::Text(after)) = new.attributes.get_mut("after") {
                *after = renames.column(table, after);
            }
            match (said.follows(&mut new, "generated"), said.follows(&mut new, "default")) {
                (true, true) => Following::Follows(new),
                (false, _) => Following::Remade,
                (true, false) => {
                    let reason = "its default names a column that gets another name";
                    Following::Refused(reason.to_owned())
                }
            }
        }
        ObjectKind::Check => check(fact, new, &said),
        ObjectKind::Partition => match said.follows(&mut new, "method") {
            true => Following::Follows(new),
            false => {
                let reason = "it is partitioned by a column that gets another name";
                Following::Refused(reason.to_owned())
            }
        },
        _ => key(fact, new, &said),
    }
}

/// What goes by the name of its table.
fn is_of_table(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Table
            | ObjectKind::Column
            | ObjectKind::PrimaryKey
            | ObjectKind::Unique
            | ObjectKind::Index
            | ObjectKind::Check
            | ObjectKind::Partition
    )
}

/// Whether a table is made of others (MERGE), one of which gets another name.
fn unites(table: &Fact, renames: &Renames) -> bool {
    let others = named(text(table, "union").unwrap_or_default());
    others.into_iter().any(|name| renames.has_table(&ObjectName::bare(name)))
}

/// Texts of a table's facts.
struct Said<'r> {
    ddl: MysqlDdl,
    table: &'r ObjectName,
    renames: &'r Renames,
    wanted: &'r Schema<'r>,
}

impl Said<'_> {
    /// Whether a text names a column that gets another name.
    fn is_spoken(&self, expression: &str) -> bool {
        let said: Vec<String> = named(expression).iter().map(|name| name.to_lowercase()).collect();
        self.renames.columns_of(self.table).any(|(old, _)| said.contains(&old.to_lowercase()))
    }

    /// Puts in what becomes of a text; false where that is not known, or cannot be.
    fn follows(&self, new: &mut Fact, attribute: &str) -> bool {
        let Some(is) = text(new, attribute).filter(|text| self.is_spoken(text)) else {
            return true;
        };
        let shall = self.wanted.get(&new.id).and_then(|shall| text(shall, attribute));
        match shall.filter(|shall| self.ddl.is_mariadb() && self.is_same(is, shall)) {
            Some(shall) => {
                let shall = Attribute::Text(shall.to_owned());
                new.attributes.insert(attribute.to_owned(), shall);
                true
            }
            None => false,
        }
    }

    /// Whether two texts are the same but for names that change.
    fn is_same(&self, before: &str, after: &str) -> bool {
        let (before, after) = (cut(before), cut(after));
        let is_piece = |(before, after): (&Token<'_>, &Token<'_>)| {
            let (was, is) = (before.name(), after.name());
            let mut columns = self.renames.columns_of(self.table);
            before.kind == after.kind
                && match columns.find(|(old, _)| Some(*old) == was.as_ref()) {
                    Some((_, new)) => is.as_ref() == Some(new),
                    None => before.text == after.text,
                }
        };
        before.len() == after.len() && before.iter().zip(&after).all(is_piece)
    }
}

/// A key or an index: the names in it follow, expressions do not.
fn key(fact: &Fact, mut new: Fact, said: &Said<'_>) -> Following {
    let terms = list(fact, "terms");
    let is_expression = |at: usize| terms.get(at).is_some_and(|term| term == "expression");
    let mut columns = list(fact, "columns").iter().enumerate();
    if columns.any(|(at, part)| is_expression(at) && said.is_spoken(part)) {
        return Following::Remade;
    }
    said.renames.list(&mut new, "columns", said.table, |at| !is_expression(at));
    if fact.attributes.contains_key("table") {
        let name = new.id.object.name.clone();
        new.attributes.insert("table".to_owned(), Attribute::Text(name));
    }
    Following::Follows(new)
}

fn check(fact: &Fact, mut new: Fact, said: &Said<'_>) -> Following {
    match text(fact, "column") {
        Some(column) => {
            // It is known by its column.
            let to = said.renames.column(said.table, column);
            new.id.part.clone_from(&to);
            new.attributes.insert("column".to_owned(), Attribute::Text(to));
        }
        None if !said.ddl.is_mariadb() => {
            match numbered(&fact.id.part, "chk", said.table, said.renames) {
                Numbered::No => {}
                Numbered::As(name) => called(&mut new, name),
                Numbered::Unknown => return Following::Remade,
            }
        }
        None => {}
    }
    if said.follows(&mut new, "expression") { Following::Follows(new) } else { Following::Remade }
}

fn called(fact: &mut Fact, name: String) {
    fact.id.part.clone_from(&name);
    fact.attributes.insert("name".to_owned(), Attribute::Text(name));
}

/// What becomes of a name within a table that gets another one.
enum Numbered {
    /// It stays.
    No,
    /// It was made of the table's, and is made of the new one.
    As(String),
    /// It looks as if.
    Unknown,
}

fn numbered(name: &str, word: &str, table: &ObjectName, renames: &Renames) -> Numbered {
    let (old, new) = (&table.name, renames.object(table).name);
    if !renames.has_table(table) {
        return Numbered::No;
    }
    let begins = format!("{old}_{word}_");
    let number = match name.get(..begins.len()).zip(name.get(begins.len()..)) {
        Some((front, number)) if front.to_lowercase() == begins.to_lowercase() => number,
        _ => return Numbered::No,
    };
    // The servers look at names as they keep them, which is not as people write all of them.
    let is_plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    match is_number && name.starts_with(&begins) && is_plain(old) && is_plain(&new) {
        true => Numbered::As(format!("{new}_{word}_{number}")),
        false => Numbered::Unknown,
    }
}

fn foreign_key(fact: &Fact, mut new: Fact, renames: &Renames) -> Following {
    let table = &fact.id.object;
    match numbered(&fact.id.part, "ibfk", table, renames) {
        Numbered::No => {}
        Numbered::As(name) => called(&mut new, name),
        Numbered::Unknown => return Following::Remade,
    }
    new.id.object = renames.object(table);
    renames.list(&mut new, "columns", table, |_| true);
    if text(fact, "schema").is_none()
        && let Some(parent) = text(fact, "table").map(ObjectName::bare)
    {
        renames.list(&mut new, "referenced-columns", &parent, |_| true);
        let name = renames.object(&parent).name;
        new.attributes.insert("table".to_owned(), Attribute::Text(name));
    }
    Following::Follows(new)
}

/// A trigger stays with its table. One whose body may name what gets another name does not.
fn trigger(fact: &Fact, mut new: Fact, renames: &Renames) -> Following {
    let Some(table) = fact.table().filter(|table| renames.touches(table)) else {
        return Following::Follows(new);
    };
    let body = text(fact, "body").unwrap_or_default().to_lowercase();
    let has = |name: &str| body.contains(&name.to_lowercase());
    if renames.has_table(&table) && has(&table.name)
        || renames.columns_of(&table).any(|(column, _)| has(column))
    {
        return Following::Remade;
    }
    let name = renames.object(&table).name;
    new.attributes.insert("table".to_owned(), Attribute::Text(name));
    Following::Follows(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renames() -> Renames {
        let mut renames = Renames::none();
        let table = ObjectName::bare("t");
        let column = Some("old".to_owned());
        renames.add(&Rename { table: table.clone(), column, to: "New".to_owned() });
        renames.add(&Rename { table, column: None, to: "u".to_owned() });
        renames
    }

    #[test]
    fn texts_are_compared_up_to_names() {
        let (renames, wanted, table) = (renames(), Schema::default(), ObjectName::bare("t"));
        let ddl = MysqlDdl::MariaDb;
        let said = Said { ddl, table: &table, renames: &renames, wanted: &wanted };
        assert!(said.is_same("`old` > 0", "`New` > 0"));
        assert!(said.is_same("`old` > 'old'", "`New` > 'old'"));
        assert!(!said.is_same("`old` > 'old'", "`New` > 'New'"));
        assert!(!said.is_same("`old` > 0", "`New` > 1"));
        assert!(!said.is_same("`old` > 0", "`old` > 0"));
        assert!(!said.is_same("`older` > 0", "`New` > 0"));
    }

    #[test]
    fn names_made_of_the_tables_become_others() {
        let (renames, table) = (renames(), ObjectName::bare("t"));
        let become_ = |name: &str| match numbered(name, "ibfk", &table, &renames) {
            Numbered::No => name.to_owned(),
            Numbered::As(name) => name,
            Numbered::Unknown => "?".to_owned(),
        };
        assert_eq!(become_("t_ibfk_12"), "u_ibfk_12");
        assert_eq!(become_("t_ibfk_1a"), "?");
        assert_eq!(become_("T_ibfk_1"), "?");
        assert_eq!(become_("t_fk"), "t_fk");
    }
}
