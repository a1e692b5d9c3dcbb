//! Views, materialised views, rules and policies.
//!
//! The columns of a view are no facts, so a view with another query is made anew.

use super::constraints::differing;
use super::spelling::{option_changes, options, qualified, quoted, role};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, list, text};
use crate::model::{Fact, ObjectKind};

/// Makes a view; a materialised one with its rows.
pub(super) fn create(view: &Fact) -> Result<Vec<Statement>, String> {
    let query =
        text(view, "query").ok_or_else(|| format!("the view {} has no query", view.id.object))?;
    let mut sql = format!("CREATE {} {}", kind(view), qualified(&view.id.object));
    if let Some(method) = text(view, "access-method") {
        sql.push_str(&format!(" USING {}", quoted(method)));
    }
    if !list(view, "options").is_empty() {
        sql.push_str(&format!(" WITH ({})", options(list(view, "options"))));
    }
    if let Some(tablespace) = text(view, "tablespace") {
        sql.push_str(&format!(" TABLESPACE {}", quoted(tablespace)));
    }
    sql.push_str(&format!(" AS\n{query}"));
    Ok(vec![Statement::whole(sql)])
}

fn kind(view: &Fact) -> &'static str {
    match view.id.kind {
        ObjectKind::MaterializedView => "MATERIALIZED VIEW",
        _ => "VIEW",
    }
}

/// Drops a view.
pub(super) fn drop(view: &Fact) -> Vec<Statement> {
    vec![Statement::whole(format!("DROP {} {}", kind(view), qualified(&view.id.object)))]
}

/// How a view becomes another.
pub(super) fn alter(before: &Fact, after: &Fact) -> Alteration {
    let changeable = ["options", "access-method", "tablespace"];
    if !differing(before, after).iter().all(|name| changeable.contains(&name.as_str())) {
        return Alteration::Remade;
    }
    let name = format!("ALTER {} {}", kind(after), qualified(&after.id.object));
    let mut statements = Vec::new();
    let (set, reset) = option_changes(list(before, "options"), list(after, "options"));
    if !set.is_empty() {
        statements.push(Statement::whole(format!("{name} SET ({set})")));
    }
    if !reset.is_empty() {
        statements.push(Statement::whole(format!("{name} RESET ({reset})")));
    }
    if text(before, "access-method") != text(after, "access-method") {
        let method = quoted(text(after, "access-method").unwrap_or("heap"));
        statements.push(Statement::whole(format!("{name} SET ACCESS METHOD {method}")));
    }
    if text(before, "tablespace") != text(after, "tablespace") {
        let tablespace = quoted(text(after, "tablespace").unwrap_or("pg_default"));
        statements.push(Statement::whole(format!("{name} SET TABLESPACE {tablespace}")));
    }
    Alteration::InPlace(statements)
}

/// Whether what fires is on, as a word of ALTER TABLE before what it is.
pub(super) fn enabling(fact: &Fact) -> &'static str {
    match text(fact, "enabled") {
        Some("DISABLED") => "DISABLE",
        Some("REPLICA") => "ENABLE REPLICA",
        Some("ALWAYS") => "ENABLE ALWAYS",
        _ => "ENABLE",
    }
}

/// Makes a rule.
pub(super) fn create_rule(rule: &Fact) -> Result<Vec<Statement>, String> {
    let definition = text(rule, "definition")
        .ok_or_else(|| format!("the rule {} has no definition", rule.id))?;
    let mut statements = vec![Statement::whole(definition)];
    if text(rule, "enabled").is_some() {
        statements.push(enable_rule(rule));
    }
    Ok(statements)
}

fn enable_rule(rule: &Fact) -> Statement {
    let clause = format!("{} RULE {}", enabling(rule), quoted(&rule.id.part));
    Statement::clause(&rule.id.object, clause)
}

/// Drops a rule.
pub(super) fn drop_rule(rule: &Fact) -> Vec<Statement> {
    let (rule, table) = (quoted(&rule.id.part), qualified(&rule.id.object));
    vec![Statement::whole(format!("DROP RULE {rule} ON {table}"))]
}

/// How a rule becomes another.
pub(super) fn alter_rule(before: &Fact, after: &Fact) -> Alteration {
    match differing(before, after).as_slice() {
        [name] if name == "enabled" => Alteration::InPlace(vec![enable_rule(after)]),
        _ => Alteration::Remade,
    }
}

/// Makes a policy.
pub(super) fn create_policy(policy: &Fact) -> Vec<Statement> {
    let mut sql =
        format!("CREATE POLICY {} ON {}", quoted(&policy.id.part), qualified(&policy.id.object));
    if flag(policy, "restrictive") {
        sql.push_str(" AS RESTRICTIVE");
    }
    if let Some(command) = text(policy, "command") {
        sql.push_str(&format!(" FOR {command}"));
    }
    let roles: Vec<String> = list(policy, "roles").iter().map(|name| role(name)).collect();
    if !roles.is_empty() {
        sql.push_str(&format!(" TO {}", roles.join(", ")));
    }
    if let Some(expression) = text(policy, "using") {
        sql.push_str(&format!("\n    USING ({expression})"));
    }
    if let Some(expression) = text(policy, "check") {
        sql.push_str(&format!("\n    WITH CHECK ({expression})"));
    }
    vec![Statement::whole(sql)]
}

/// Drops a policy.
pub(super) fn drop_policy(policy: &Fact) -> Vec<Statement> {
    let (policy, table) = (quoted(&policy.id.part), qualified(&policy.id.object));
    vec![Statement::whole(format!("DROP POLICY {policy} ON {table}"))]
}

/// The SQL of a fact in which names of columns may stand.
pub(super) fn body(fact: &Fact, schema: &Schema<'_>) -> String {
    let of = |names: &[&str]| -> String {
        names.iter().filter_map(|name| text(fact, name)).collect::<Vec<_>>().join(" ")
    };
    match fact.id.kind {
        ObjectKind::View | ObjectKind::MaterializedView => of(&["query"]),
        ObjectKind::Policy => of(&["using", "check"]),
        ObjectKind::Column => of(&["generated"]),
        ObjectKind::Check => of(&["expression"]),
        ObjectKind::Publication => {
            format!("{} {}", of(&["where"]), list(fact, "columns").join(" "))
        }
        ObjectKind::Partition => of(&["key"]),
        ObjectKind::Index => {
            let terms = list(fact, "columns").join(" ");
            format!("{terms} {} {}", list(fact, "include").join(" "), of(&["where"]))
        }
        _ => match schema.definition(fact.id.kind, &fact.id.object) {
            Some(definition) if text(fact, "definition").is_none() => definition.to_owned(),
            _ => of(&["definition"]),
        },
    }
}
