//! Types, domains, collations, schemas and extensions.
//!
//! A type that differs is made anew. The columns of it hold text meanwhile, which every type can be
//! written as and read from, so that labels of an enum can come, go and change their order, and
//! fields of a composite type too.

use super::spelling::{parsed, qualified, quoted, string, without_arguments};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, list, number, text};
use crate::model::{Fact, ObjectKind};

/// Makes a type.
pub(super) fn create(
    declared: &Fact,
    inline: &[&Fact],
    to: &Schema<'_>,
) -> Result<Vec<Statement>, String> {
    let name = qualified(&declared.id.object);
    if !declared.id.part.is_empty() {
        // A field of a composite type that is there.
        let field = field(declared)?;
        return Ok(vec![Statement::whole(format!("ALTER TYPE {name} ADD ATTRIBUTE {field}"))]);
    }
    let body = match text(declared, "kind") {
        Some("ENUM") => {
            let labels: Vec<String> =
                list(declared, "labels").iter().map(|label| string(label)).collect();
            match labels.is_empty() {
                true => " AS ENUM ()".to_owned(),
                false => format!(" AS ENUM (\n    {}\n)", labels.join(",\n    ")),
            }
        }
        Some("COMPOSITE") => composite(declared, inline, to)?,
        Some("RANGE") => range(declared)?,
        Some("SHELL") => String::new(),
        _ => {
            return Err(format!(
                "the type {} is made of functions in another language",
                declared.id.object
            ));
        }
    };
    Ok(vec![Statement::whole(format!("CREATE TYPE {name}{body}"))])
}

fn field(field: &Fact) -> Result<String, String> {
    let declared =
        text(field, "type").ok_or_else(|| format!("the field {} has no type", field.id))?;
    let mut words = format!("{} {declared}", quoted(&field.id.part));
    if let Some(collation) = text(field, "collation") {
        words.push_str(&format!(" COLLATE {collation}"));
    }
    Ok(words)
}

fn composite(declared: &Fact, inline: &[&Fact], to: &Schema<'_>) -> Result<String, String> {
    let mut fields = Vec::new();
    for name in list(declared, "attributes") {
        let of_inline =
            inline.iter().find(|fact| fact.id.kind == ObjectKind::Type && fact.id.part == *name);
        let fact = of_inline
            .copied()
            .or_else(|| to.part(ObjectKind::Type, &declared.id.object, name))
            .ok_or_else(|| format!("the field {}.{name} is not known", declared.id.object))?;
        fields.push(field(fact)?);
    }
    Ok(match fields.is_empty() {
        true => " AS ()".to_owned(),
        false => format!(" AS (\n    {}\n)", fields.join(",\n    ")),
    })
}

fn range(declared: &Fact) -> Result<String, String> {
    if text(declared, "canonical").is_some() {
        return Err(format!(
            "the range type {} has a canonical function, which is made after the type and before it",
            declared.id.object
        ));
    }
    let of =
        |name: &str, words: &str| text(declared, name).map(|value| format!("{words} = {value}"));
    let mut options: Vec<String> = [
        of("subtype", "SUBTYPE"),
        of("operator-class", "SUBTYPE_OPCLASS"),
        of("collation", "COLLATION"),
        of("multirange", "MULTIRANGE_TYPE_NAME"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if let Some(function) = text(declared, "subtype-difference") {
        options.push(format!("SUBTYPE_DIFF = {}", without_arguments(function)));
    }
    Ok(format!(" AS RANGE (\n    {}\n)", options.join(",\n    ")))
}

/// Drops a type, or a field of one that stays.
pub(super) fn drop(declared: &Fact) -> Vec<Statement> {
    let name = qualified(&declared.id.object);
    vec![Statement::whole(match declared.id.part.as_str() {
        "" => format!("DROP TYPE {name}"),
        field => format!("ALTER TYPE {name} DROP ATTRIBUTE {}", quoted(field)),
    })]
}

/// How a type becomes another: it is made anew, with its fields.
pub(super) fn alter(before: &Fact, after: &Fact) -> Alteration {
    let differs = super::constraints::differing(before, after);
    match differs.is_empty() {
        true => Alteration::InPlace(Vec::new()),
        false => Alteration::Remade,
    }
}

/// What an enum is while rows change: it has the labels of both ends.
pub(super) fn between(before: &Fact, after: &Fact) -> Fact {
    let labels = list(after, "labels");
    let gone = list(before, "labels").iter().filter(|label| !labels.contains(label));
    let mut union = labels.to_vec();
    union.extend(gone.cloned());
    let mut fact = after.clone();
    fact.attributes.insert("labels".to_owned(), crate::model::Attribute::List(union));
    fact
}

/// Makes a domain.
pub(super) fn create_domain(domain: &Fact, inline: &[&Fact]) -> Result<Vec<Statement>, String> {
    let declared = text(domain, "type")
        .ok_or_else(|| format!("the domain {} has no type", domain.id.object))?;
    let name = qualified(&domain.id.object);
    let mut sql = format!("CREATE DOMAIN {name} AS {declared}");
    if let Some(collation) = text(domain, "collation") {
        sql.push_str(&format!(" COLLATE {collation}"));
    }
    if let Some(default) = text(domain, "default") {
        sql.push_str(&format!(" DEFAULT {default}"));
    }
    if flag(domain, "not-null") {
        if let Some(name) = text(domain, "not-null-name") {
            sql.push_str(&format!(" CONSTRAINT {}", quoted(name)));
        }
        sql.push_str(" NOT NULL");
    }
    for check in inline.iter().filter(|fact| fact.id.kind == ObjectKind::Check) {
        sql.push_str(&format!("\n    {}", super::constraints::definition(check)?));
    }
    Ok(vec![Statement::whole(sql)])
}

/// Adds a check to a domain that is there.
pub(super) fn add_check(check: &Fact) -> Result<Vec<Statement>, String> {
    let name = qualified(&check.id.object);
    let definition = super::constraints::definition(check)?;
    Ok(vec![Statement::whole(format!("ALTER DOMAIN {name} ADD {definition}"))])
}

/// Drops a domain.
pub(super) fn drop_domain(domain: &Fact) -> Vec<Statement> {
    vec![Statement::whole(format!("DROP DOMAIN {}", qualified(&domain.id.object)))]
}

/// How a domain becomes another.
pub(super) fn alter_domain(before: &Fact, after: &Fact) -> Alteration {
    let differs = |name: &str| before.attributes.get(name) != after.attributes.get(name);
    if differs("type") || differs("collation") {
        return Alteration::Remade;
    }
    let name = qualified(&after.id.object);
    let mut statements = Vec::new();
    let mut add = |words: String| {
        statements.push(Statement::whole(format!("ALTER DOMAIN {name} {words}")));
    };
    if differs("default") {
        add(match text(after, "default") {
            Some(default) => format!("SET DEFAULT {default}"),
            None => "DROP DEFAULT".to_owned(),
        });
    }
    if differs("not-null") || differs("not-null-name") {
        if flag(before, "not-null") {
            add("DROP NOT NULL".to_owned());
        }
        if flag(after, "not-null") {
            add(match text(after, "not-null-name") {
                Some(name) => format!("ADD CONSTRAINT {} NOT NULL", quoted(name)),
                None => "SET NOT NULL".to_owned(),
            });
        }
    }
    Alteration::InPlace(statements)
}

/// Makes a collation.
pub(super) fn create_collation(collation: &Fact) -> Vec<Statement> {
    let mut options = Vec::new();
    for (name, words) in [
        ("provider", "PROVIDER"),
        ("locale", "LOCALE"),
        ("collate", "LC_COLLATE"),
        ("ctype", "LC_CTYPE"),
        ("rules", "RULES"),
    ] {
        if let Some(value) = text(collation, name) {
            options.push(format!("{words} = {}", string(value)));
        }
    }
    if flag(collation, "nondeterministic") {
        options.push("DETERMINISTIC = false".to_owned());
    }
    let name = qualified(&collation.id.object);
    vec![Statement::whole(format!("CREATE COLLATION {name} ({})", options.join(", ")))]
}

/// Whether a collation can be made as it is: one for another encoding than the database's cannot.
pub(super) fn is_for_encoding(collation: &Fact, schema: &Schema<'_>) -> bool {
    let encoding = schema
        .of_kind(ObjectKind::Setting)
        .find(|fact| fact.id.object.name == "encoding")
        .and_then(|fact| text(fact, "value"));
    match number(collation, "encoding") {
        Some(6) => encoding.is_none_or(|name| name == "UTF8"),
        _ => true,
    }
}

/// Drops a collation.
pub(super) fn drop_collation(collation: &Fact) -> Vec<Statement> {
    vec![Statement::whole(format!("DROP COLLATION {}", qualified(&collation.id.object)))]
}

/// Makes an extension.
pub(super) fn create_extension(extension: &Fact) -> Vec<Statement> {
    let mut sql = format!("CREATE EXTENSION {}", quoted(&extension.id.object.name));
    if let Some(schema) = text(extension, "schema") {
        sql.push_str(&format!(" WITH SCHEMA {}", quoted(schema)));
    }
    if let Some(version) = text(extension, "version") {
        sql.push_str(&format!(" VERSION {}", quoted(version)));
    }
    vec![Statement::whole(sql)]
}

/// How an extension becomes another version, or goes to another schema.
pub(super) fn alter_extension(before: &Fact, after: &Fact) -> Alteration {
    let name = quoted(&after.id.object.name);
    let mut statements = Vec::new();
    if let Some(version) = text(after, "version").filter(|v| Some(*v) != text(before, "version")) {
        let version = quoted(version);
        statements.push(Statement::whole(format!("ALTER EXTENSION {name} UPDATE TO {version}")));
    }
    if let Some(schema) = text(after, "schema").filter(|s| Some(*s) != text(before, "schema")) {
        let schema = quoted(schema);
        statements.push(Statement::whole(format!("ALTER EXTENSION {name} SET SCHEMA {schema}")));
    }
    Alteration::InPlace(statements)
}

/// The type that a column's type is, or is an array of, where that is one of a schema.
pub(super) fn own_type(declared: &str) -> Option<crate::model::ObjectName> {
    let base = crate::engine::postgres::declared::unmodified(declared);
    parsed(base.trim_end_matches("[]")).filter(|name| !name.schema.is_empty())
}

/// How the server stores large values of a type unless it is told otherwise, as `SET STORAGE` takes
/// it. Only servers from 16 on know the word DEFAULT, which is left for what is not known.
pub(super) fn usual_storage(declared: &str, schema: &Schema<'_>) -> &'static str {
    let base = crate::engine::postgres::declared::unmodified(declared);
    if base.ends_with("[]") {
        return "EXTENDED";
    }
    let Some(name) = own_type(&base) else {
        return match base.as_str() {
            "numeric" | "inet" | "cidr" => "MAIN",
            "tsquery" => "PLAIN",
            _ => "EXTENDED",
        };
    };
    if name.schema == "pg_catalog" {
        return "EXTENDED";
    }
    if let Some(domain) = schema.object(ObjectKind::Domain, &name) {
        return text(domain, "type").map_or("DEFAULT", |of| usual_storage(of, schema));
    }
    match schema.object(ObjectKind::Type, &name).map(|own| text(own, "storage")) {
        Some(None | Some("x")) => "EXTENDED",
        Some(Some("m")) => "MAIN",
        Some(Some("p")) => "PLAIN",
        Some(Some("e")) => "EXTERNAL",
        _ => "DEFAULT",
    }
}
