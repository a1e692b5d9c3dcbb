//! The facts of one schema, found by identity and by object, with the texts beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::reading::list;

use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// A schema to look things up in.
#[derive(Debug, Clone, Default)]
pub struct Schema<'a> {
    by_id: BTreeMap<&'a FactId, &'a Fact>,
    by_object: BTreeMap<&'a ObjectName, Vec<&'a Fact>>,
    indexes: BTreeMap<ObjectName, Vec<&'a Fact>>,
    inherited: BTreeSet<&'a str>,
    texts: BTreeMap<(ObjectKind, &'a ObjectName), &'a str>,
    column_orders: BTreeMap<&'a ObjectName, &'a [String]>,
    has_rows: BTreeMap<&'a ObjectName, bool>,
}

impl<'a> Schema<'a> {
    /// The schema of these facts.
    pub fn new(facts: impl IntoIterator<Item = &'a Fact>) -> Schema<'a> {
        let mut schema = Schema::default();
        for fact in facts {
            schema.by_id.insert(&fact.id, fact);
            schema.by_object.entry(&fact.id.object).or_default().push(fact);
            schema.inherited.extend(list(fact, "inherits").iter().map(String::as_str));
            if let Some(table) = indexed(fact) {
                schema.indexes.entry(table).or_default().push(fact);
            }
        }
        let lists = schema.by_object.values_mut().chain(schema.indexes.values_mut());
        lists.for_each(|facts| facts.sort_by(|a, b| a.id.cmp(&b.id)));
        schema
    }

    /// What `ask` says of this schema if it had a fact besides; afterwards it is as it was.
    pub fn with<T>(&mut self, fact: &'a Fact, ask: impl FnOnce(&Schema<'a>) -> T) -> T {
        if self.by_id.contains_key(&fact.id) {
            return ask(self);
        }
        let id = &fact.id;
        let add = |facts: &mut Vec<&'a Fact>| {
            facts.insert(facts.partition_point(|other| other.id < *id), fact);
        };
        let take = |facts: &mut Vec<&'a Fact>| facts.retain(|other| other.id != *id);
        let inherits = list(fact, "inherits").iter().map(String::as_str);
        let inherited: Vec<&str> = inherits.filter(|name| self.inherited.insert(name)).collect();
        self.by_id.insert(id, fact);
        add(self.by_object.entry(&id.object).or_default());
        let table = indexed(fact);
        if let Some(table) = &table {
            add(self.indexes.entry(table.clone()).or_default());
        }
        let said = ask(self);
        inherited.iter().for_each(|name| {
            self.inherited.remove(name);
        });
        self.by_id.remove(id);
        self.by_object.get_mut(&id.object).map(take);
        table.and_then(|table| self.indexes.get_mut(&table)).map(take);
        said
    }

    /// Notes the text by which an object was defined.
    pub fn define(&mut self, kind: ObjectKind, object: &'a ObjectName, text: &'a str) {
        self.texts.insert((kind, object), text);
    }

    /// Notes the order of a table's columns.
    pub fn order_columns(&mut self, table: &'a ObjectName, names: &'a [String]) {
        self.column_orders.insert(table, names);
    }

    /// Notes whether a table has rows.
    pub fn count_rows(&mut self, table: &'a ObjectName, has_rows: bool) {
        self.has_rows.insert(table, has_rows);
    }

    /// Takes texts, orders and counts from another schema.
    #[must_use]
    pub fn described_like(mut self, other: &Schema<'a>) -> Schema<'a> {
        self.texts.clone_from(&other.texts);
        self.column_orders.clone_from(&other.column_orders);
        self.has_rows.clone_from(&other.has_rows);
        self
    }

    /// All facts, sorted by id.
    pub fn facts(&self) -> impl Iterator<Item = &'a Fact> + '_ {
        self.by_id.values().copied()
    }

    /// All facts of a kind, sorted by id.
    pub fn of_kind(&self, kind: ObjectKind) -> impl Iterator<Item = &'a Fact> + '_ {
        let first = FactId { kind, object: ObjectName::bare(""), part: String::new() };
        self.by_id
            .range::<FactId, _>((Bound::Included(&first), Bound::Unbounded))
            .map(|(_, fact)| *fact)
            .take_while(move |fact| fact.id.kind == kind)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The fact of this identity.
    pub fn get(&self, id: &FactId) -> Option<&'a Fact> {
        self.by_id.get(id).copied()
    }

    /// The fact of this kind that is about an object as a whole.
    pub fn object(&self, kind: ObjectKind, object: &ObjectName) -> Option<&'a Fact> {
        self.part(kind, object, "")
    }

    /// The fact of this kind about a part of an object.
    pub fn part(&self, kind: ObjectKind, object: &ObjectName, part: &str) -> Option<&'a Fact> {
        self.of(object).iter().copied().find(|fact| fact.id.kind == kind && fact.id.part == part)
    }

    /// Everything that is said of an object under its own name, sorted by id.
    pub fn of(&self, object: &ObjectName) -> &[&'a Fact] {
        self.by_object.get(object).map_or(&[], Vec::as_slice)
    }

    /// What is said of an object, of one kind.
    pub fn parts(
        &self,
        kind: ObjectKind,
        object: &ObjectName,
    ) -> impl Iterator<Item = &'a Fact> + '_ {
        self.of(object).iter().copied().filter(move |fact| fact.id.kind == kind)
    }

    /// The indexes of a table, sorted by id.
    pub fn indexes(&self, table: &ObjectName) -> impl Iterator<Item = &'a Fact> + '_ {
        self.indexes.get(table).into_iter().flatten().copied()
    }

    /// Every name that a fact says it `inherits` from, as it says it.
    pub fn inherited(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.inherited.iter().copied()
    }

    /// The columns of a table, in its order; those whose place is not known last, by name.
    pub fn columns(&self, table: &ObjectName) -> Vec<&'a Fact> {
        let order = self.column_orders.get(table).copied().unwrap_or_default();
        let mut columns: Vec<_> = self.parts(ObjectKind::Column, table).collect();
        let place = |fact: &Fact| order.iter().position(|name| *name == fact.id.part);
        columns.sort_by_key(|fact| (place(fact).unwrap_or(usize::MAX), &fact.id.part));
        columns
    }

    /// The text by which an object was defined, as the server keeps it.
    pub fn definition(&self, kind: ObjectKind, object: &ObjectName) -> Option<&'a str> {
        self.texts.get(&(kind, object)).copied()
    }

    /// Whether a table has rows; one that nothing is known of has.
    pub fn has_rows(&self, table: &ObjectName) -> bool {
        self.has_rows.get(table).copied().unwrap_or(true)
    }
}

/// The table that an index is on.
fn indexed(fact: &Fact) -> Option<ObjectName> {
    if fact.id.kind == ObjectKind::Index { fact.table() } else { None }
}
