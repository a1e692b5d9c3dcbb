//! The texts of objects, for people to read; no part of the state.
//!
//! The server keeps no text of a table, so one is put together: columns in their order, then
//! constraints by name. What one object has several of (the triggers of a name, the policies of a
//! table) stands in one text.

use std::collections::BTreeMap;

use super::query::Found;
use crate::model::{Definition, ObjectKind, ObjectName};

/// What stands within and around CREATE TABLE.
#[derive(Default)]
struct TableText {
    head: String,
    columns: Vec<(i64, String)>,
    constraints: Vec<String>,
    partition: Option<String>,
    key: Option<String>,
}

/// The definitions of what was found, sorted.
pub(super) fn of(found: &[Found]) -> Vec<Definition> {
    let mut tables: BTreeMap<&ObjectName, TableText> = BTreeMap::new();
    let mut texts: BTreeMap<(ObjectKind, &ObjectName), Vec<&str>> = BTreeMap::new();
    for found in found {
        let (id, Some(text)) = (&found.fact.id, &found.definition) else { continue };
        let is_of_table = found.relation.is_some();
        match id.kind {
            ObjectKind::Table => tables.entry(&id.object).or_default().head.clone_from(text),
            ObjectKind::Partition if id.part.is_empty() => {
                tables.entry(&id.object).or_default().key = Some(text.clone());
            }
            ObjectKind::Partition => {
                tables.entry(&id.object).or_default().partition = Some(text.clone());
            }
            ObjectKind::Column => {
                let table = tables.entry(&id.object).or_default();
                table.columns.push((found.sub, text.clone()));
            }
            ObjectKind::PrimaryKey
            | ObjectKind::Unique
            | ObjectKind::Check
            | ObjectKind::ForeignKey
            | ObjectKind::Exclusion => {
                if is_of_table {
                    tables.entry(&id.object).or_default().constraints.push(text.clone());
                }
            }
            kind => texts.entry((kind, &id.object)).or_default().push(text),
        }
    }
    let tables = tables
        .into_iter()
        .filter(|(_, table)| !table.head.is_empty())
        .map(|(object, table)| define(ObjectKind::Table, object, table.text()));
    let mut definitions: Vec<Definition> = tables.collect();
    definitions.extend(texts.into_iter().map(|((kind, object), mut texts)| {
        texts.sort_unstable();
        define(kind, object, texts.join(";\n"))
    }));
    definitions.sort_by(|a, b| (a.kind, &a.object).cmp(&(b.kind, &b.object)));
    definitions
}

fn define(kind: ObjectKind, object: &ObjectName, text: String) -> Definition {
    Definition { kind, object: object.clone(), text }
}

impl TableText {
    fn text(mut self) -> String {
        self.columns.sort();
        self.constraints.sort();
        let lines: Vec<String> =
            self.columns.into_iter().map(|(_, text)| text).chain(self.constraints).collect();
        let mut text = self.head;
        if let Some(partition) = self.partition {
            text.push(' ');
            text.push_str(&partition);
        } else if lines.is_empty() {
            text.push_str(" ()");
        } else {
            text.push_str(" (\n    ");
            text.push_str(&lines.join(",\n    "));
            text.push_str("\n)");
        }
        if let Some(key) = self.key {
            text.push(' ');
            text.push_str(&key);
        }
        text
    }
}
