//! `schema/`: one file for each object of a schema, so that git shows what changed.
//!
//! An object that was defined by a statement has that; any other has its facts, one a line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::names;
use crate::model::{Attribute, Fact, ObjectName};
use crate::tree::state::TableDefinition;

/// The files, by their paths below `schema/`.
pub(super) fn files(definitions: &[TableDefinition], facts: &[Fact]) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut defined: BTreeSet<&ObjectName> = BTreeSet::new();
    for definition in definitions {
        defined.insert(&definition.object);
        let kind = definition.kind.as_str().replace(' ', "_");
        let path = format!("{kind}/{}.sql", names::file_name(&definition.object));
        let end = if definition.text.trim_end().ends_with(';') { "\n" } else { ";\n" };
        files.push((path, format!("{}{end}", definition.text)));
    }
    let mut others: BTreeMap<&ObjectName, String> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| !defined.contains(&fact.id.object)) {
        let text = others.entry(&fact.id.object).or_default();
        text.push_str(fact.id.kind.as_str());
        if !fact.id.part.is_empty() {
            let _ = write!(text, " {}", one_line(&fact.id.part));
        }
        for (name, attribute) in &fact.attributes {
            let _ = write!(text, "\n    {name}{}", value(attribute));
        }
        text.push('\n');
    }
    for (object, text) in others {
        let path = if object.name.is_empty() && object.schema.is_empty() {
            "facts/database.txt".to_owned()
        } else {
            format!("facts/{}.txt", names::file_name(object))
        };
        files.push((path, text));
    }
    files
}

fn value(attribute: &Attribute) -> String {
    match attribute {
        Attribute::Flag => String::new(),
        Attribute::Number(number) => format!(": {number}"),
        Attribute::Text(text) => format!(": {}", one_line(text)),
        Attribute::List(list) => {
            let list: Vec<String> = list.iter().map(|text| one_line(text)).collect();
            format!(": {}", list.join(", "))
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}
