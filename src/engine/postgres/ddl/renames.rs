//! What ALTER TABLE … RENAME makes of a schema.
//!
//! The server keeps constraints, indexes and generated columns as trees, so they follow; what it
//! prints of them afterwards is believed only where the wanted schema prints the same, the names
//! aside. Everything that names tables in a text that would be printed otherwise than anybody wrote
//! it (views, rules, policies, triggers) is dropped before and made again.

use super::spelling::{mentions, qualified, quoted, quoted_end};
use super::structure::has_children;
use super::{foreign, programs, sequences};
use crate::engine::ddl::{Following, Rename, Renames, Schema, StepHazard, flag, list, text};
use crate::model::{Attribute, Fact, FactId, ObjectKind, ObjectName};

/// The statement.
pub(super) fn statement(rename: &Rename) -> String {
    let (table, to) = (qualified(&rename.table), quoted(&rename.to));
    match &rename.column {
        Some(column) => format!("ALTER TABLE {table} RENAME COLUMN {} TO {to}", quoted(column)),
        None => format!("ALTER TABLE {table} RENAME TO {to}"),
    }
}

/// What a reviewer has to know of it.
pub(super) fn hazards(rename: &Rename) -> Vec<StepHazard> {
    let table = rename.table.to_string();
    vec![StepHazard::Lock { mode: "ACCESS EXCLUSIVE", table }]
}

/// What becomes of a fact.
pub(super) fn follows(
    fact: &Fact,
    renames: &Renames,
    schema: &Schema<'_>,
    wanted: &Schema<'_>,
) -> Following {
    let touched = |table: &ObjectName| renames.touches(table);
    let own = fact.id.object.clone();
    let depends = fact.depends_on.iter().any(touched);
    let mut new = fact.clone();
    renames.dependencies(&mut new);
    match fact.id.kind {
        ObjectKind::Table if touched(&own) => {
            let is_shared = !list(fact, "inherits").is_empty()
                || has_children(&own, schema)
                || schema.parts(ObjectKind::Partition, &own).next().is_some()
                || text(fact, "of-type").is_some();
            if is_shared {
                let reason = "it shares its columns with other tables (partitions, inheritance, a \
                              type), which follow in ways that are not told here";
                return Following::Refused(reason.to_owned());
            }
            new.id.object = renames.object(&own);
            Following::Follows(new)
        }
        ObjectKind::Column => column(fact, new, renames, wanted),
        ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::ForeignKey => {
            Following::Follows(key(fact, new, renames))
        }
        ObjectKind::Check | ObjectKind::Exclusion if touched(&own) => {
            new.id.object = renames.object(&own);
            let attribute = match fact.id.kind {
                ObjectKind::Check => "expression",
                _ => "definition",
            };
            said_as_wanted(new, attribute, &own, renames, wanted)
        }
        ObjectKind::Index => match fact.table() {
            Some(table) if touched(&table) => index(fact, new, &table, renames, wanted),
            _ => Following::Follows(new),
        },
        ObjectKind::Statistics if fact.table().is_some_and(|table| touched(&table)) || depends => {
            Following::Remade
        }
        ObjectKind::Sequence => sequence(fact, new, renames, wanted),
        ObjectKind::View | ObjectKind::MaterializedView | ObjectKind::Routine if depends => {
            Following::Remade
        }
        ObjectKind::Rule | ObjectKind::Policy if touched(&own) || depends => Following::Remade,
        ObjectKind::Trigger => {
            let table = programs::table_of(fact);
            let definition = text(fact, "definition").unwrap_or_default();
            let is_named = renames.has_table(&table)
                || fact.depends_on.iter().any(|other| *other != table && touched(other))
                || renames.columns_of(&table).any(|(column, _)| mentions(definition, column));
            if is_named { Following::Remade } else { Following::Follows(new) }
        }
        ObjectKind::Owner | ObjectKind::Grant | ObjectKind::Comment if touched(&own) => {
            Following::Follows(words(fact, new, renames))
        }
        ObjectKind::Publication
            if foreign::published_table(fact).is_some_and(|table| touched(&table)) =>
        {
            Following::Remade
        }
        ObjectKind::Table | ObjectKind::Type | ObjectKind::Domain | ObjectKind::Partition
            if depends =>
        {
            Following::Refused("it is made of the rows of what gets another name".to_owned())
        }
        _ => Following::Follows(new),
    }
}

fn column(fact: &Fact, mut new: Fact, renames: &Renames, wanted: &Schema<'_>) -> Following {
    let table = &fact.id.object;
    if fact.depends_on.iter().any(|other| renames.touches(other) && other != table) {
        let reason = "it holds rows of a table that gets another name";
        return Following::Refused(reason.to_owned());
    }
    if !renames.touches(table) {
        return Following::Follows(new);
    }
    new.id.object = renames.object(table);
    new.id.part = renames.column(table, &fact.id.part);
    if flag(fact, "not-null") && names_not_null(renames.server()) {
        let Some(name) = not_null_name(fact) else {
            let reason = "the name of its NOT NULL constraint is not known";
            return Following::Refused(reason.to_owned());
        };
        let (table, column) = (&new.id.object.name, &new.id.part);
        let is_long = table.len() + column.len() > LONGEST_OWN;
        let is_own = name == format!("{table}_{column}_not_null")
            || (is_long
                && name.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with("_not_null"));
        match is_own {
            true => new.attributes.remove("not-null-name"),
            false => new.attributes.insert("not-null-name".to_owned(), Attribute::Text(name)),
        };
    }
    match text(fact, "generated") {
        Some(_) => said_as_wanted(new, "generated", table, renames, wanted),
        None => Following::Follows(new),
    }
}

/// The longest names of a table and a column together of which the server makes a name that tells
/// them.
const LONGEST_OWN: usize = 51;

/// Whether NOT NULL constraints of tables have names, which stay when others change: from 18 on.
fn names_not_null(server: &str) -> bool {
    let digits = server.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty());
    digits.and_then(|digits| digits.parse::<u32>().ok()).is_some_and(|version| version >= 18)
}

/// The name of a column's NOT NULL constraint, where it can be told.
fn not_null_name(column: &Fact) -> Option<String> {
    let (table, name) = (&column.id.object.name, &column.id.part);
    match text(column, "not-null-name") {
        Some(name) => Some(name.to_owned()),
        None if table.len() + name.len() > LONGEST_OWN => None,
        None => Some(format!("{table}_{name}_not_null")),
    }
}

fn key(fact: &Fact, mut new: Fact, renames: &Renames) -> Fact {
    let table = &fact.id.object;
    new.id.object = renames.object(table);
    for attribute in ["columns", "include", "on-delete-columns"] {
        renames.list(&mut new, attribute, table, |_| true);
    }
    if let Some(parent) = super::constraints::referenced(fact) {
        renames.list(&mut new, "referenced-columns", &parent, |_| true);
        let name = renames.object(&parent).name;
        new.attributes.insert("table".to_owned(), Attribute::Text(name));
    }
    new
}

fn index(
    fact: &Fact,
    mut new: Fact,
    table: &ObjectName,
    renames: &Renames,
    wanted: &Schema<'_>,
) -> Following {
    let name = renames.object(table).name;
    new.attributes.insert("table".to_owned(), Attribute::Text(name));
    renames.list(&mut new, "include", table, |_| true);
    let terms = list(fact, "terms").to_vec();
    let is_expression = |place: usize| terms.get(place).is_some_and(|term| term == "expression");
    renames.list(&mut new, "columns", table, |place| !is_expression(place));
    let shall = wanted.get(&new.id);
    for (place, expression) in list(fact, "columns").iter().enumerate() {
        if !is_expression(place) || !is_spoken(expression, table, renames) {
            continue;
        }
        let Some(said) = shall.and_then(|shall| list(shall, "columns").get(place)) else {
            return Following::Remade;
        };
        match (is_same(expression, said, table, renames), new.attributes.get_mut("columns")) {
            (true, Some(Attribute::List(columns))) => columns[place].clone_from(said),
            _ => return Following::Remade,
        }
    }
    said_as_wanted(new, "where", table, renames, wanted)
}

fn sequence(fact: &Fact, mut new: Fact, renames: &Renames, wanted: &Schema<'_>) -> Following {
    let Some(owner) = sequences::owner(fact).filter(|owner| renames.touches(&owner.object)) else {
        return Following::Follows(new);
    };
    let id = FactId {
        kind: owner.kind,
        object: renames.object(&owner.object),
        part: renames.column(&owner.object, &owner.part),
    };
    let shall = wanted.get(&fact.id).filter(|shall| sequences::owner(shall).as_ref() == Some(&id));
    let written = match shall.and_then(|shall| text(shall, "owned-by")) {
        Some(text) => text.to_owned(),
        None => {
            let ObjectName { schema, name } = &id.object;
            [schema, name, &id.part].map(|part| as_needed(part)).join(".")
        }
    };
    new.attributes.insert("owned-by".to_owned(), Attribute::Text(written));
    Following::Follows(new)
}

/// A name as the server prints it, keywords aside.
fn as_needed(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if begins && name.chars().all(is_plain) { name.to_owned() } else { quoted(name) }
}

/// Owners, privileges and comments say what of a table they are about.
fn words(fact: &Fact, mut new: Fact, renames: &Renames) -> Fact {
    const OF_TABLES: [&str; 5] = ["column ", "constraint ", "trigger ", "rule ", "policy "];
    let (table, part) = (&fact.id.object, &fact.id.part);
    let is_of_table = part == "table"
        || part.starts_with("table TO ")
        || OF_TABLES.iter().any(|words| part.starts_with(words));
    if !is_of_table {
        return new;
    }
    new.id.object = renames.object(table);
    for (column, to) in renames.columns_of(table) {
        let words = format!("column {column}");
        match part.strip_prefix(&words) {
            Some(rest) if rest.is_empty() || rest.starts_with(" TO ") => {
                new.id.part = format!("column {to}{rest}");
            }
            _ => {}
        }
    }
    new
}

/// Whether an expression names a column that gets another name.
fn is_spoken(expression: &str, table: &ObjectName, renames: &Renames) -> bool {
    renames.has_table(table) && mentions(expression, &table.name)
        || renames.columns_of(table).any(|(column, _)| mentions(expression, column))
}

/// A fact with a text that follows as the wanted schema has it, where nothing but names differs.
fn said_as_wanted(
    mut new: Fact,
    attribute: &str,
    table: &ObjectName,
    renames: &Renames,
    wanted: &Schema<'_>,
) -> Following {
    let Some(is) = text(&new, attribute) else { return Following::Follows(new) };
    if !is_spoken(is, table, renames) {
        return Following::Follows(new);
    }
    let shall = wanted.get(&new.id).and_then(|shall| text(shall, attribute));
    match shall.filter(|shall| is_same(is, shall, table, renames)) {
        Some(shall) => {
            let shall = Attribute::Text(shall.to_owned());
            new.attributes.insert(attribute.to_owned(), shall);
            Following::Follows(new)
        }
        None => Following::Remade,
    }
}

/// Whether two expressions are the same but for names that change.
fn is_same(before: &str, after: &str, table: &ObjectName, renames: &Renames) -> bool {
    let (before, after) = (pieces(before), pieces(after));
    let is_piece = |(before, after): (&&str, &&str)| {
        before == after
            || renames
                .columns_of(table)
                .any(|(old, new)| is_name(before, old) && is_name(after, new))
    };
    before.len() == after.len() && before.iter().zip(&after).all(is_piece)
}

fn is_name(piece: &str, name: &str) -> bool {
    piece == name || piece == quoted(name)
}

/// A text of the server in pieces: words, names in quotes, strings, and each other character.
fn pieces(sql: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let (mut pieces, mut at) = (Vec::new(), 0);
    while let Some(first) = sql[at..].chars().next() {
        let word = || sql[at..].find(|c| !is_part(c)).map_or(sql.len(), |len| at + len);
        let end = match quoted_end(sql, at) {
            Some(end) => end,
            None if first.is_alphanumeric() || first == '_' => word(),
            None => at + first.len_utf8(),
        };
        pieces.push(&sql[at..end]);
        at = end;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_compared_up_to_names() {
        let table = ObjectName { schema: "public".into(), name: "t".into() };
        let mut renames = Renames::none();
        let column = Some("old".to_owned());
        renames.add(&Rename { table: table.clone(), column, to: "New".to_owned() });
        let same = |a: &str, b: &str| is_same(a, b, &table, &renames);
        assert!(same("(old > 0)", "(\"New\" > 0)"));
        assert!(same("(old > 'old'::text)", "(\"New\" > 'old'::text)"));
        assert!(!same("(old > 'old'::text)", "(\"New\" > 'New'::text)"));
        assert!(!same("(old > 0)", "(\"New\" > 1)"));
        assert!(!same("(older > 0)", "(\"New\" > 0)"));
    }
}
