//! Columns: how they are defined, added, altered and dropped.
//!
//! A column that is added to a table with rows gives them its default only where that is a constant
//! by the rule of [`super::super::defaults`], because rows are planned with that; every other
//! default is set after the column is there. A type is changed by the assignment cast where there
//! is one, which refuses what does not fit, and else by an explicit cast.

use super::casts::{Conversion, conversion};
use super::spelling::{mentions, option_changes, parsed, qualified, quoted};
use super::words::relation;
use super::{sequences, types};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, list, number, text};
use crate::engine::postgres::declared::unmodified;
use crate::engine::postgres::defaults::is_constant;
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// Built-in types whose constants are known without the server.
const KNOWN_CONSTANTS: [&str; 21] = [
    "boolean",
    "bytea",
    "\"char\"",
    "name",
    "text",
    "character varying",
    "pg_catalog.bpchar",
    "bigint",
    "smallint",
    "integer",
    "oid",
    "json",
    "real",
    "double precision",
    "date",
    "interval",
    "numeric",
    "uuid",
    "jsonb",
    "timestamp without time zone",
    "timestamp with time zone",
];

/// Whether rows that are there already get the default of a column when it is added.
pub(super) fn fills_rows(column: &Fact, schema: &Schema<'_>) -> bool {
    let (Some(default), Some(declared)) = (text(column, "default"), text(column, "type")) else {
        return false;
    };
    let base = unmodified(declared);
    let is_enum = parsed(&base)
        .and_then(|name| schema.object(ObjectKind::Type, &name))
        .is_some_and(|fact| text(fact, "kind") == Some("ENUM"));
    let is_known = KNOWN_CONSTANTS.contains(&base.as_str())
        || base == "time without time zone"
        || base == "time with time zone";
    (is_known || is_enum) && is_constant(default)
}

/// Whether a column's relation is a view.
pub(super) fn is_of_view(column: &Fact, schema: &Schema<'_>) -> bool {
    relation(&column.id.object, schema)
        .is_some_and(|fact| matches!(fact.id.kind, ObjectKind::View | ObjectKind::MaterializedView))
}

/// Whether a column has a constraint for its NOT NULL that has to be named or marked.
fn has_own_not_null(column: &Fact) -> bool {
    text(column, "not-null-name").is_some() || flag(column, "not-null-no-inherit")
}

/// A column as CREATE TABLE and ADD COLUMN take it.
pub(super) fn definition(
    column: &Fact,
    with_default: bool,
    schema: &Schema<'_>,
) -> Result<String, String> {
    let declared =
        text(column, "type").ok_or_else(|| format!("the column {} has no type", column.id))?;
    let of_type = relation(&column.id.object, schema).and_then(|table| text(table, "of-type"));
    let mut words = vec![quoted(&column.id.part)];
    match of_type {
        Some(_) => words.push("WITH OPTIONS".to_owned()),
        None => words.push(declared.to_owned()),
    }
    let foreign = list(column, "foreign-options");
    if !foreign.is_empty() {
        words.push(super::foreign::options(foreign, &column.id)?);
    }
    if let Some(collation) = text(column, "collation").filter(|_| of_type.is_none()) {
        words.push(format!("COLLATE {collation}"));
    }
    if let Some(default) = text(column, "default").filter(|_| with_default) {
        words.push(format!("DEFAULT {default}"));
    }
    if let Some(expression) = text(column, "generated") {
        let kind = if flag(column, "stored") { "STORED" } else { "VIRTUAL" };
        words.push(format!("GENERATED ALWAYS AS ({expression}) {kind}"));
    }
    if let Some(identity) = text(column, "identity") {
        words
            .push(format!("GENERATED {identity} AS IDENTITY{}", identity_options(column, schema)?));
    }
    if flag(column, "not-null") && !flag(column, "not-null-not-valid") {
        if has_own_not_null(column) {
            words.push(format!("CONSTRAINT {}", quoted(&not_null_name(column))));
        }
        words.push("NOT NULL".to_owned());
        if flag(column, "not-null-no-inherit") {
            words.push("NO INHERIT".to_owned());
        }
    }
    let has_nothing = of_type.is_some() && words.len() == 2;
    Ok(if has_nothing { String::new() } else { words.join(" ") })
}

fn not_null_name(column: &Fact) -> String {
    match text(column, "not-null-name") {
        Some(name) => name.to_owned(),
        None => format!("{}_{}_not_null", column.id.object.name, column.id.part),
    }
}

fn identity_options(column: &Fact, schema: &Schema<'_>) -> Result<String, String> {
    let sequence = sequences::of_identity(column, schema)
        .ok_or_else(|| format!("the sequence of the identity column {} is not known", column.id))?;
    let mut options = Vec::new();
    let ObjectName { schema: space, name } = &column.id.object;
    let usual = format!("{name}_{}_seq", column.id.part);
    let is_usual =
        sequence.id.object.schema == *space && sequence.id.object.name == usual && usual.len() < 64;
    if !is_usual {
        options.push(format!("SEQUENCE NAME {}", qualified(&sequence.id.object)));
    }
    options.extend(sequences::options(sequence));
    Ok(match options.is_empty() {
        true => String::new(),
        false => format!(" ({})", options.join(" ")),
    })
}

/// `ALTER COLUMN c …`
fn altered(column: &Fact, clause: &str) -> String {
    format!("ALTER COLUMN {} {clause}", quoted(&column.id.part))
}

/// What a column has beside its definition, as clauses of ALTER TABLE; the base is a column that
/// has nothing of it, or what it was before.
pub(super) fn extras(before: Option<&Fact>, column: &Fact, schema: &Schema<'_>) -> Vec<String> {
    let mut clauses = Vec::new();
    let differs = |name: &str| {
        before.and_then(|before| before.attributes.get(name)) != column.attributes.get(name)
    };
    if differs("storage") {
        let usual = || text(column, "type").map(|kind| types::usual_storage(kind, schema));
        let storage = text(column, "storage").or_else(usual).unwrap_or("DEFAULT");
        clauses.push(altered(column, &format!("SET STORAGE {storage}")));
    }
    if differs("compression") {
        let compression = text(column, "compression").unwrap_or("default");
        clauses.push(altered(column, &format!("SET COMPRESSION {compression}")));
    }
    if differs("statistics") {
        let target = number(column, "statistics").unwrap_or(-1);
        clauses.push(altered(column, &format!("SET STATISTICS {target}")));
    }
    if differs("options") {
        let old = before.map_or(&[][..], |before| list(before, "options"));
        let (set, reset) = option_changes(old, list(column, "options"));
        if !set.is_empty() {
            clauses.push(altered(column, &format!("SET ({set})")));
        }
        if !reset.is_empty() {
            clauses.push(altered(column, &format!("RESET ({reset})")));
        }
    }
    if flag(column, "not-null-not-valid") && before.is_none() {
        clauses.push(not_null(column));
    }
    clauses
}

/// The clause for the default of a column that came with the parents', where it has another.
pub(super) fn own_default(column: &Fact, schema: &Schema<'_>) -> Option<String> {
    let default = text(column, "default");
    let parents = super::structure::parents(&column.id.object, schema);
    let of_parents = parents
        .iter()
        .filter_map(|parent| schema.part(ObjectKind::Column, parent, &column.id.part));
    let mut differing = of_parents.filter(|parent| text(parent, "default") != default);
    differing.next().map(|_| set_default(column))
}

/// The clause for a default, or for none.
fn set_default(column: &Fact) -> String {
    let words = match text(column, "default") {
        Some(default) => format!("SET DEFAULT {default}"),
        None => "DROP DEFAULT".to_owned(),
    };
    altered(column, &words)
}

/// The clause that makes a column NOT NULL.
fn not_null(column: &Fact) -> String {
    let is_marked = flag(column, "not-null-not-valid");
    if !has_own_not_null(column) && !is_marked {
        return altered(column, "SET NOT NULL");
    }
    let mut clause = format!(
        "ADD CONSTRAINT {} NOT NULL {}",
        quoted(&not_null_name(column)),
        quoted(&column.id.part)
    );
    if flag(column, "not-null-no-inherit") {
        clause.push_str(" NO INHERIT");
    }
    if is_marked {
        clause.push_str(" NOT VALID");
    }
    clause
}

/// The statements for clauses that go to the table alone, not to those that inherit from it.
fn only(table: &ObjectName, clauses: Vec<String>, schema: &Schema<'_>) -> Vec<Statement> {
    let has_children = super::structure::has_children(table, schema);
    clauses
        .into_iter()
        .map(|clause| match has_children {
            true => Statement::whole(format!("ALTER TABLE ONLY {} {clause}", qualified(table))),
            false => Statement::clause(table, clause),
        })
        .collect()
}

/// Adds a column to a relation that is there.
pub(super) fn create(column: &Fact, to: &Schema<'_>) -> Result<Vec<Statement>, String> {
    let table = &column.id.object;
    if is_of_view(column, to) {
        let empty = bare(column);
        return Ok(of_view(&empty, column, to));
    }
    if flag(column, "inherited") {
        // It came with the parent's; what it has of its own beside that is set.
        let clauses = own_default(column, to).into_iter().chain(extras(None, column, to));
        return Ok(only(table, clauses.collect(), to));
    }
    let fills = fills_rows(column, to);
    let definition = definition(column, fills, to)?;
    let mut statements = vec![Statement::clause(table, format!("ADD COLUMN {definition}"))];
    if let Some(default) = text(column, "default").filter(|_| !fills) {
        let clause = altered(column, &format!("SET DEFAULT {default}"));
        statements.extend(only(table, vec![clause], to));
    }
    statements.extend(only(table, extras(None, column, to), to));
    Ok(statements)
}

fn bare(column: &Fact) -> Fact {
    Fact { attributes: std::collections::BTreeMap::new(), ..column.clone() }
}

/// Drops a column of a relation that stays.
pub(super) fn drop(column: &Fact, from: &Schema<'_>) -> Vec<Statement> {
    if is_of_view(column, from) {
        return of_view(column, &bare(column), from);
    }
    if flag(column, "inherited") {
        return Vec::new();
    }
    let clause = format!("DROP COLUMN {}", quoted(&column.id.part));
    vec![Statement::clause(&column.id.object, clause)]
}

/// What a column of a view may have: a default and options, of a materialised one storage too.
fn of_view(before: &Fact, after: &Fact, schema: &Schema<'_>) -> Vec<Statement> {
    let is_materialized = schema.object(ObjectKind::MaterializedView, &after.id.object).is_some();
    let kind = if is_materialized { "MATERIALIZED VIEW" } else { "VIEW" };
    let mut clauses = Vec::new();
    if text(before, "default") != text(after, "default") {
        clauses.push(set_default(after));
    }
    clauses.extend(extras(Some(before), after, schema));
    let view = qualified(&after.id.object);
    let statement = |clause| Statement::whole(format!("ALTER {kind} {view} {clause}"));
    clauses.into_iter().map(statement).collect()
}

/// Whether a type, a collation or what a column is computed from differs: what reads the column
/// notices.
pub(super) fn is_retyped(before: &Fact, after: &Fact) -> bool {
    ["type", "collation", "generated", "stored"]
        .iter()
        .any(|name| before.attributes.get(*name) != after.attributes.get(*name))
}

/// How a column becomes another.
pub(super) fn alter(before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Alteration {
    if is_of_view(after, to) {
        return Alteration::InPlace(of_view(before, after, to));
    }
    let is_inherited = flag(before, "inherited") && flag(after, "inherited");
    let is_recomputed = ["generated", "stored"]
        .iter()
        .any(|name| before.attributes.get(*name) != after.attributes.get(*name));
    if is_recomputed {
        return match is_inherited {
            true => Alteration::InPlace(Vec::new()),
            false => Alteration::Remade,
        };
    }
    if before.attributes.get("foreign-options") != after.attributes.get("foreign-options") {
        return match super::foreign::option_changes(before, after, "foreign-options") {
            Ok(changes) => {
                let clause = altered(after, &changes);
                Alteration::InPlace(vec![Statement::clause(&after.id.object, clause)])
            }
            Err(why) => Alteration::Refused(why),
        };
    }
    let is_retyped = is_retyped(before, after) && !is_inherited;
    if is_retyped && super::structure::is_in_partition_key(after, from) {
        return Alteration::Refused(format!(
            "the column {} is in the key by which its table is partitioned",
            after.id
        ));
    }
    match changes(before, after, is_retyped, from, to) {
        Ok(statements) => Alteration::InPlace(statements),
        Err(otherwise) => otherwise,
    }
}

fn changes(
    before: &Fact,
    after: &Fact,
    is_retyped: bool,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> Result<Vec<Statement>, Alteration> {
    let table = &after.id.object;
    let is_extension_moved = is_retyped && is_moved_with_extension(before, after, from, to);
    let is_retyped = is_retyped && !is_extension_moved;
    let default = (text(before, "default"), text(after, "default"));
    let mut own = Vec::new();
    if default.0.is_some() && (default.1.is_none() || is_retyped) {
        own.push(altered(after, "DROP DEFAULT"));
    }
    let mut statements = only(table, own, to);
    let clause = |clause: String| Statement::clause(table, clause);
    let identity = (text(before, "identity"), text(after, "identity"));
    if identity.0.is_some() && identity.1.is_none() {
        statements.push(clause(altered(after, "DROP IDENTITY")));
    }
    let (lost, gained) = not_null_changes(before, after, from, to);
    statements.extend(lost.into_iter().map(clause));
    if is_retyped {
        statements.push(clause(altered(after, &retyping(before, after, from, to)?)));
    }
    statements.extend(gained.into_iter().map(clause));
    match identity {
        (None, Some(kind)) => {
            let options = identity_options(after, to).map_err(Alteration::Refused)?;
            let words = format!("ADD GENERATED {kind} AS IDENTITY{options}");
            statements.push(clause(altered(after, &words)));
        }
        (Some(old), Some(new)) if old != new => {
            statements.push(clause(altered(after, &format!("SET GENERATED {new}"))));
        }
        _ => {}
    }
    let mut own = Vec::new();
    if let Some(new) = default.1
        && (is_retyped || (default.0 != default.1 && !is_extension_moved))
    {
        own.push(altered(after, &format!("SET DEFAULT {new}")));
    }
    let mut before = before.clone();
    if is_retyped {
        // The new type's own are there.
        before.attributes.remove("storage");
        before.attributes.remove("compression");
    }
    own.extend(extras(Some(&before), after, to));
    statements.extend(only(table, own, to));
    Ok(statements)
}

/// The clauses that take a NOT NULL away, and those that give one.
fn not_null_changes(
    before: &Fact,
    after: &Fact,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> (Vec<String>, Vec<String>) {
    let names = ["not-null", "not-null-name", "not-null-not-valid", "not-null-no-inherit"];
    let differs = |name: &str| before.attributes.get(name) != after.attributes.get(name);
    if !names.iter().any(|name| differs(name)) || follows_parent(before, after, from, to) {
        return (Vec::new(), Vec::new());
    }
    match (flag(before, "not-null"), flag(after, "not-null")) {
        (true, false) => (vec![altered(after, "DROP NOT NULL")], Vec::new()),
        (false, true) => (Vec::new(), vec![not_null(after)]),
        _ => {
            let count = names.iter().filter(|name| differs(name)).count();
            let only_validity = count == 1 && differs("not-null-not-valid");
            if only_validity && !flag(after, "not-null-not-valid") {
                let clause = format!("VALIDATE CONSTRAINT {}", quoted(&not_null_name(after)));
                return (Vec::new(), vec![clause]);
            }
            if count == 1 && differs("not-null-name") {
                let (old, new) = (not_null_name(before), not_null_name(after));
                let clause = format!("RENAME CONSTRAINT {} TO {}", quoted(&old), quoted(&new));
                return (vec![clause], Vec::new());
            }
            (vec![altered(after, "DROP NOT NULL")], vec![not_null(after)])
        }
    }
}

/// Whether the parent's column has the same change of its NOT NULL, which goes to its children.
fn follows_parent(before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> bool {
    let has = |fact: &Fact, schema: &Schema<'_>| {
        super::structure::parents(&fact.id.object, schema).iter().any(|parent| {
            schema
                .part(ObjectKind::Column, parent, &fact.id.part)
                .is_some_and(|column| flag(column, "not-null") == flag(fact, "not-null"))
        })
    };
    flag(after, "inherited") && has(before, from) && has(after, to)
}

fn retyping(
    before: &Fact,
    after: &Fact,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> Result<String, Alteration> {
    let (Some(old), Some(new)) = (text(before, "type"), text(after, "type")) else {
        return Err(Alteration::Refused(format!("the column {} has no type", after.id)));
    };
    let mut words = format!("TYPE {new}");
    // Without the word it has the new type's.
    if let Some(collation) = text(after, "collation") {
        words.push_str(&format!(" COLLATE {collation}"));
    }
    match conversion(old, new, from, to) {
        Conversion::Assignment => {}
        // The length of the type is left to the assignment: a cast would cut what is longer.
        Conversion::Explicit => {
            words.push_str(&format!(" USING {}::{}", quoted(&after.id.part), unmodified(new)));
        }
        Conversion::Text => {
            let column = quoted(&after.id.part);
            words.push_str(&format!(" USING {column}::text::{}", unmodified(new)));
        }
        Conversion::None => return Err(Alteration::Remade),
    }
    Ok(words)
}

/// Whether the type has another name because the extension that it is of goes to another schema.
fn is_moved_with_extension(
    before: &Fact,
    after: &Fact,
    from: &Schema<'_>,
    to: &Schema<'_>,
) -> bool {
    let (Some(old), Some(new)) = (text(before, "type"), text(after, "type")) else { return false };
    let name = |sql: &str| parsed(unmodified(sql).trim_end_matches("[]"));
    let (Some(old), Some(new)) = (name(old), name(new)) else { return false };
    old.name == new.name
        && to.of_kind(ObjectKind::Extension).any(|extension| {
            let earlier = from.get(&extension.id);
            text(extension, "schema") == Some(&new.schema)
                && earlier.and_then(|earlier| text(earlier, "schema")) == Some(&old.schema)
        })
}

/// The columns of a relation that a piece of SQL may mention.
pub(super) fn mentioned(sql: &str, table: &ObjectName, schema: &Schema<'_>) -> Vec<FactId> {
    schema
        .parts(ObjectKind::Column, table)
        .filter(|column| mentions(sql, &column.id.part))
        .map(|column| column.id.clone())
        .collect()
}
