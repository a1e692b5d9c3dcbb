//! What a declared type says of how its values are compared, and how they are written in SQL.
//!
//! A type is known by the name that the catalog has for it: every name of a schema's own type comes
//! with its schema, and a built-in one without. Domains and enums are in the facts; of a type that
//! is not, for its schema is not in scope, nothing is known but its name.

use crate::model::{Attribute, Fact, FactId, ObjectKind, ObjectName};

/// How deep domains of domains are followed.
const DEEPEST: usize = 32;

/// By what a guard compares exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `=` tells every two values apart.
    Plain,
    /// `=` does, under the collation `C`.
    Text,
    /// The function that gives a value's bytes.
    Bytes(&'static str),
    /// The text of a cast.
    AsText,
    /// The text of the type's output function.
    Output,
}

/// A declared type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    /// Its name without modifiers: a cast to it cuts and rounds nothing.
    pub(super) cast: String,
    /// The name of what a domain is made of, likewise.
    pub(super) base: String,
    /// How it is compared; `None` where nothing is known of it.
    pub(super) form: Option<Form>,
    /// Whether `=` compares it by what an index of it is sorted by.
    pub(super) has_equality: bool,
    /// Whether it may have fields: then `IS NULL` may be true of what is not NULL.
    pub(super) may_have_fields: bool,
    /// Whether it is a domain over a type of which operators only take the type itself.
    pub(super) is_wrapped: bool,
    /// Whether it has a collation that may take different texts for equal.
    pub(super) is_collated: bool,
}

impl Declared {
    /// What is known of a type. The facts are sorted by id.
    pub(super) fn of(name: &str, facts: &[Fact]) -> Declared {
        let cast = unmodified(name);
        let (mut current, mut is_collated) = (name.to_owned(), false);
        for _ in 0..DEEPEST {
            let Some(domain) = object_name(&current)
                .and_then(|object| find(facts, ObjectKind::Domain, &object, ""))
            else {
                break;
            };
            is_collated |= has_own_collation(Some(domain));
            match domain.attributes.get("type") {
                Some(Attribute::Text(of)) => current = of.clone(),
                _ => break,
            }
        }
        let base = unmodified(&current);
        let kind = Kind::of(&current, &base, facts);
        Declared {
            is_wrapped: cast != base && kind.is_own,
            cast,
            base,
            form: kind.form,
            has_equality: kind.has_equality,
            may_have_fields: kind.may_have_fields,
            is_collated,
        }
    }
}

struct Kind {
    form: Option<Form>,
    has_equality: bool,
    may_have_fields: bool,
    /// Whether its operators are those of any enum, array, range or record.
    is_own: bool,
}

impl Kind {
    fn of(name: &str, base: &str, facts: &[Fact]) -> Kind {
        let mut kind = Kind::without_casts(name, base, facts);
        let cast = ObjectName { schema: String::new(), name: format!("({base} AS text)") };
        let is_cast = |fact: &&Fact| {
            fact.id.kind == ObjectKind::Cast
                && (fact.id.object.name == cast.name || fact.id.part == cast.name)
        };
        if kind.form == Some(Form::AsText) && facts.iter().any(|fact| is_cast(&fact)) {
            kind.form = Some(Form::Output);
        }
        kind
    }

    fn without_casts(name: &str, base: &str, facts: &[Fact]) -> Kind {
        let scalar = |form, has_equality| Kind {
            form: Some(form),
            has_equality,
            may_have_fields: false,
            is_own: true,
        };
        if base.ends_with("[]") {
            return scalar(Form::AsText, true);
        }
        let object = object_name(&without_parentheses(name));
        let Some(object) = object.filter(|object| !object.schema.is_empty()) else {
            return built_in(name);
        };
        let fact = find(facts, ObjectKind::Type, &object, "");
        match fact.and_then(|fact| fact.attributes.get("kind")) {
            Some(Attribute::Text(kind)) if kind == "ENUM" => scalar(Form::Plain, true),
            Some(Attribute::Text(kind)) if kind == "RANGE" => scalar(Form::AsText, true),
            Some(Attribute::Text(kind)) if kind == "COMPOSITE" => {
                Kind { may_have_fields: true, ..scalar(Form::AsText, true) }
            }
            _ => Kind { form: None, has_equality: false, may_have_fields: true, is_own: true },
        }
    }
}

/// A type of the server's own, by its name with modifiers.
fn built_in(name: &str) -> Kind {
    let base = without_parentheses(name);
    let (form, has_equality) = match base.as_str() {
        "boolean" | "smallint" | "integer" | "bigint" | "oid" | "bytea" | "date" | "uuid"
        | "\"char\"" => (Form::Plain, true),
        name if name.starts_with("time") => (Form::Plain, true),
        "text" | "character varying" | "name" => (Form::Text, true),
        // A length pads every value alike; without one, spaces at the end count and do not compare.
        "character" => (Form::Text, true),
        "bpchar" => (Form::Output, true),
        "real" => (Form::Bytes("float4send"), true),
        "double precision" => (Form::Bytes("float8send"), true),
        name if name.starts_with("interval") => (Form::Bytes("interval_send"), true),
        "numeric" | "jsonb" | "money" | "inet" | "cidr" | "macaddr" | "macaddr8" | "bit"
        | "bit varying" | "pg_lsn" => (Form::AsText, true),
        name if name.ends_with("range") => (Form::AsText, true),
        _ => (Form::AsText, false),
    };
    let is_own = base.ends_with("range");
    Kind { form: Some(form), has_equality, may_have_fields: false, is_own }
}

/// The name of a type without what stands in parentheses after it, as a cast takes it: one to
/// `character` or `bit` would cut to one character.
pub(super) fn unmodified(name: &str) -> String {
    let mut base = without_parentheses(name);
    let mut dimensions = String::new();
    while let Some(element) = base.strip_suffix("[]") {
        base = element.to_owned();
        dimensions.push_str("[]");
    }
    let base = match base.as_str() {
        "character" | "bpchar" => "pg_catalog.bpchar",
        "bit" => "pg_catalog.\"bit\"",
        name if name.starts_with("interval ") => "interval",
        name => name,
    };
    format!("{base}{dimensions}")
}

fn without_parentheses(name: &str) -> String {
    let (mut out, mut depth, mut is_quoted) = (String::with_capacity(name.len()), 0usize, false);
    for character in name.chars() {
        match character {
            '"' if depth == 0 => is_quoted = !is_quoted,
            '(' if !is_quoted => {
                depth += 1;
                continue;
            }
            ')' if !is_quoted => {
                depth = depth.saturating_sub(1);
                continue;
            }
            _ => {}
        }
        if depth == 0 {
            out.push(character);
        }
    }
    out
}

/// The name that stands in SQL as `schema.name`, each quoted or not; without a schema, the name
/// alone. `None` where it is of another form.
pub(super) fn object_name(text: &str) -> Option<ObjectName> {
    let (first, rest) = identifier(text)?;
    match rest.strip_prefix('.') {
        None => rest.is_empty().then(|| ObjectName::bare(first)),
        Some(rest) => {
            let (name, rest) = identifier(rest)?;
            rest.is_empty().then_some(ObjectName { schema: first, name })
        }
    }
}

/// The identifier at the beginning of a text, and what follows it.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['.', '"']).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let (mut name, mut at) = (String::new(), 0);
    loop {
        let end = at + quoted[at..].find('"')?;
        name.push_str(&quoted[at..end]);
        if !quoted[end + 1..].starts_with('"') {
            return Some((name, &quoted[end + 1..]));
        }
        name.push('"');
        at = end + 2;
    }
}

/// A fact among those that are sorted by id.
pub(super) fn find<'f>(
    facts: &'f [Fact],
    kind: ObjectKind,
    object: &ObjectName,
    part: &str,
) -> Option<&'f Fact> {
    let id = FactId { kind, object: object.clone(), part: part.to_owned() };
    facts.binary_search_by(|fact| fact.id.cmp(&id)).ok().map(|place| &facts[place])
}

/// Whether a column or a domain has a collation beside those that compare bytes.
pub(super) fn has_own_collation(fact: Option<&Fact>) -> bool {
    match fact.and_then(|fact| fact.attributes.get("collation")) {
        Some(Attribute::Text(name)) => {
            !matches!(name.as_str(), "pg_catalog.\"C\"" | "pg_catalog.\"POSIX\"")
        }
        Some(_) => true,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_taken_away() {
        for (declared, cast) in [
            ("character varying(40)", "character varying"),
            ("character(5)", "pg_catalog.bpchar"),
            ("character(5)[]", "pg_catalog.bpchar[]"),
            ("bit(3)", "pg_catalog.\"bit\""),
            ("bit varying(5)", "bit varying"),
            ("numeric(10,2)[]", "numeric[]"),
            ("timestamp(3) without time zone", "timestamp without time zone"),
            ("interval day to second(3)", "interval"),
            ("\"char\"", "\"char\""),
            ("ext.geometry(Point,4326)", "ext.geometry"),
            ("\"Odd (x)\".\"T(1)\"", "\"Odd (x)\".\"T(1)\""),
        ] {
            assert_eq!(unmodified(declared), cast);
        }
    }

    #[test]
    fn names_are_read_as_they_are_quoted() {
        let name = |schema: &str, name: &str| {
            Some(ObjectName { schema: schema.to_owned(), name: name.to_owned() })
        };
        assert_eq!(object_name("shop.email"), name("shop", "email"));
        assert_eq!(object_name("\"Odd \"\"x\"\"\".\"a.b\""), name("Odd \"x\"", "a.b"));
        assert_eq!(object_name("double precision"), name("", "double precision"));
        assert_eq!(object_name("\"never closed"), None);
    }
}
