//! Schema changes in words: what was created, dropped or altered, and how.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use crate::diff::SchemaChange;
use crate::model::{Attribute, Fact};

/// The stable word for a change, as in JSON.
pub fn change_word(change: &SchemaChange) -> &'static str {
    match (&change.before, &change.after) {
        (None, _) => "created",
        (_, None) => "dropped",
        _ => "altered",
    }
}

/// `+`, `-` or `~`.
pub fn sign(change: &SchemaChange) -> char {
    match change_word(change) {
        "created" => '+',
        "dropped" => '-',
        _ => '~',
    }
}

/// One line for a person: sign, kind, name.
pub fn headline(change: &SchemaChange) -> String {
    format!("{} {} {}", sign(change), change.id.kind, change.id)
}

/// For an altered fact, a line for each attribute that differs.
pub fn details(change: &SchemaChange) -> Vec<String> {
    let (Some(before), Some(after)) = (&change.before, &change.after) else {
        return Vec::new();
    };
    let names: BTreeSet<&String> =
        before.attributes.keys().chain(after.attributes.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.attributes.get(*name) != after.attributes.get(*name))
        .map(|name| format!("{name}: {} → {}", shown(before, name), shown(after, name)))
        .collect()
}

fn shown(fact: &Fact, name: &str) -> String {
    match fact.attributes.get(name) {
        None => "none".to_owned(),
        Some(Attribute::Flag) => "yes".to_owned(),
        Some(Attribute::Number(number)) => number.to_string(),
        Some(Attribute::Text(text)) => text.clone(),
        Some(Attribute::List(list)) => format!("({})", list.join(", ")),
    }
}

/// A change as an element of `schema` in JSON.
pub fn to_json(change: &SchemaChange) -> Json {
    let mut object = json!({
        "kind": change.id.kind.as_str(),
        "name": change.id.to_string(),
        "change": change_word(change),
    });
    let details = details(change);
    if !details.is_empty() {
        object["details"] = json!(details);
    }
    object
}
