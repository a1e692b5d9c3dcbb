//! Schema changes of a page: one entry an object, with its text before and after.
//!
//! What belongs to an object that has a text (a table's columns and constraints) is told with it.
//! What has no text, or the same on both sides (owners, comments, settings), is told by what the
//! catalog says of it, an attribute a line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::super::schema::{Grouped, details, grouped, shown, sign};
use crate::diff::{SchemaChange, TableDefinition};
use crate::model::{Fact, ObjectKind, ObjectName};

/// No longer text is shown.
const LONGEST: usize = 64 << 10;

/// What an object is found by.
type Id = (ObjectKind, ObjectName);

/// The texts of the objects of both sides.
#[derive(Debug, Default)]
pub struct Definitions {
    before: BTreeMap<Id, String>,
    after: BTreeMap<Id, String>,
    orders: BTreeMap<String, Vec<String>>,
}

impl Definitions {
    /// The definitions of the left side and of the right.
    pub fn new(before: Vec<TableDefinition>, after: Vec<TableDefinition>) -> Definitions {
        let mut orders: BTreeMap<String, Vec<String>> = BTreeMap::new();
        // A column that was dropped comes after those that are there.
        for definition in after.iter().chain(&before) {
            if definition.kind == ObjectKind::Table {
                let order = orders.entry(definition.object.to_string()).or_default();
                let known: BTreeSet<&String> = order.iter().collect();
                let new = |name: &&String| !known.contains(name);
                let more: Vec<String> =
                    definition.column_order.iter().filter(new).cloned().collect();
                order.extend(more);
            }
        }
        let texts = |list: Vec<TableDefinition>| {
            list.into_iter().map(|d| ((d.kind, d.object), d.text)).collect()
        };
        Definitions { before: texts(before), after: texts(after), orders }
    }

    /// The names of each table's columns in its order.
    pub(super) fn column_orders(&self) -> BTreeMap<String, Vec<String>> {
        self.orders.clone()
    }

    fn has(&self, id: &Id) -> bool {
        self.before.contains_key(id) || self.after.contains_key(id)
    }

    /// The object whose text tells of a change.
    fn host(&self, change: &SchemaChange) -> Option<Id> {
        use ObjectKind::{
            Comment, DefaultGrant, Domain, Foreign, Grant, MaterializedView, Owner, Routine,
            Sequence, Setting, Table, Type, View, VirtualTable,
        };
        let id = &change.id;
        if matches!(id.kind, Comment | DefaultGrant | Grant | Owner | Setting) {
            return None;
        }
        let owners = [Table, View, MaterializedView, VirtualTable, Foreign, Type, Domain, Sequence];
        let kinds = [id.kind].into_iter().chain(owners).chain([Routine]);
        kinds.map(|kind| (kind, id.object.clone())).find(|id| self.has(id))
    }
}

/// An object that changed.
pub(super) struct Entry {
    sign: char,
    kind: &'static str,
    name: String,
    /// What belongs to an object that came or went.
    parts: String,
    facts: Vec<Json>,
    before: Option<String>,
    after: Option<String>,
    /// The bytes of a text that was too long.
    cut: Option<usize>,
}

impl Entry {
    /// The entry as an item of the page's blocks.
    pub(super) fn to_json(&self) -> Json {
        json!({
            "sign": self.sign.to_string(),
            "kind": self.kind,
            "name": self.name,
            "parts": self.parts,
            "facts": self.facts,
            "before": self.before,
            "after": self.after,
            "cut": self.cut,
        })
    }
}

/// The entries, and how many changes they tell of.
pub(super) struct Cards {
    pub(super) entries: Vec<Entry>,
    pub(super) changes: usize,
}

/// Makes an entry of each object that changed: what is on a table follows it.
pub(super) fn cards(changes: &[SchemaChange], texts: &Definitions) -> Cards {
    let groups = grouped(changes);
    let mut hosted: BTreeMap<(bool, String, Id), Vec<&Grouped<'_>>> = BTreeMap::new();
    for group in &groups {
        let id = &group.change.id;
        let host = texts.host(group.change).unwrap_or((id.kind, id.object.clone()));
        let fact = group.change.after.as_ref().or(group.change.before.as_ref());
        let table = fact.and_then(Fact::table).unwrap_or_else(|| id.object.clone());
        let key = (id.kind != ObjectKind::Setting, table.to_string(), host);
        hosted.entry(key).or_default().push(group);
    }
    let entries = hosted.iter().map(|((_, _, id), groups)| entry(id, groups, texts)).collect();
    Cards { entries, changes: groups.len() }
}

fn entry(id: &Id, groups: &[&Grouped<'_>], texts: &Definitions) -> Entry {
    let own = groups
        .iter()
        .find(|group| (group.change.id.kind, &group.change.id.object) == (id.0, &id.1));
    let sign = own.map_or('~', |group| sign(group.change));
    let facts = groups.iter().map(|group| {
        json!([
            super::super::schema::sign(group.change).to_string(),
            group.words(),
            details(group.change)
        ])
    });
    let text = |side: &BTreeMap<Id, String>| {
        let parts = groups.iter().flat_map(|group| &group.parts);
        let with_parts: Vec<&String> = [id.clone()]
            .into_iter()
            .chain(
                parts.map(|part| (part.id.kind, part.id.object.clone())).filter(|part| part != id),
            )
            .collect::<Vec<_>>()
            .iter()
            .filter_map(|id| side.get(id))
            .collect();
        let joined: Vec<String> = with_parts.into_iter().map(|text| format!("{text};")).collect();
        (!joined.is_empty()).then(|| joined.join("\n\n"))
    };
    let (mut before, mut after) = (text(&texts.before), text(&texts.after));
    if before == after {
        (before, after) = said(groups);
    }
    let mut cut = None;
    for text in [&mut before, &mut after].into_iter().flatten() {
        if text.len() > LONGEST {
            cut = cut.max(Some(text.len()));
            text.truncate(text.floor_char_boundary(LONGEST));
        }
    }
    let (kind, name) = (id.0.as_str(), id.1.to_string());
    let parts = own.map(|group| group.part_words()).unwrap_or_default();
    Entry { sign, kind, name, parts, facts: facts.collect(), before, after, cut }
}

/// What the catalog says before and after, an attribute a line.
fn said(groups: &[&Grouped<'_>]) -> (Option<String>, Option<String>) {
    let side = |of: fn(&SchemaChange) -> Option<&Fact>| {
        let mut text = String::new();
        for change in
            groups.iter().flat_map(|g| [g.change].into_iter().chain(g.parts.iter().copied()))
        {
            let Some(fact) = of(change) else { continue };
            let _ = writeln!(text, "{} {}", fact.id.kind, fact.id);
            for name in fact.attributes.keys() {
                let _ = writeln!(text, "    {name}: {}", shown(fact, name));
            }
        }
        (!text.is_empty()).then(|| text.trim_end().to_owned())
    };
    (side(|change| change.before.as_ref()), side(|change| change.after.as_ref()))
}
