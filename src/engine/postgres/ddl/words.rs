//! The words by which owners, privileges and comments call what they are about, as facts and as SQL.

use super::spelling::{qualified, quoted, split_signature};
use crate::engine::ddl::{Schema, text};
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// Words that stand alone, with the kinds of facts that they may be.
const WHOLE: [(&str, &[ObjectKind]); 24] = [
    ("schema", &[ObjectKind::Schema]),
    ("table", &[ObjectKind::Table]),
    ("view", &[ObjectKind::View]),
    ("materialized view", &[ObjectKind::MaterializedView]),
    ("sequence", &[ObjectKind::Sequence]),
    ("foreign table", &[ObjectKind::Foreign]),
    ("type", &[ObjectKind::Type]),
    ("domain", &[ObjectKind::Domain]),
    ("function", &[ObjectKind::Routine]),
    ("procedure", &[ObjectKind::Routine]),
    ("aggregate", &[ObjectKind::Routine]),
    ("statistics", &[ObjectKind::Statistics]),
    ("collation", &[ObjectKind::Collation]),
    ("operator class", &[ObjectKind::Operator]),
    ("operator family", &[ObjectKind::Operator]),
    ("operator", &[ObjectKind::Operator]),
    ("cast", &[ObjectKind::Cast]),
    ("text search configuration", &[ObjectKind::TextSearch]),
    ("text search dictionary", &[ObjectKind::TextSearch]),
    ("text search parser", &[ObjectKind::TextSearch]),
    ("text search template", &[ObjectKind::TextSearch]),
    ("extension", &[ObjectKind::Extension]),
    ("event trigger", &[ObjectKind::EventTrigger]),
    ("publication", &[ObjectKind::Publication]),
];

/// The kinds of relations that have columns.
pub(super) const RELATIONS: [ObjectKind; 4] =
    [ObjectKind::Table, ObjectKind::View, ObjectKind::MaterializedView, ObjectKind::Foreign];

/// The fact of the relation of this name.
pub(super) fn relation<'a>(name: &ObjectName, schema: &Schema<'a>) -> Option<&'a Fact> {
    RELATIONS.into_iter().find_map(|kind| match kind {
        ObjectKind::Foreign => schema.part(kind, name, "table"),
        kind => schema.object(kind, name),
    })
}

/// The fact of a key or an exclusion with this name, in the schema of its index.
pub(super) fn constraint_of_index<'a>(index: &ObjectName, schema: &Schema<'a>) -> Option<&'a Fact> {
    [ObjectKind::PrimaryKey, ObjectKind::Unique, ObjectKind::Exclusion].into_iter().find_map(
        |kind| {
            schema.of_kind(kind).find(|fact| {
                fact.id.object.schema == index.schema && text(fact, "name") == Some(&index.name)
            })
        },
    )
}

/// The constraint of this name on a table or a domain.
fn constraint<'a>(object: &ObjectName, name: &str, schema: &Schema<'a>) -> Option<&'a Fact> {
    let is_it = |fact: &&&'a Fact| {
        matches!(
            fact.id.kind,
            ObjectKind::PrimaryKey
                | ObjectKind::Unique
                | ObjectKind::Check
                | ObjectKind::ForeignKey
                | ObjectKind::Exclusion
        ) && text(fact, "name") == Some(name)
    };
    schema.of(object).iter().find(is_it).copied()
}

/// The fact that the words are about.
pub(super) fn subject(words: &str, object: &ObjectName, schema: &Schema<'_>) -> Option<FactId> {
    let found = |fact: Option<&Fact>| fact.map(|fact| fact.id.clone());
    if let Some(name) = words.strip_prefix("column ") {
        return found(schema.part(ObjectKind::Column, object, name))
            .or_else(|| found(schema.part(ObjectKind::Type, object, name)))
            .or_else(|| found(relation(object, schema)));
    }
    if let Some(name) = words.strip_prefix("constraint ") {
        return found(constraint(object, name, schema));
    }
    if let Some(name) = words.strip_prefix("trigger ") {
        let trigger = ObjectName { schema: object.schema.clone(), name: name.to_owned() };
        return found(schema.part(ObjectKind::Trigger, &trigger, &object.name));
    }
    if let Some(name) = words.strip_prefix("rule ") {
        return found(schema.part(ObjectKind::Rule, object, name));
    }
    if let Some(name) = words.strip_prefix("policy ") {
        return found(schema.part(ObjectKind::Policy, object, name));
    }
    let part = match words {
        "index" => {
            return found(schema.object(ObjectKind::Index, object))
                .or_else(|| found(constraint_of_index(object, schema)));
        }
        "foreign data wrapper" => (ObjectKind::Foreign, "wrapper"),
        "server" => (ObjectKind::Foreign, "server"),
        "foreign table" => (ObjectKind::Foreign, "table"),
        "operator class" => (ObjectKind::Operator, "class"),
        "operator family" => (ObjectKind::Operator, "family"),
        words => match words.strip_prefix("text search ") {
            Some(what) => (ObjectKind::TextSearch, what),
            None => (WHOLE.into_iter().find(|(known, _)| *known == words)?.1[0], ""),
        },
    };
    found(schema.part(part.0, object, part.1))
}

/// How COMMENT ON and ALTER … OWNER call it.
pub(super) fn spelled(
    words: &str,
    object: &ObjectName,
    schema: &Schema<'_>,
) -> Result<String, String> {
    let on = qualified(object);
    for kind in ["constraint", "trigger", "rule", "policy"] {
        let Some(name) = words.strip_prefix(kind).and_then(|rest| rest.strip_prefix(' ')) else {
            continue;
        };
        let is_domain = kind == "constraint" && schema.object(ObjectKind::Domain, object).is_some();
        let on = if is_domain { format!("DOMAIN {on}") } else { on };
        return Ok(format!("{} {} ON {on}", kind.to_uppercase(), quoted(name)));
    }
    if let Some(name) = words.strip_prefix("column ") {
        return Ok(format!("COLUMN {on}.{}", quoted(name)));
    }
    Ok(match words {
        "function" | "procedure" | "aggregate" => {
            format!("{} {}", words.to_uppercase(), routine(object, schema)?)
        }
        "operator" => format!("OPERATOR {}", operator(object)?),
        "operator class" | "operator family" => {
            format!("{} {}", words.to_uppercase(), of_method(object)?)
        }
        "cast" => format!("CAST {}", object.name),
        words => {
            let is_known = WHOLE.iter().any(|(known, _)| *known == words)
                || ["index", "foreign data wrapper", "server"].contains(&words);
            if !is_known {
                return Err(format!("a {words} is of a kind that is not written"));
            }
            format!("{} {on}", words.to_uppercase())
        }
    })
}

/// A routine with the types of its arguments.
pub(super) fn routine(object: &ObjectName, schema: &Schema<'_>) -> Result<String, String> {
    let (name, arguments) = split_signature(&object.name)
        .ok_or_else(|| format!("the routine `{object}` has no list of arguments"))?;
    let fact = schema.object(ObjectKind::Routine, object);
    let is_aggregate = fact.is_some_and(|fact| text(fact, "kind") == Some("AGGREGATE"));
    let arguments = match fact.and_then(|fact| text(fact, "arguments")) {
        Some(own) if is_aggregate && !own.is_empty() => own,
        _ if is_aggregate && arguments.is_empty() => "*",
        _ => arguments,
    };
    let name = ObjectName { schema: object.schema.clone(), name: name.to_owned() };
    Ok(format!("{}({arguments})", qualified(&name)))
}

/// An operator with its operands.
pub(super) fn operator(object: &ObjectName) -> Result<String, String> {
    let (symbol, operands) = object
        .name
        .split_once('(')
        .filter(|(symbol, _)| is_symbol(symbol))
        .ok_or_else(|| format!("the operator `{object}` has no operands"))?;
    Ok(format!("{}.{symbol} ({operands}", quoted(&object.schema)))
}

/// Whether a text is made of the characters of operators alone.
pub(super) fn is_symbol(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| "+-*/<>=~!@#%^&|`?".contains(c))
}

/// An operator class or family with its access method.
pub(super) fn of_method(object: &ObjectName) -> Result<String, String> {
    let (name, method) = object
        .name
        .rsplit_once(" USING ")
        .ok_or_else(|| format!("`{object}` names no access method"))?;
    let name = ObjectName { schema: object.schema.clone(), name: name.to_owned() };
    Ok(format!("{} USING {}", qualified(&name), quoted(method)))
}
