//! Which schema statements a pack runs, before and after the rows, and which it cannot run.
//!
//! Tables, indexes, views and triggers are created and dropped, and columns added; every other
//! change of the schema is refused by name. Statements of creation are the texts by which the
//! wanted database defines its objects. The rows change in between, so that what is new (an index,
//! a trigger) does not meet them half done, and what is old does not stand in their way.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::{self, NewColumn};
use super::consent::{Class, Consent};
use super::enforcement::Enforcement;
use super::error::Refusal;
use super::rules::{Rules, flag, text};
use crate::diff::{SchemaChange, TableDefinition};
use crate::model::{Fact, FactId, ObjectKind};

/// What a schema step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SchemaVerb {
    /// Removes a trigger.
    DropTrigger,
    /// Removes a view.
    DropView,
    /// Removes an index.
    DropIndex,
    /// Removes a table with its rows.
    DropTable,
    /// Makes a table.
    CreateTable,
    /// Adds a column to a table.
    AddColumn,
    /// Removes a column that the pack added: only when a pack is undone.
    DropColumn,
    /// Makes an index.
    CreateIndex,
    /// Makes a view.
    CreateView,
    /// Makes a trigger.
    CreateTrigger,
}

impl SchemaVerb {
    /// The stable name, as in the pack.
    pub fn as_str(self) -> &'static str {
        match self {
            SchemaVerb::DropTrigger => "drop-trigger",
            SchemaVerb::DropView => "drop-view",
            SchemaVerb::DropIndex => "drop-index",
            SchemaVerb::DropTable => "drop-table",
            SchemaVerb::CreateTable => "create-table",
            SchemaVerb::AddColumn => "add-column",
            SchemaVerb::DropColumn => "drop-column",
            SchemaVerb::CreateIndex => "create-index",
            SchemaVerb::CreateView => "create-view",
            SchemaVerb::CreateTrigger => "create-trigger",
        }
    }
}

/// One schema statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStep {
    /// What it does.
    pub verb: SchemaVerb,
    /// The object.
    pub object: String,
    /// The table it belongs to, or the object itself.
    pub table: String,
    /// For columns: which.
    pub column: Option<String>,
    /// The statement.
    pub statement: String,
}

/// A step that does not run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaLeftOut {
    /// The step.
    pub step: SchemaStep,
    /// What allows it; none where something else is in its way.
    pub class: Option<Class>,
    /// Why it is left out.
    pub reason: String,
}

/// What happens to the schema.
#[derive(Debug, Default)]
pub struct SchemaPlan {
    /// What runs before the rows, in order.
    pub before_rows: Vec<SchemaStep>,
    /// What runs after the rows, in order.
    pub after_rows: Vec<SchemaStep>,
    /// What does not run.
    pub left_out: Vec<SchemaLeftOut>,
    /// What cannot be done at all.
    pub refusals: Vec<Refusal>,
    /// The facts while rows change.
    pub facts_for_rows: Vec<Fact>,
    /// The facts when the pack has run.
    pub facts_after: Vec<Fact>,
    /// Whether dropping tables needs foreign keys checked at the end.
    pub is_deferred: bool,
}

impl SchemaPlan {
    /// Nothing of the schema changes.
    pub fn unchanged(facts: &[Fact]) -> SchemaPlan {
        SchemaPlan {
            before_rows: Vec::new(),
            after_rows: Vec::new(),
            left_out: Vec::new(),
            refusals: Vec::new(),
            facts_for_rows: facts.to_vec(),
            facts_after: facts.to_vec(),
            is_deferred: false,
        }
    }
}

/// One side's schema.
#[derive(Debug, Clone, Copy)]
pub struct SchemaSide<'a> {
    /// Its facts.
    pub facts: &'a [Fact],
    /// The texts of its objects.
    pub definitions: &'a [TableDefinition],
}

/// What may be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the target's state to the wanted one.
    Forward,
    /// Back, undoing exactly what a pack did.
    Back,
}

/// Everything the planning of the schema looks at.
pub struct SchemaInput<'a> {
    /// The schema as it is.
    pub before: SchemaSide<'a>,
    /// The schema as it should be.
    pub after: SchemaSide<'a>,
    /// What differs.
    pub changes: &'a [SchemaChange],
    /// What may be dropped.
    pub consent: &'a Consent,
    /// Which way.
    pub direction: Direction,
    /// Whether a table of `before` has rows.
    pub has_rows: &'a dyn Fn(&str) -> bool,
    /// Whether rows of a table stay that the wanted state does not have.
    pub keeps_rows: &'a dyn Fn(&str) -> bool,
}

const UNSUPPORTED_HINT: &str = "packs create and drop tables, indexes, views and triggers and add columns; make this change \
     by hand in the target, take a new snapshot of it, and make the pack again";

/// Plans the schema.
pub fn plan(input: &SchemaInput<'_>) -> SchemaPlan {
    let mut planner = Planner {
        input,
        plan: SchemaPlan::default(),
        dropped_tables: BTreeSet::new(),
        kept_tables: BTreeSet::new(),
        dropped: BTreeSet::new(),
        created: Vec::new(),
        drops: Vec::new(),
        replaced_views: BTreeSet::new(),
        columns: Vec::new(),
        not_made: BTreeSet::new(),
    };
    planner.tables();
    planner.objects();
    planner.triggers_of_replaced_views();
    planner.resolve_names();
    planner.finish()
}

struct Planner<'a> {
    input: &'a SchemaInput<'a>,
    plan: SchemaPlan,
    /// Tables that go, and tables that would go if it were allowed.
    dropped_tables: BTreeSet<&'a str>,
    kept_tables: BTreeSet<&'a str>,
    /// Names that become free: of indexes, views and triggers that go.
    dropped: BTreeSet<(ObjectKind, &'a str)>,
    created: Vec<SchemaStep>,
    drops: Vec<SchemaStep>,
    replaced_views: BTreeSet<&'a str>,
    columns: Vec<SchemaStep>,
    /// Objects that are not made although they are wanted.
    not_made: BTreeSet<(ObjectKind, String)>,
}

fn is_of_table(kind: ObjectKind) -> bool {
    matches!(
        kind,
        ObjectKind::Table
            | ObjectKind::Column
            | ObjectKind::PrimaryKey
            | ObjectKind::Unique
            | ObjectKind::Check
            | ObjectKind::ForeignKey
    )
}

fn quoted(name: &str) -> String {
    columns::identifier(name)
}

impl<'a> Planner<'a> {
    fn tables(&mut self) {
        let mut by_table: BTreeMap<&str, Vec<&SchemaChange>> = BTreeMap::new();
        for change in self.input.changes.iter().filter(|change| is_of_table(change.id.kind)) {
            by_table.entry(&change.id.object.name).or_default().push(change);
        }
        for (table, changes) in by_table {
            let of_table = changes.iter().find(|change| change.id.kind == ObjectKind::Table);
            match of_table.map(|change| (&change.before, &change.after)) {
                Some((None, Some(_))) => self.create(ObjectKind::Table, table, table),
                Some((Some(_), None)) => self.drop_table(table),
                _ => self.alter_table(table, &changes),
            }
        }
    }

    fn drop_table(&mut self, table: &'a str) {
        let step = SchemaStep {
            verb: SchemaVerb::DropTable,
            object: table.to_owned(),
            table: table.to_owned(),
            column: None,
            statement: format!("DROP TABLE {}", quoted(table)),
        };
        if self.input.consent.allows(Class::DropTable, table) {
            self.dropped_tables.insert(table);
            self.drops.push(step);
        } else {
            self.kept_tables.insert(table);
            self.leave_out(step, Some(Class::DropTable), "it destroys the table and its rows");
        }
    }

    fn leave_out(&mut self, step: SchemaStep, class: Option<Class>, reason: &str) {
        self.plan.left_out.push(SchemaLeftOut { step, class, reason: reason.to_owned() });
    }

    fn alter_table(&mut self, table: &'a str, changes: &[&'a SchemaChange]) {
        match self.input.direction {
            Direction::Forward => self.add_columns(table, changes),
            Direction::Back => self.drop_columns(table, changes),
        }
    }

    fn add_columns(&mut self, table: &'a str, changes: &[&'a SchemaChange]) {
        let new = columns::new_columns(table, changes, self.input.after);
        for change in new.not_additions {
            self.refuse(change);
        }
        for column in new.columns {
            self.add_column(table, column);
        }
    }

    fn add_column(&mut self, table: &'a str, column: NewColumn) {
        let has_rows = (self.input.has_rows)(table);
        if let Some(reason) = column.why_not(has_rows) {
            let hint = "give the column a constant default, or let it be NULL; or make this change \
                        by hand in the target and take a new snapshot of it";
            let name = format!("{table}.{}", column.name);
            self.plan.refusals.push(Refusal::new(name, reason, hint));
            return;
        }
        self.columns.push(SchemaStep {
            verb: SchemaVerb::AddColumn,
            object: table.to_owned(),
            table: table.to_owned(),
            statement: format!("ALTER TABLE {} ADD COLUMN {}", quoted(table), column.definition),
            column: Some(column.name),
        });
    }

    /// Undoing an added column: the way back of a pack is made of nothing but what it did.
    fn drop_columns(&mut self, table: &'a str, changes: &[&'a SchemaChange]) {
        for change in changes.iter().rev().filter(|c| c.id.kind == ObjectKind::Column) {
            if change.after.is_some() {
                self.refuse(change);
                continue;
            }
            let column = &change.id.part;
            let statement = format!("ALTER TABLE {} DROP COLUMN {}", quoted(table), quoted(column));
            self.columns.push(SchemaStep {
                verb: SchemaVerb::DropColumn,
                object: table.to_owned(),
                table: table.to_owned(),
                column: Some(column.clone()),
                statement,
            });
        }
    }

    fn refuse(&mut self, change: &SchemaChange) {
        let what = match (&change.before, &change.after) {
            (None, _) => "is added",
            (_, None) => "is dropped",
            _ => "is changed",
        };
        let reason = format!("{} {what}, which this version cannot do", change.id.kind);
        self.plan.refusals.push(Refusal::new(&change.id, reason, UNSUPPORTED_HINT));
    }

    /// Indexes, views, triggers, and what is refused by its kind.
    fn objects(&mut self) {
        for change in self.input.changes.iter().filter(|change| !is_of_table(change.id.kind)) {
            match change.id.kind {
                ObjectKind::Index | ObjectKind::View | ObjectKind::Trigger => self.object(change),
                _ => self.refuse(change),
            }
        }
    }

    fn object(&mut self, change: &'a SchemaChange) {
        let kind = change.id.kind;
        let name = change.id.object.name.as_str();
        if let Some(before) = &change.before {
            let table = text(before, "table").unwrap_or(name);
            let goes_with_its_table = self.dropped_tables.contains(table);
            if self.kept_tables.contains(table) && change.after.is_none() {
                // Listed with its table, which is left out.
                return;
            }
            let (class, drop) = drop_step(kind, name, table);
            let is_allowed = change.after.is_some() || self.input.consent.allows(class, name);
            if !is_allowed && !goes_with_its_table {
                self.leave_out(drop, Some(class), "it removes something the target uses");
                return;
            }
            self.dropped.insert((kind, name));
            if kind == ObjectKind::View {
                self.replaced_views.insert(name);
            }
            if !goes_with_its_table {
                self.drops.push(drop);
            }
        }
        if let Some(after) = &change.after {
            let table = text(after, "table").unwrap_or(name);
            self.create(kind, name, table);
        }
    }

    fn create(&mut self, kind: ObjectKind, name: &str, table: &str) {
        let verb = match kind {
            ObjectKind::Table => SchemaVerb::CreateTable,
            ObjectKind::Index => SchemaVerb::CreateIndex,
            ObjectKind::View => SchemaVerb::CreateView,
            _ => SchemaVerb::CreateTrigger,
        };
        let definitions = self.input.after.definitions;
        let definition = definitions.iter().find(|d| d.kind == kind && d.object.name == name);
        let Some(definition) = definition else {
            let reason = format!("the snapshot does not hold the text of this {kind}");
            self.plan.refusals.push(Refusal::new(name, reason, "take the snapshot again"));
            return;
        };
        self.created.push(SchemaStep {
            verb,
            object: name.to_owned(),
            table: table.to_owned(),
            column: None,
            statement: definition.text.clone(),
        });
    }

    /// A view that is dropped to be made anew loses its triggers, which nobody changed.
    fn triggers_of_replaced_views(&mut self) {
        let views = std::mem::take(&mut self.replaced_views);
        for fact in self.input.before.facts.iter().filter(|f| f.id.kind == ObjectKind::Trigger) {
            let name = fact.id.object.name.as_str();
            let on_view = text(fact, "table").is_some_and(|table| views.contains(table));
            let is_changed = self.input.changes.iter().any(|change| change.id == fact.id);
            if on_view && !is_changed {
                let table = text(fact, "table").unwrap_or(name);
                let (_, drop) = drop_step(ObjectKind::Trigger, name, table);
                self.drops.push(drop);
                self.dropped.insert((ObjectKind::Trigger, name));
                self.create(ObjectKind::Trigger, name, table);
            }
        }
    }

    /// What cannot be made because its name is not given up, or what it stands on is not made.
    fn resolve_names(&mut self) {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for fact in self.input.before.facts {
            let name = fact.id.object.name.as_str();
            let stays = match fact.id.kind {
                ObjectKind::Table => !self.dropped_tables.contains(name),
                ObjectKind::VirtualTable => true,
                kind @ (ObjectKind::Index | ObjectKind::View) => {
                    !self.dropped.contains(&(kind, name))
                }
                _ => false,
            };
            if stays {
                taken.insert(name.to_ascii_lowercase());
            }
        }
        let mut made = Vec::new();
        for step in std::mem::take(&mut self.created) {
            let is_trigger = step.verb == SchemaVerb::CreateTrigger;
            let is_taken = !is_trigger && taken.contains(&step.object.to_ascii_lowercase());
            let lacks_table = self.not_made.iter().any(|(_, name)| *name == step.table);
            let may_clash = self.is_unique_index(&step) && (self.input.keeps_rows)(&step.table);
            if is_taken || lacks_table || may_clash {
                self.not_made.insert((kind_of(step.verb), step.object.clone()));
                let reason = match (is_taken, may_clash) {
                    (true, _) => "its name is still used by an object whose drop is left out",
                    (_, true) => "rows whose deletion is left out may have equal values under it",
                    _ => "what it belongs to is left out",
                };
                self.leave_out(step, None, reason);
            } else {
                made.push(step);
            }
        }
        self.created = made;
    }

    fn is_unique_index(&self, step: &SchemaStep) -> bool {
        let is_it =
            |fact: &&Fact| fact.id.kind == ObjectKind::Index && fact.id.object.name == step.object;
        step.verb == SchemaVerb::CreateIndex
            && self.input.after.facts.iter().find(is_it).is_some_and(|fact| flag(fact, "unique"))
    }

    fn finish(mut self) -> SchemaPlan {
        let order = self.order_of_dropped_tables();
        let mut drops = std::mem::take(&mut self.drops);
        drops.sort_by_key(|step| (step.verb, order.get(step.object.as_str()).copied()));
        let rules = Rules::of(Enforcement::Sqlite, self.input.before.facts);
        let (late, early): (Vec<_>, Vec<_>) = drops.into_iter().partition(|step| {
            step.verb == SchemaVerb::DropTable
                && rules
                    .referring_to(&step.object)
                    .any(|key| !self.dropped_tables.contains(key.child.as_str()))
        });
        let (tables, mut others): (Vec<_>, Vec<_>) =
            self.created.drain(..).partition(|step| step.verb == SchemaVerb::CreateTable);
        // Views in the order of their names: SQLite looks at what they read when they are used.
        others.sort_by(|a, b| (a.verb, &a.object).cmp(&(b.verb, &b.object)));
        self.plan.before_rows.extend(early);
        self.plan.before_rows.extend(tables);
        let (added, removed): (Vec<_>, Vec<_>) =
            self.columns.drain(..).partition(|step| step.verb == SchemaVerb::AddColumn);
        self.plan.before_rows.extend(added);
        self.plan.after_rows.extend(late);
        self.plan.after_rows.extend(removed);
        self.plan.after_rows.extend(others);
        self.facts();
        self.plan
    }

    /// Children before parents; the order of names where they refer to each other in a circle,
    /// which then needs foreign keys checked at the end.
    fn order_of_dropped_tables(&mut self) -> BTreeMap<&'a str, usize> {
        let rules = Rules::of(Enforcement::Sqlite, self.input.before.facts);
        let mut left = self.dropped_tables.clone();
        let mut order = BTreeMap::new();
        while !left.is_empty() {
            let is_free = |table: &&str| {
                rules
                    .referring_to(table)
                    .all(|key| key.child == **table || !left.contains(key.child.as_str()))
            };
            let next = left.iter().copied().find(is_free).or_else(|| {
                self.plan.is_deferred = true;
                left.first().copied()
            });
            let next = next.expect("a set that is not empty has a first member");
            left.remove(next);
            order.insert(next, order.len());
        }
        order
    }

    fn facts(&mut self) {
        let changed: BTreeMap<_, _> =
            self.input.changes.iter().map(|change| (&change.id, change)).collect();
        let left_out: BTreeSet<(ObjectKind, &str)> = self
            .plan
            .left_out
            .iter()
            .map(|left| (kind_of(left.step.verb), left.step.object.as_str()))
            .collect();
        let is_left_out = |fact: &Fact| match is_of_table(fact.id.kind) {
            true => left_out.contains(&(ObjectKind::Table, fact.id.object.name.as_str())),
            false => {
                left_out.contains(&(fact.id.kind, fact.id.object.name.as_str()))
                    || text(fact, "table").is_some_and(|table| {
                        self.kept_tables.contains(table)
                            || left_out.contains(&(ObjectKind::View, table))
                    })
            }
        };
        let mut after: BTreeMap<_, _> =
            self.input.before.facts.iter().map(|fact| (fact.id.clone(), fact.clone())).collect();
        let mut during = after.clone();
        for (id, change) in changed {
            let fact = change.after.as_ref().or(change.before.as_ref());
            if fact.is_none_or(is_left_out) {
                continue;
            }
            let replace = |facts: &mut BTreeMap<FactId, Fact>, fact: Option<&Fact>| {
                facts.remove(id);
                facts.extend(fact.map(|fact| (id.clone(), fact.clone())));
            };
            replace(&mut after, change.after.as_ref());
            let is_late_drop = change.after.is_none()
                && is_of_table(id.kind)
                && self.plan.after_rows.iter().any(|s| s.table == id.object.name);
            match (is_of_table(id.kind), is_late_drop) {
                // Indexes, views and triggers that change are not there while rows change.
                (false, _) => replace(&mut during, None),
                (true, true) => {}
                (true, false) => replace(&mut during, change.after.as_ref()),
            }
        }
        self.plan.facts_after = after.into_values().collect();
        self.plan.facts_for_rows = during.into_values().collect();
    }
}

fn kind_of(verb: SchemaVerb) -> ObjectKind {
    match verb {
        SchemaVerb::DropTrigger | SchemaVerb::CreateTrigger => ObjectKind::Trigger,
        SchemaVerb::DropView | SchemaVerb::CreateView => ObjectKind::View,
        SchemaVerb::DropIndex | SchemaVerb::CreateIndex => ObjectKind::Index,
        SchemaVerb::DropTable | SchemaVerb::CreateTable => ObjectKind::Table,
        SchemaVerb::AddColumn | SchemaVerb::DropColumn => ObjectKind::Column,
    }
}

fn drop_step(kind: ObjectKind, name: &str, table: &str) -> (Class, SchemaStep) {
    let (class, verb, word) = match kind {
        ObjectKind::Index => (Class::DropIndex, SchemaVerb::DropIndex, "INDEX"),
        ObjectKind::View => (Class::DropView, SchemaVerb::DropView, "VIEW"),
        _ => (Class::DropTrigger, SchemaVerb::DropTrigger, "TRIGGER"),
    };
    let step = SchemaStep {
        verb,
        object: name.to_owned(),
        table: table.to_owned(),
        column: None,
        statement: format!("DROP {word} {}", quoted(name)),
    };
    (class, step)
}
