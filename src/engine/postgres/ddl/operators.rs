//! Operators, their classes and families, casts and text search.
//!
//! What a family holds is told of the family. What concerns the type of one of its classes alone is
//! made with the class, the rest with the family.

use super::spelling::{parsed, qualified, quoted, signed, without_arguments};
use super::words::{self, is_symbol};
use crate::engine::ddl::{Alteration, Schema, Statement, flag, list, text};
use crate::model::{Fact, ObjectKind, ObjectName};

/// `OPERATOR(schema.symbol)`, from what the server writes with the operands.
pub(super) fn reference(signature: &str) -> String {
    let symbol = without_arguments(signature);
    let at = symbol.find(|c: char| "+-*/<>=~!@#%^&|`?".contains(c)).unwrap_or(0);
    match at {
        0 => format!("OPERATOR(pg_catalog.{symbol})"),
        _ => format!("OPERATOR({symbol})"),
    }
}

/// Makes an operator, or a class or family of them.
pub(super) fn create(fact: &Fact, to: &Schema<'_>) -> Result<Vec<Statement>, String> {
    match fact.id.part.as_str() {
        "class" => class(fact, to),
        "family" => family(fact, to),
        _ => operator(fact),
    }
}

fn operator(operator: &Fact) -> Result<Vec<Statement>, String> {
    let object = &operator.id.object;
    let (symbol, operands) = object
        .name
        .split_once('(')
        .filter(|(symbol, _)| is_symbol(symbol))
        .and_then(|(symbol, operands)| Some((symbol, operands.strip_suffix(')')?)))
        .ok_or_else(|| format!("the operator {object} has no operands"))?;
    let function = text(operator, "function")
        .ok_or_else(|| format!("the operator {object} has no function"))?;
    let mut options = vec![format!("FUNCTION = {}", without_arguments(function))];
    let (left, right) = split_operands(operands)
        .ok_or_else(|| format!("the operands of the operator {object} are not clear"))?;
    for (operand, words) in [(left, "LEFTARG"), (right, "RIGHTARG")] {
        if operand != "NONE" {
            options.push(format!("{words} = {operand}"));
        }
    }
    for (name, words) in [("commutator", "COMMUTATOR"), ("negator", "NEGATOR")] {
        if let Some(other) = text(operator, name) {
            options.push(format!("{words} = {}", reference(other)));
        }
    }
    for (name, words) in [("restrict", "RESTRICT"), ("join", "JOIN")] {
        if let Some(function) = text(operator, name) {
            options.push(format!("{words} = {}", without_arguments(function)));
        }
    }
    for (name, words) in [("hashes", "HASHES"), ("merges", "MERGES")] {
        if flag(operator, name) {
            options.push(words.to_owned());
        }
    }
    Ok(vec![Statement::whole(format!(
        "CREATE OPERATOR {}.{symbol} (\n    {}\n)",
        quoted(&object.schema),
        options.join(",\n    ")
    ))])
}

/// Two types, between which stands a comma outside of quotes.
fn split_operands(operands: &str) -> Option<(&str, &str)> {
    let mut is_quoted = false;
    for (at, character) in operands.char_indices() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => {
                let right = &operands[at + 1..];
                return Some((&operands[..at], right.strip_prefix(' ').unwrap_or(right)));
            }
            _ => {}
        }
    }
    None
}

/// An item of a family: a number, an operator or operands and a function.
struct Item {
    /// As a class takes it.
    words: String,
    operands: (String, String),
}

fn items(family: &Fact) -> Result<Vec<Item>, String> {
    let unclear = |item: &str| format!("`{item}` of {} is not clear", family.id.object);
    let mut items = Vec::new();
    for item in list(family, "operators") {
        let (number, rest) = item.split_once(' ').ok_or_else(|| unclear(item))?;
        let (signature, ordering) = match rest.split_once(" FOR ORDER BY ") {
            Some((signature, order)) => (signature, format!(" FOR ORDER BY {order}")),
            None => (rest, String::new()),
        };
        let (symbol, operands) =
            super::spelling::split_signature(signature).ok_or_else(|| unclear(item))?;
        let (left, right) = split_operands(operands).ok_or_else(|| unclear(item))?;
        items.push(Item {
            words: format!("OPERATOR {number} {symbol} ({left}, {right}){ordering}"),
            operands: (left.to_owned(), right.to_owned()),
        });
    }
    for item in list(family, "functions") {
        let (number, rest) = item.split_once(" (").ok_or_else(|| unclear(item))?;
        let (operands, function) = rest.split_once(") ").ok_or_else(|| unclear(item))?;
        let (left, right) = split_operands(operands).ok_or_else(|| unclear(item))?;
        items.push(Item {
            words: format!("FUNCTION {number} ({left}, {right}) {function}"),
            operands: (left.to_owned(), right.to_owned()),
        });
    }
    Ok(items)
}

/// The family of a class.
pub(super) fn family_of<'a>(class: &Fact, schema: &Schema<'a>) -> Option<&'a Fact> {
    let name = parsed(text(class, "family")?)?;
    let (_, method) = class.id.object.name.rsplit_once(" USING ")?;
    let object = ObjectName { schema: name.schema, name: format!("{} USING {method}", name.name) };
    schema.part(ObjectKind::Operator, &object, "family")
}

/// The routines and operators that a family holds.
pub(super) fn members(family: &Fact) -> Vec<ObjectName> {
    let operators = list(family, "operators").iter().filter_map(|item| {
        let (_, rest) = item.split_once(' ')?;
        signed(rest.split_once(" FOR ORDER BY ").map_or(rest, |(signature, _)| signature))
    });
    let functions = list(family, "functions").iter().filter_map(|item| {
        let (_, rest) = item.split_once(" (")?;
        signed(rest.split_once(") ")?.1)
    });
    operators.chain(functions).collect()
}

/// The types for which a family has classes, with the first class of each.
fn classes<'a>(family: &Fact, schema: &Schema<'a>) -> Vec<(&'a str, &'a Fact)> {
    let mut classes: Vec<(&'a str, &'a Fact)> = Vec::new();
    for class in schema.of_kind(ObjectKind::Operator).filter(|fact| fact.id.part == "class") {
        let is_of = family_of(class, schema).is_some_and(|of| of.id == family.id);
        if let Some(declared) = text(class, "type")
            && is_of
            && classes.iter().all(|(known, _)| *known != declared)
        {
            classes.push((declared, class));
        }
    }
    classes
}

fn family(family: &Fact, to: &Schema<'_>) -> Result<Vec<Statement>, String> {
    let name = words::of_method(&family.id.object)?;
    let classes = classes(family, to);
    let loose: Vec<String> = items(family)?
        .into_iter()
        .filter(|Item { operands: (left, right), .. }| {
            left != right || classes.iter().all(|(declared, _)| declared != left)
        })
        .map(|item| item.words)
        .collect();
    let mut statements = vec![Statement::whole(format!("CREATE OPERATOR FAMILY {name}"))];
    if !loose.is_empty() {
        statements.push(Statement::whole(format!(
            "ALTER OPERATOR FAMILY {name} ADD\n    {}",
            loose.join(",\n    ")
        )));
    }
    Ok(statements)
}

fn class(class: &Fact, to: &Schema<'_>) -> Result<Vec<Statement>, String> {
    let object = &class.id.object;
    let (name, method) = object
        .name
        .rsplit_once(" USING ")
        .ok_or_else(|| format!("`{object}` names no access method"))?;
    let name = ObjectName { schema: object.schema.clone(), name: name.to_owned() };
    let (Some(declared), Some(of)) = (text(class, "type"), text(class, "family")) else {
        return Err(format!("the operator class {object} is of no type"));
    };
    let default = if flag(class, "default") { " DEFAULT" } else { "" };
    let mut parts = Vec::new();
    if let Some(family) = family_of(class, to)
        && classes(family, to).iter().any(|(_, first)| first.id == class.id)
    {
        let own = items(family)?
            .into_iter()
            .filter(|item| item.operands.0 == declared && item.operands.1 == declared);
        parts.extend(own.map(|item| item.words));
    }
    if let Some(storage) = text(class, "storage") {
        parts.push(format!("STORAGE {storage}"));
    }
    if parts.is_empty() {
        return Err(format!("nothing of its family belongs to the operator class {object}"));
    }
    Ok(vec![Statement::whole(format!(
        "CREATE OPERATOR CLASS {}{default} FOR TYPE {declared} USING {} FAMILY {of} AS\n    {}",
        qualified(&name),
        quoted(method),
        parts.join(",\n    ")
    ))])
}

/// Drops an operator, a class or a family.
pub(super) fn drop(fact: &Fact) -> Result<Vec<Statement>, String> {
    let object = &fact.id.object;
    Ok(vec![Statement::whole(match fact.id.part.as_str() {
        "class" => format!("DROP OPERATOR CLASS {}", words::of_method(object)?),
        "family" => format!("DROP OPERATOR FAMILY {}", words::of_method(object)?),
        _ => format!("DROP OPERATOR {}", words::operator(object)?),
    })])
}

/// Makes a cast.
pub(super) fn create_cast(cast: &Fact) -> Vec<Statement> {
    let how = match (text(cast, "function"), text(cast, "method")) {
        (Some(function), _) => format!("WITH FUNCTION {function}"),
        (None, Some("INOUT")) => "WITH INOUT".to_owned(),
        (None, _) => "WITHOUT FUNCTION".to_owned(),
    };
    let when = match text(cast, "context") {
        Some(context) => format!(" AS {context}"),
        None => String::new(),
    };
    vec![Statement::whole(format!("CREATE CAST {} {how}{when}", cast.id.object.name))]
}

/// Drops a cast.
pub(super) fn drop_cast(cast: &Fact) -> Vec<Statement> {
    vec![Statement::whole(format!("DROP CAST {}", cast.id.object.name))]
}

/// Makes an object of text search.
pub(super) fn create_search(search: &Fact) -> Result<Vec<Statement>, String> {
    let name = qualified(&search.id.object);
    let missing = || format!("the text search {} {name} is not whole", search.id.part);
    let function = |attribute: &str, words: &str| {
        text(search, attribute).map(|f| format!("{words} = {}", without_arguments(f)))
    };
    let list = |options: Vec<Option<String>>| -> String {
        options.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    let head = format!("CREATE TEXT SEARCH {} {name}", search.id.part.to_uppercase());
    Ok(match search.id.part.as_str() {
        "configuration" => {
            let parser = text(search, "parser").ok_or_else(missing)?;
            let mut statements = vec![Statement::whole(format!("{head} (PARSER = {parser})"))];
            statements.extend(mappings(search, "ADD"));
            statements
        }
        "dictionary" => {
            let template = text(search, "template").ok_or_else(missing)?;
            let options = text(search, "options").map(str::to_owned);
            let options = list(vec![Some(format!("TEMPLATE = {template}")), options]);
            vec![Statement::whole(format!("{head} ({options})"))]
        }
        "parser" => {
            let options = list(vec![
                function("start", "START"),
                function("token", "GETTOKEN"),
                function("end", "END"),
                function("token-types", "LEXTYPES"),
                function("headline", "HEADLINE"),
            ]);
            vec![Statement::whole(format!("{head} ({options})"))]
        }
        _ => {
            let options = list(vec![function("init", "INIT"), function("lexize", "LEXIZE")]);
            vec![Statement::whole(format!("{head} ({options})"))]
        }
    })
}

fn mappings(search: &Fact, verb: &str) -> Vec<Statement> {
    let name = qualified(&search.id.object);
    list(search, "mappings")
        .iter()
        .filter_map(|mapping| mapping.split_once(": "))
        .map(|(token, dictionaries)| {
            Statement::whole(format!(
                "ALTER TEXT SEARCH CONFIGURATION {name} {verb} MAPPING FOR {} WITH {dictionaries}",
                quoted(token)
            ))
        })
        .collect()
}

/// Drops an object of text search.
pub(super) fn drop_search(search: &Fact) -> Vec<Statement> {
    let name = qualified(&search.id.object);
    let kind = search.id.part.to_uppercase();
    vec![Statement::whole(format!("DROP TEXT SEARCH {kind} {name}"))]
}

/// Operators, casts and objects of text search are made anew.
pub(super) fn alter(before: &Fact, after: &Fact) -> Alteration {
    match before.attributes == after.attributes {
        true => Alteration::InPlace(Vec::new()),
        false => Alteration::Remade,
    }
}
