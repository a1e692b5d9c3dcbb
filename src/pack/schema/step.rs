//! A step of a schema change, as a pack writes it and a person reads it.

use crate::engine::ddl::StepHazard;
use crate::model::{Fact, FactId, ObjectKind};
use crate::pack::consent::Class;

/// What a schema step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SchemaVerb {
    /// Something goes.
    Drop,
    /// Something becomes different.
    Alter,
    /// A table is built anew around its rows.
    Rebuild,
    /// Something gets another name.
    Rename,
    /// Something is made.
    Create,
    /// What the others need is set for the time of the pack.
    Prepare,
}

/// What a step does to one fact that it is worth telling of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deed {
    /// What is done.
    pub verb: SchemaVerb,
    /// To what.
    pub id: FactId,
}

impl Deed {
    /// The stable name, as in the pack: `drop-table`, `add-column`.
    pub fn name(&self) -> String {
        name(self.verb, self.id.kind)
    }
}

fn name(verb: SchemaVerb, kind: ObjectKind) -> String {
    let verb = match (verb, kind) {
        (SchemaVerb::Create, ObjectKind::Column) => "add",
        (SchemaVerb::Drop, _) => "drop",
        (SchemaVerb::Alter, _) => "alter",
        (SchemaVerb::Rebuild, _) => "rebuild",
        (SchemaVerb::Rename, _) => "rename",
        (SchemaVerb::Create, _) => "create",
        (SchemaVerb::Prepare, _) => "prepare",
    };
    format!("{verb}-{kind}")
}

/// One statement of a schema change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStep {
    /// What it does, the most telling first.
    pub deeds: Vec<Deed>,
    /// The statement.
    pub statement: String,
    /// What a reviewer has to know.
    pub hazards: Vec<StepHazard>,
}

impl SchemaStep {
    /// The deed the step is known by.
    pub fn main(&self) -> &Deed {
        &self.deeds[0]
    }

    /// The stable name, as in the pack.
    pub fn name(&self) -> String {
        self.main().name()
    }

    /// The object, as people know it.
    pub fn object(&self) -> String {
        self.main().id.object.to_string()
    }

    /// The deeds of one kind.
    pub fn deeds_of(&self, verb: SchemaVerb, kind: ObjectKind) -> impl Iterator<Item = &Deed> {
        self.deeds.iter().filter(move |deed| deed.verb == verb && deed.id.kind == kind)
    }

    /// Whether it builds a table anew, or takes rows along in another way: the rows that change go
    /// before it and come after it.
    pub fn rebuilt_table(&self) -> Option<String> {
        let deed = self.main();
        (deed.verb == SchemaVerb::Rebuild).then(|| deed.id.object.to_string())
    }

    /// Whether a table goes, with its rows or from under them.
    pub fn drops_table(&self) -> bool {
        self.rebuilt_table().is_some()
            || self.deeds_of(SchemaVerb::Drop, ObjectKind::Table).next().is_some()
    }
}

/// A change that does not run, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaLeftOut {
    /// What would be done.
    pub deed: Deed,
    /// The statements it would run; none where they are not worth showing.
    pub statements: Vec<String>,
    /// What allows it; none where something else is in its way.
    pub class: Option<Class>,
    /// Why it is left out.
    pub reason: String,
}

impl SchemaLeftOut {
    /// The object as consent names it: with the column, for a column.
    pub fn object(&self) -> String {
        consent_name(&self.deed.id)
    }

    /// Whether it is a table that stays because a strategy keeps its rows.
    pub fn is_kept_table(&self) -> bool {
        self.reason == super::gate::KEPT_TABLE
    }
}

/// How `--allow CLASS:OBJECT` names what a fact is about.
pub(super) fn consent_name(id: &FactId) -> String {
    match id.kind {
        // A trigger's part is its table.
        ObjectKind::Trigger => id.object.to_string(),
        _ => id.to_string(),
    }
}

/// The class whose consent the drop of a fact needs; none for what destroys nothing.
pub(super) fn class_of_drop(fact: &Fact) -> Option<Class> {
    Some(match fact.id.kind {
        ObjectKind::Table | ObjectKind::VirtualTable => Class::DropTable,
        ObjectKind::Column => Class::DropColumn,
        ObjectKind::Index => Class::DropIndex,
        ObjectKind::View | ObjectKind::MaterializedView => Class::DropView,
        ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::EventTrigger | ObjectKind::Event => {
            Class::DropTrigger
        }
        ObjectKind::PrimaryKey
        | ObjectKind::Unique
        | ObjectKind::Check
        | ObjectKind::ForeignKey
        | ObjectKind::Exclusion => Class::DropConstraint,
        ObjectKind::Routine | ObjectKind::Operator | ObjectKind::Cast => Class::DropRoutine,
        ObjectKind::Type | ObjectKind::Domain | ObjectKind::Collation => Class::DropType,
        ObjectKind::Sequence => Class::DropSequence,
        ObjectKind::Schema | ObjectKind::Extension => Class::DropSchema,
        ObjectKind::Policy => Class::DropPolicy,
        ObjectKind::Foreign | ObjectKind::Publication | ObjectKind::TextSearch => Class::DropOther,
        ObjectKind::Partition
        | ObjectKind::Setting
        | ObjectKind::Statistics
        | ObjectKind::Owner
        | ObjectKind::Grant
        | ObjectKind::DefaultGrant
        | ObjectKind::Comment => return None,
    })
}
