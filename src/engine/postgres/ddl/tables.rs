//! Tables, partitions and what tables inherit.
//!
//! A partition is made as a table of its own, with whatever it has, and attached: what the
//! partitioned table has as well is then taken for the same, and nothing gets a name that the server
//! makes up. A table that inherits is made with its parents, because a column that came by
//! inheritance alone cannot be made otherwise.

use super::spelling::{option_changes, options, parsed, qualified, quoted};
use super::{columns, constraints};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, list, text};
use crate::model::{Fact, ObjectKind, ObjectName};

/// Makes a table with what is inline in it.
pub(super) fn create(
    table: &Fact,
    inline: &[&Fact],
    to: &Schema<'_>,
) -> Result<Vec<Statement>, String> {
    let name = &table.id.object;
    let kind = if flag(table, "unlogged") { "UNLOGGED TABLE" } else { "TABLE" };
    let mut sql = format!("CREATE {kind} {}", qualified(name));
    if let Some(of) = text(table, "of-type") {
        sql.push_str(&format!(" OF {of}"));
    }
    let items = items(table, inline, to)?;
    match (items.is_empty(), text(table, "of-type")) {
        (true, Some(_)) => {}
        (true, None) => sql.push_str(" ()"),
        _ => sql.push_str(&format!(" (\n    {}\n)", items.join(",\n    "))),
    }
    let parents = list(table, "inherits");
    if !parents.is_empty() {
        sql.push_str(&format!(" INHERITS ({})", parents.join(", ")));
    }
    if let Some(key) = to.object(ObjectKind::Partition, name).and_then(|fact| text(fact, "key")) {
        sql.push_str(&format!(" PARTITION BY {key}"));
    }
    if let Some(method) = text(table, "access-method") {
        sql.push_str(&format!(" USING {}", quoted(method)));
    }
    if !list(table, "options").is_empty() {
        sql.push_str(&format!(" WITH ({})", options(list(table, "options"))));
    }
    if let Some(tablespace) = text(table, "tablespace") {
        sql.push_str(&format!(" TABLESPACE {}", quoted(tablespace)));
    }
    let mut statements = vec![Statement::whole(sql)];
    for fact in inline {
        let clauses = match fact.id.kind {
            ObjectKind::Column => {
                let own = comes_along(fact, table).then(|| columns::own_default(fact, to));
                own.flatten().into_iter().chain(columns::extras(None, fact, to)).collect()
            }
            ObjectKind::PrimaryKey | ObjectKind::Unique => {
                let key = constraints::name_of(fact);
                statements.extend(identification(name, key, to));
                constraints::clustering(fact)
            }
            _ => Vec::new(),
        };
        statements.extend(clauses.into_iter().map(|clause| Statement::clause(name, clause)));
    }
    let plain = Fact { attributes: std::collections::BTreeMap::new(), ..table.clone() };
    statements.extend(marks(&plain, table, &Schema::default(), to));
    Ok(statements)
}

/// Whether a part of a table comes from a parent, and is not told again.
fn comes_along(part: &Fact, table: &Fact) -> bool {
    flag(part, "inherited") && !list(table, "inherits").is_empty()
}

/// The lines between the parentheses: columns in their order, then constraints.
fn items(table: &Fact, inline: &[&Fact], to: &Schema<'_>) -> Result<Vec<String>, String> {
    let name = &table.id.object;
    let mut items = Vec::new();
    for column in to.columns(name) {
        if let Some(column) = inline.iter().find(|fact| fact.id == column.id)
            && !comes_along(column, table)
        {
            let definition = columns::definition(column, true, to)?;
            items.extend((!definition.is_empty()).then_some(definition));
        }
    }
    for fact in inline {
        let is_constraint =
            matches!(fact.id.kind, ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::Check);
        if is_constraint && fact.id.object == *name && !comes_along(fact, table) {
            items.push(constraints::definition(fact)?);
        }
    }
    Ok(items)
}

/// The clause by which rows of a table are identified by an index, where its fact says that they
/// are by this one.
pub(super) fn identification(
    table: &ObjectName,
    index: &str,
    schema: &Schema<'_>,
) -> Option<Statement> {
    let table = schema.object(ObjectKind::Table, table)?;
    (text(table, "replica-identity-index") == Some(index)).then(|| {
        let clause = format!("REPLICA IDENTITY USING INDEX {}", quoted(index));
        Statement::clause(&table.id.object, clause)
    })
}

/// How the rows of a table are identified. By an index that is not there yet they are when it is
/// made.
fn identity(before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Option<String> {
    let names = ["replica-identity", "replica-identity-index"];
    if names.iter().all(|name| before.attributes.get(*name) == after.attributes.get(*name)) {
        return None;
    }
    let Some(index) = text(after, "replica-identity-index") else {
        let kind = text(after, "replica-identity").unwrap_or("DEFAULT");
        return (kind != "INDEX").then(|| format!("REPLICA IDENTITY {kind}"));
    };
    let table = &after.id.object;
    let object = ObjectName { schema: table.schema.clone(), name: index.to_owned() };
    let find = |schema: &Schema<'_>| {
        let own = schema.object(ObjectKind::Index, &object).cloned();
        own.or_else(|| super::words::constraint_of_index(&object, schema).cloned())
    };
    let is_kept = find(from).is_some() && find(from) == find(to);
    is_kept.then(|| format!("REPLICA IDENTITY USING INDEX {}", quoted(index)))
}

/// What stands beside the definition of a table, as changes of another.
fn marks(before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Vec<Statement> {
    let table = &after.id.object;
    let mut clauses: Vec<String> = identity(before, after, from, to).into_iter().collect();
    let security = [
        ("row-security", "ENABLE ROW LEVEL SECURITY", "DISABLE ROW LEVEL SECURITY"),
        ("force-row-security", "FORCE ROW LEVEL SECURITY", "NO FORCE ROW LEVEL SECURITY"),
    ];
    for (name, on, off) in security {
        if flag(before, name) != flag(after, name) {
            clauses.push(if flag(after, name) { on } else { off }.to_owned());
        }
    }
    clauses.into_iter().map(|clause| Statement::clause(table, clause)).collect()
}

/// What a partition must satisfy to be dropped while its table stays.
const EMPTY: &str = "it holds no rows that the pack does not know";

/// Drops a table with what belongs to it. The rows of a partition are rows of its table; those that
/// are known have left it by then.
pub(super) fn drop(table: &Fact, from: &Schema<'_>) -> Vec<Statement> {
    let name = &table.id.object;
    let is_partition = from.part(ObjectKind::Partition, name, "bound").is_some();
    let name = qualified(name);
    let empty = is_partition.then(|| {
        let clause = format!("ADD CONSTRAINT {} CHECK (false)", quoted(EMPTY));
        Statement::whole(format!("ALTER TABLE {name} {clause}"))
    });
    empty.into_iter().chain([Statement::whole(format!("DROP TABLE {name}"))]).collect()
}

/// The partitioned tables of which a partition goes, or takes other rows.
pub(super) fn displaced(from: &Schema<'_>, to: &Schema<'_>) -> Vec<ObjectName> {
    let changes = |bound: &&Fact| {
        let after = to.get(&bound.id);
        bound.id.part == "bound" && after.is_none_or(|after| after.attributes != bound.attributes)
    };
    let root = |bound: &Fact| {
        let mut table = partitioned(bound)?;
        while let Some(bound) = from.part(ObjectKind::Partition, &table, "bound") {
            table = partitioned(bound)?;
        }
        Some(table)
    };
    from.of_kind(ObjectKind::Partition).filter(changes).filter_map(root).collect()
}

/// How a table becomes another.
pub(super) fn alter(before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Alteration {
    let table = &after.id.object;
    let mut clauses = Vec::new();
    if flag(before, "unlogged") != flag(after, "unlogged") {
        clauses
            .push(if flag(after, "unlogged") { "SET UNLOGGED" } else { "SET LOGGED" }.to_owned());
    }
    if text(before, "access-method") != text(after, "access-method") {
        let method = text(after, "access-method").unwrap_or("heap");
        clauses.push(format!("SET ACCESS METHOD {}", quoted(method)));
    }
    if text(before, "tablespace") != text(after, "tablespace") {
        let tablespace = text(after, "tablespace").unwrap_or("pg_default");
        clauses.push(format!("SET TABLESPACE {}", quoted(tablespace)));
    }
    let (set, reset) = option_changes(list(before, "options"), list(after, "options"));
    if !set.is_empty() {
        clauses.push(format!("SET ({set})"));
    }
    if !reset.is_empty() {
        clauses.push(format!("RESET ({reset})"));
    }
    if text(before, "of-type") != text(after, "of-type") {
        clauses.push(match text(after, "of-type") {
            Some(of) => format!("OF {of}"),
            None => "NOT OF".to_owned(),
        });
    }
    let inherits = (list(before, "inherits"), list(after, "inherits"));
    let gives_up = inherits.0.iter().any(|parent| !inherits.1.contains(parent));
    let loses = from.parts(ObjectKind::Column, table).find(|column| {
        (flag(column, "merged") || flag(column, "inherited")) && to.get(&column.id).is_none()
    });
    if let Some(column) = loses.filter(|_| gives_up) {
        return Alteration::Refused(format!(
            "the table {table} would give up a parent and the column `{}` that it has from it",
            column.id.part
        ));
    }
    clauses.extend(inheritance(inherits.0, inherits.1));
    let mut statements: Vec<Statement> =
        clauses.into_iter().map(|clause| Statement::clause(table, clause)).collect();
    statements.extend(marks(before, after, from, to));
    Alteration::InPlace(statements)
}

/// Parents are in an order: new ones come last, so what does not go at the end is given up and
/// taken again. Others are taken before any is given up: a column that both have stays inherited, and
/// one that no parent has for a moment would be the table's own for good.
fn inheritance(before: &[String], after: &[String]) -> Vec<String> {
    let kept = before.iter().zip(after).take_while(|(old, new)| old == new).count();
    let given_up = before[kept..].iter().map(|parent| format!("NO INHERIT {parent}"));
    let taken = after[kept..].iter().map(|parent| format!("INHERIT {parent}"));
    match before[kept..].iter().any(|parent| after[kept..].contains(parent)) {
        true => given_up.chain(taken).collect(),
        false => taken.chain(given_up).collect(),
    }
}

/// The partitioned table of a partition.
pub(super) fn partitioned(bound: &Fact) -> Option<ObjectName> {
    let schema = text(bound, "table-schema").unwrap_or(&bound.id.object.schema).to_owned();
    Some(ObjectName { schema, name: text(bound, "table")?.to_owned() })
}

/// Makes a table a partition of another.
pub(super) fn attach(bound: &Fact) -> Result<Vec<Statement>, String> {
    if flag(bound, "detach-pending") {
        return Err(format!("the partition {} waits to be detached", bound.id.object));
    }
    let (Some(table), Some(words)) = (partitioned(bound), text(bound, "bound")) else {
        return Err(format!("the partition {} has no bound", bound.id.object));
    };
    let partition = qualified(&bound.id.object);
    let table = qualified(&table);
    Ok(vec![Statement::whole(format!("ALTER TABLE {table} ATTACH PARTITION {partition} {words}"))])
}

/// Makes a partition a table of its own.
pub(super) fn detach(bound: &Fact) -> Result<Vec<Statement>, String> {
    let table = partitioned(bound)
        .ok_or_else(|| format!("the partition {} has no table", bound.id.object))?;
    let partition = qualified(&bound.id.object);
    let table = qualified(&table);
    Ok(vec![Statement::whole(format!("ALTER TABLE {table} DETACH PARTITION {partition}"))])
}

/// How a bound or a key becomes another.
pub(super) fn alter_partition(before: &Fact, after: &Fact) -> Alteration {
    if after.id.part.is_empty() {
        return Alteration::Refused(format!(
            "the table {} would be partitioned by another key",
            after.id.object
        ));
    }
    match (detach(before), attach(after)) {
        (Ok(mut statements), Ok(attach)) => {
            statements.extend(attach);
            Alteration::InPlace(statements)
        }
        (Err(why), _) | (_, Err(why)) => Alteration::Refused(why),
    }
}

/// The tables that a table inherits from, or is a partition of.
pub(super) fn parents(table: &ObjectName, schema: &Schema<'_>) -> Vec<ObjectName> {
    if let Some(bound) = schema.part(ObjectKind::Partition, table, "bound") {
        return partitioned(bound).into_iter().collect();
    }
    let fact = super::words::relation(table, schema);
    fact.map_or(&[][..], |fact| list(fact, "inherits"))
        .iter()
        .filter_map(|parent| parsed(parent))
        .collect()
}
