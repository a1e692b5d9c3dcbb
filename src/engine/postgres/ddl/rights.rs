//! Owners, privileges, default privileges and comments.
//!
//! Privileges are facts as the difference from what the server gives by default. What somebody has
//! comes from the owner; what another role granted cannot be granted for it.

use super::spelling::{qualified, quoted, role, string};
use super::words;
use crate::engine::ddl::{Alteration, Schema, Statement, list, text};
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// Makes an object somebody's.
pub(super) fn own(owner: &Fact, to: &Schema<'_>) -> Result<Vec<Statement>, String> {
    let name = text(owner, "owner").ok_or_else(|| format!("{} has no owner", owner.id))?;
    let object = words::spelled(&owner.id.part, &owner.id.object, to)?;
    Ok(vec![Statement::whole(format!("ALTER {object} OWNER TO {}", quoted(name)))])
}

/// Writes a comment, or takes it away.
pub(super) fn comment(
    comment: &Fact,
    is_kept: bool,
    schema: &Schema<'_>,
) -> Result<Vec<Statement>, String> {
    let object = words::spelled(&comment.id.part, &comment.id.object, schema)?;
    let content = match text(comment, "text") {
        Some(content) if is_kept => string(content),
        _ => "NULL".to_owned(),
    };
    Ok(vec![Statement::whole(format!("COMMENT ON {object} IS {content}"))])
}

/// What a fact about privileges says by its name: on what, and to whom.
struct Privileges<'f> {
    what: &'f str,
    grantee: &'f str,
}

/// The words before ` TO `, of which a column's name may hold some too.
fn privileges<'f>(grant: &'f Fact, schema: &Schema<'_>) -> Result<Privileges<'f>, String> {
    let part = &grant.id.part;
    let mut found = Vec::new();
    for (at, _) in part.match_indices(" TO ") {
        let (what, grantee) = (&part[..at], &part[at + 4..]);
        let is_of_column = what.starts_with("column ");
        let is_there = match grant.id.kind {
            ObjectKind::DefaultGrant => true,
            _ => words::subject(what, &grant.id.object, schema).is_some(),
        };
        if is_there {
            found.push(Privileges { what, grantee });
        }
        if !is_of_column {
            break;
        }
    }
    match (found.pop(), found.is_empty()) {
        (Some(_), _) if part.contains(" BY ") => Err(format!(
            "the privilege `{part}` on {} was granted by another role than the owner",
            grant.id.object
        )),
        (Some(privileges), true) => Ok(privileges),
        _ => Err(format!("it is not clear what `{part}` on {} is about", grant.id.object)),
    }
}

/// The object of a privilege.
pub(super) fn subject(grant: &Fact, schema: &Schema<'_>) -> Option<FactId> {
    let part = &grant.id.part;
    part.match_indices(" TO ")
        .find_map(|(at, _)| words::subject(&part[..at], &grant.id.object, schema))
}

/// What a privilege is on, as GRANT calls it, and the column in parentheses where it is on one.
fn on(what: &str, object: &ObjectName) -> Result<(String, String), String> {
    if let Some(column) = what.strip_prefix("column ") {
        return Ok((format!("TABLE {}", qualified(object)), format!(" ({})", quoted(column))));
    }
    let target = match what {
        "table" | "view" | "materialized view" | "foreign table" => {
            format!("TABLE {}", qualified(object))
        }
        "sequence" => format!("SEQUENCE {}", qualified(object)),
        "schema" => format!("SCHEMA {}", qualified(object)),
        "type" => format!("TYPE {}", qualified(object)),
        "domain" => format!("DOMAIN {}", qualified(object)),
        "foreign data wrapper" => format!("FOREIGN DATA WRAPPER {}", qualified(object)),
        "server" => format!("FOREIGN SERVER {}", qualified(object)),
        "function" | "procedure" | "aggregate" => {
            let (name, arguments) = super::spelling::split_signature(&object.name)
                .ok_or_else(|| format!("the routine {object} has no arguments"))?;
            let name = ObjectName { schema: object.schema.clone(), name: name.to_owned() };
            format!("ROUTINE {}({arguments})", qualified(&name))
        }
        other => return Err(format!("privileges on a {other} are not written")),
    };
    Ok((target, String::new()))
}

/// What a fact gives and takes.
struct Held {
    plain: Vec<String>,
    grantable: Vec<String>,
    revoked: Vec<String>,
}

impl Held {
    fn of(grant: Option<&Fact>) -> Held {
        let list = |name: &str| grant.map_or(Vec::new(), |grant| list(grant, name).to_vec());
        Held { plain: list("privileges"), grantable: list("grantable"), revoked: list("revoked") }
    }
}

/// A step of privileges, from what is held to what shall be.
struct Change {
    revoked: Vec<String>,
    options_revoked: Vec<String>,
    granted: Vec<String>,
    granted_with_option: Vec<String>,
}

impl Change {
    fn between(before: &Held, after: &Held) -> Change {
        let without = |list: &[String], others: &[&[String]]| -> Vec<String> {
            let is_elsewhere = |name: &&String| others.iter().any(|other| other.contains(name));
            list.iter().filter(|name| !is_elsewhere(name)).cloned().collect()
        };
        let mut revoked = without(&before.plain, &[&after.plain, &after.grantable]);
        revoked.extend(without(&before.grantable, &[&after.plain, &after.grantable]));
        // What was by default and shall not be.
        revoked.extend(without(&after.revoked, &[&before.revoked]));
        revoked.sort();
        revoked.dedup();
        let mut granted = without(&after.plain, &[&before.plain, &before.grantable]);
        granted.extend(without(&before.revoked, &[&after.revoked, &after.grantable]));
        granted.sort();
        granted.dedup();
        Change {
            options_revoked: after
                .plain
                .iter()
                .filter(|name| before.grantable.contains(name))
                .cloned()
                .collect(),
            granted_with_option: without(&after.grantable, &[&before.grantable]),
            revoked,
            granted,
        }
    }

    fn statements(&self, write: impl Fn(&str, &[String], &str) -> String) -> Vec<Statement> {
        let mut statements = Vec::new();
        for (verb, names, end) in [
            ("REVOKE", &self.revoked, ""),
            ("REVOKE GRANT OPTION FOR", &self.options_revoked, ""),
            ("GRANT", &self.granted, ""),
            ("GRANT", &self.granted_with_option, " WITH GRANT OPTION"),
        ] {
            if !names.is_empty() {
                statements.push(Statement::whole(write(verb, names, end)));
            }
        }
        statements
    }
}

/// Turns privileges into others; none is what the server gives by default.
pub(super) fn grant(
    before: Option<&Fact>,
    after: Option<&Fact>,
    schema: &Schema<'_>,
) -> Result<Vec<Statement>, String> {
    let Some(fact) = after.or(before) else { return Ok(Vec::new()) };
    let Privileges { what, grantee } = privileges(fact, schema)?;
    let (target, column) = on(what, &fact.id.object)?;
    let change = Change::between(&Held::of(before), &Held::of(after));
    let grantee = role(grantee);
    Ok(change.statements(|verb, names, end| {
        let names: Vec<String> = names.iter().map(|name| format!("{name}{column}")).collect();
        let word = if verb.starts_with("REVOKE") { "FROM" } else { "TO" };
        format!("{verb} {} ON {target} {word} {grantee}{end}", names.join(", "))
    }))
}

/// Turns default privileges into others.
pub(super) fn default_grant(
    before: Option<&Fact>,
    after: Option<&Fact>,
    schema: &Schema<'_>,
) -> Result<Vec<Statement>, String> {
    let Some(fact) = after.or(before) else { return Ok(Vec::new()) };
    let Privileges { what, grantee } = privileges(fact, schema)?;
    let mut head = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {}", quoted(&fact.id.object.name));
    if !fact.id.object.schema.is_empty() {
        head.push_str(&format!(" IN SCHEMA {}", quoted(&fact.id.object.schema)));
    }
    let known = ["tables", "sequences", "functions", "types", "schemas", "large objects"];
    if !known.contains(&what) {
        return Err(format!("default privileges on {what} are not written"));
    }
    let what = what.to_uppercase();
    let change = Change::between(&Held::of(before), &Held::of(after));
    let grantee = role(grantee);
    Ok(change.statements(|verb, names, end| {
        let word = if verb.starts_with("REVOKE") { "FROM" } else { "TO" };
        format!("{head} {verb} {} ON {what} {word} {grantee}{end}", names.join(", "))
    }))
}

/// Alters either kind of privileges.
pub(super) fn alter(before: &Fact, after: &Fact, to: &Schema<'_>) -> Alteration {
    let statements = match after.id.kind {
        ObjectKind::DefaultGrant => default_grant(Some(before), Some(after), to),
        _ => grant(Some(before), Some(after), to),
    };
    match statements {
        Ok(statements) => Alteration::InPlace(statements),
        Err(why) => Alteration::Refused(why),
    }
}

/// What new objects of a kind get by default in a schema, which may be more than the facts say:
/// it is taken back, and the facts about privileges say what stays.
pub(super) fn reset(fact: &Fact, to: &Schema<'_>) -> Result<Vec<Statement>, String> {
    let (objects, what, public) = match (fact.id.kind, fact.id.part.as_str()) {
        (ObjectKind::Table, _) => ("tables", "table", None),
        (ObjectKind::View, _) => ("tables", "view", None),
        (ObjectKind::MaterializedView, _) => ("tables", "materialized view", None),
        (ObjectKind::Foreign, "table") => ("tables", "foreign table", None),
        (ObjectKind::Sequence, _) => ("sequences", "sequence", None),
        (ObjectKind::Routine, _) => ("functions", "function", Some("EXECUTE")),
        (ObjectKind::Type, "") => ("types", "type", Some("USAGE")),
        (ObjectKind::Domain, _) => ("types", "domain", Some("USAGE")),
        (ObjectKind::Schema, _) => ("schemas", "schema", None),
        _ => return Ok(Vec::new()),
    };
    let space = &fact.id.object.schema;
    let mut grantees = Vec::new();
    for given in to.of_kind(ObjectKind::DefaultGrant) {
        let is_here = given.id.object.schema.is_empty() || given.id.object.schema == *space;
        let grantee = given.id.part.strip_prefix(objects).and_then(|p| p.strip_prefix(" TO "));
        if let Some(grantee) = grantee
            && is_here
            && grantee != given.id.object.name
            && !grantees.contains(&grantee)
        {
            grantees.push(grantee);
        }
    }
    let (target, _) = on(what, &fact.id.object)?;
    let mut statements = Vec::new();
    for grantee in grantees {
        let to = role(grantee);
        statements.push(Statement::whole(format!("REVOKE ALL ON {target} FROM {to}")));
        if let (Some(privilege), "PUBLIC") = (public, grantee) {
            statements.push(Statement::whole(format!("GRANT {privilege} ON {target} TO {to}")));
        }
    }
    Ok(statements)
}
