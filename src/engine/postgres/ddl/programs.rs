//! Routines, triggers and event triggers.
//!
//! The text of a routine replaces it where the server lets it: the name, the arguments with their
//! names and defaults, and what it returns must stay.

use super::constraints::differing;
use super::spelling::{qualified, quoted, split_signature, string, without_arguments};
use super::views::enabling;
use super::words;
use crate::engine::ddl::{Alteration, Schema, Statement, flag, list, number, text};
use crate::model::{Fact, ObjectName};

/// Makes a routine.
pub(super) fn create(routine: &Fact) -> Result<Vec<Statement>, String> {
    if text(routine, "kind") == Some("AGGREGATE") {
        return aggregate(routine);
    }
    let definition = text(routine, "definition")
        .ok_or_else(|| format!("the routine {} has no definition", routine.id.object))?;
    Ok(vec![Statement::whole(definition)])
}

fn aggregate(routine: &Fact) -> Result<Vec<Statement>, String> {
    let (name, _) = split_signature(&routine.id.object.name)
        .ok_or_else(|| format!("the aggregate {} has no arguments", routine.id.object))?;
    let name = ObjectName { schema: routine.id.object.schema.clone(), name: name.to_owned() };
    let arguments = text(routine, "arguments").filter(|text| !text.is_empty()).unwrap_or("*");
    let mut options = Vec::new();
    let modify = |letter: &str| match letter {
        "r" => "READ_ONLY",
        "s" => "SHAREABLE",
        _ => "READ_WRITE",
    };
    for (name, words) in [
        ("state-function", "SFUNC"),
        ("state-type", "STYPE"),
        ("state-space", "SSPACE"),
        ("final-function", "FINALFUNC"),
        ("final-extra", "FINALFUNC_EXTRA"),
        ("final-modify", "FINALFUNC_MODIFY"),
        ("combine-function", "COMBINEFUNC"),
        ("serial-function", "SERIALFUNC"),
        ("deserial-function", "DESERIALFUNC"),
        ("initial", "INITCOND"),
        ("moving-state-function", "MSFUNC"),
        ("moving-inverse-function", "MINVFUNC"),
        ("moving-state-type", "MSTYPE"),
        ("moving-state-space", "MSSPACE"),
        ("moving-final-function", "MFINALFUNC"),
        ("moving-final-extra", "MFINALFUNC_EXTRA"),
        ("moving-final-modify", "MFINALFUNC_MODIFY"),
        ("moving-initial", "MINITCOND"),
        ("sort-operator", "SORTOP"),
        ("parallel", "PARALLEL"),
    ] {
        if flag(routine, name) {
            options.push(words.to_owned());
        } else if let Some(value) = number(routine, name) {
            options.push(format!("{words} = {value}"));
        } else if let Some(value) = text(routine, name) {
            options.push(match name {
                "initial" | "moving-initial" => format!("{words} = {}", string(value)),
                "final-modify" | "moving-final-modify" => format!("{words} = {}", modify(value)),
                "sort-operator" => format!("{words} = {}", super::operators::reference(value)),
                name if name.ends_with("-function") => {
                    format!("{words} = {}", without_arguments(value))
                }
                _ => format!("{words} = {value}"),
            });
        }
    }
    if text(routine, "aggregate-kind") == Some("HYPOTHETICAL") {
        options.push("HYPOTHETICAL".to_owned());
    }
    Ok(vec![Statement::whole(format!(
        "CREATE AGGREGATE {}({arguments}) (\n    {}\n)",
        qualified(&name),
        options.join(",\n    ")
    ))])
}

/// Drops a routine.
pub(super) fn drop(routine: &Fact, from: &Schema<'_>) -> Result<Vec<Statement>, String> {
    let kind = match text(routine, "kind") {
        Some("AGGREGATE") => "AGGREGATE",
        Some("PROCEDURE") => "PROCEDURE",
        _ => "FUNCTION",
    };
    let name = words::routine(&routine.id.object, from)?;
    Ok(vec![Statement::whole(format!("DROP {kind} {name}"))])
}

/// How a routine becomes another.
pub(super) fn alter(before: &Fact, after: &Fact) -> Alteration {
    let head = |fact: &Fact| {
        let definition = text(fact, "definition")?;
        definition.split_once("\n LANGUAGE ").map(|(head, _)| head.to_owned())
    };
    let is_same = text(before, "kind") == text(after, "kind")
        && head(before).is_some()
        && head(before) == head(after);
    match text(after, "definition") {
        Some(definition) if is_same => Alteration::InPlace(vec![Statement::whole(definition)]),
        _ => Alteration::Remade,
    }
}

/// Makes a trigger. One that a partition has from the partitioned table comes with that.
pub(super) fn create_trigger(trigger: &Fact) -> Result<Vec<Statement>, String> {
    let mut statements = Vec::new();
    if !flag(trigger, "inherited") {
        let definition = text(trigger, "definition")
            .ok_or_else(|| format!("the trigger {} has no definition", trigger.id))?;
        statements.push(Statement::whole(definition));
        if text(trigger, "enabled").is_some() {
            statements.push(enable_trigger(trigger));
        }
    }
    Ok(statements)
}

/// The table of a trigger.
pub(super) fn table_of(trigger: &Fact) -> ObjectName {
    ObjectName { schema: trigger.id.object.schema.clone(), name: trigger.id.part.clone() }
}

fn enable_trigger(trigger: &Fact) -> Statement {
    let clause = format!("{} TRIGGER {}", enabling(trigger), quoted(&trigger.id.object.name));
    Statement::clause(&table_of(trigger), clause)
}

/// Drops a trigger of a table that stays.
pub(super) fn drop_trigger(trigger: &Fact) -> Vec<Statement> {
    if flag(trigger, "inherited") {
        return Vec::new();
    }
    let (name, table) = (quoted(&trigger.id.object.name), qualified(&table_of(trigger)));
    vec![Statement::whole(format!("DROP TRIGGER {name} ON {table}"))]
}

/// How a trigger becomes another.
pub(super) fn alter_trigger(before: &Fact, after: &Fact) -> Alteration {
    match differing(before, after).as_slice() {
        [name] if name == "enabled" => Alteration::InPlace(vec![enable_trigger(after)]),
        _ if flag(before, "inherited") && flag(after, "inherited") => {
            Alteration::InPlace(Vec::new())
        }
        _ => Alteration::Remade,
    }
}

/// Makes an event trigger.
pub(super) fn create_event_trigger(trigger: &Fact) -> Result<Vec<Statement>, String> {
    let (Some(event), Some(function)) = (text(trigger, "event"), text(trigger, "function")) else {
        return Err(format!("the event trigger {} has no function", trigger.id.object));
    };
    let name = quoted(&trigger.id.object.name);
    let mut sql = format!("CREATE EVENT TRIGGER {name} ON {}", quoted(event));
    let tags: Vec<String> = list(trigger, "tags").iter().map(|tag| string(tag)).collect();
    if !tags.is_empty() {
        sql.push_str(&format!("\n    WHEN TAG IN ({})", tags.join(", ")));
    }
    sql.push_str(&format!("\n    EXECUTE FUNCTION {function}"));
    let mut statements = vec![Statement::whole(sql)];
    if text(trigger, "enabled").is_some() {
        statements.push(enable_event_trigger(trigger));
    }
    Ok(statements)
}

fn enable_event_trigger(trigger: &Fact) -> Statement {
    let name = quoted(&trigger.id.object.name);
    Statement::whole(format!("ALTER EVENT TRIGGER {name} {}", enabling(trigger)))
}

/// Drops an event trigger.
pub(super) fn drop_event_trigger(trigger: &Fact) -> Vec<Statement> {
    vec![Statement::whole(format!("DROP EVENT TRIGGER {}", quoted(&trigger.id.object.name)))]
}

/// How an event trigger becomes another.
pub(super) fn alter_event_trigger(before: &Fact, after: &Fact) -> Alteration {
    match differing(before, after).as_slice() {
        [name] if name == "enabled" => Alteration::InPlace(vec![enable_event_trigger(after)]),
        _ => Alteration::Remade,
    }
}
