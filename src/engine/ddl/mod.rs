//! How an engine changes its schema: what belongs to what, what needs what, and the statements.
//!
//! Pure text: facts in, statements out, no connection. A schema goes from one set of facts to
//! another in two stages, one before the rows change and one after them; what stands in between,
//! while rows change, the engine says by [`Ddl::midway`]. In which order the steps of a stage run
//! is not decided here: they are ordered by what their facts need.

mod reading;
mod renames;
mod schema;

pub use reading::{flag, list, number, text};
pub use renames::{Following, Rename, Renames};
pub use schema::Schema;

use crate::model::{Fact, FactId, ObjectName};

/// A statement of a schema change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// A whole statement, without a closing semicolon.
    Whole(String),
    /// What follows `ALTER TABLE table`. Neighbours of one table may become one statement.
    Clause {
        /// The table.
        table: ObjectName,
        /// The clause.
        clause: String,
    },
}

impl Statement {
    /// A whole statement.
    pub fn whole(text: impl Into<String>) -> Statement {
        Statement::Whole(text.into())
    }

    /// A clause of `ALTER TABLE`.
    pub fn clause(table: &ObjectName, clause: impl Into<String>) -> Statement {
        Statement::Clause { table: table.clone(), clause: clause.into() }
    }
}

/// How a fact becomes another one of the same identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alteration {
    /// By these statements, in this order. None where nothing has to be done.
    InPlace(Vec<Statement>),
    /// It is dropped and made again. Of a column, its values are lost and written again.
    Remade,
    /// The table it belongs to is built anew around its rows.
    Rebuilt,
    /// Not at all, and why.
    Refused(String),
}

/// What happens to a fact that others need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break<'a> {
    /// It goes, for good or to be made again.
    Gone,
    /// It becomes this.
    Altered(&'a Fact),
}

/// What a fact has to do when something it needs is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Yielding {
    /// Nothing: the server takes the change while it stands.
    Stands,
    /// It is dropped before and made again afterwards.
    Remade,
    /// It becomes this before, and what it shall be afterwards.
    Weakened(Fact),
    /// It is in the way, and why.
    Refused(String),
}

/// What is there of a fact that can wait for the end of a pack's transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Postponed {
    /// Nothing.
    Absent,
    /// This.
    Weaker(Fact),
}

/// What a reviewer has to know of a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum StepHazard {
    /// The table is written anew, with its indexes.
    Rewrite,
    /// All its rows are read.
    Scan,
    /// Values may become less than they were.
    Narrows,
    /// What is locked, in the server's words, against whom, and on which table.
    Lock {
        /// The server's name of the lock.
        mode: &'static str,
        /// The table.
        table: String,
    },
    /// Who may do what, or what something does, changes.
    Behaviour,
    /// It cannot run inside a transaction.
    OutsideTransaction,
}

impl StepHazard {
    /// The stable name, as in a pack.
    pub fn as_str(&self) -> &'static str {
        match self {
            StepHazard::Rewrite => "rewrite",
            StepHazard::Scan => "scan",
            StepHazard::Narrows => "narrows",
            StepHazard::Lock { .. } => "lock",
            StepHazard::Behaviour => "behaviour",
            StepHazard::OutsideTransaction => "outside-transaction",
        }
    }
}

/// What a step does to a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactChange<'a> {
    /// It is made.
    Created(&'a Fact),
    /// It becomes another.
    Altered(&'a Fact, &'a Fact),
    /// It goes.
    Dropped(&'a Fact),
}

/// The schema language of an engine. `from` is the schema as a stage finds it, `to` as it leaves
/// it.
pub trait Ddl: Sync {
    /// The fact that this one belongs to: it is dropped with it. (A column, a constraint, an index,
    /// a trigger belong to their table.) What belongs to something may be dropped by a statement of
    /// its own as well.
    fn container(&self, fact: &Fact, schema: &Schema<'_>) -> Option<FactId>;

    /// Whether the statement that makes its container makes it too.
    fn is_inline(&self, fact: &Fact, schema: &Schema<'_>) -> bool;

    /// The facts of the schema that must be there for this one to be there, its container among
    /// them. Ids that are not in the schema do no harm.
    fn requires(&self, fact: &Fact, schema: &Schema<'_>) -> Vec<FactId>;

    /// The names it takes, each with the space in which no other may have it.
    fn names(&self, fact: &Fact) -> Vec<String>;

    /// What stands of a fact while rows change. `before` and `after` are the same fact on both
    /// ends; they are not equal.
    fn midway(
        &self,
        before: Option<&Fact>,
        after: Option<&Fact>,
        from: &Schema<'_>,
        to: &Schema<'_>,
    ) -> Option<Fact>;

    /// Whether rows can be out of a table for a while: foreign keys that hold them are dropped and made
    /// again without more ado.
    fn lets_rows_leave(&self) -> bool {
        false
    }

    /// Whether values that a column holds may be refused when it becomes another: rows that change
    /// anyway are then out of their table meanwhile.
    fn may_refuse_values(&self, before: &Fact, after: &Fact, from: &Schema<'_>) -> bool {
        let _ = (before, after, from);
        false
    }

    /// Whether the server drops the spaces at the end of a column's values when it becomes another.
    fn drops_spaces(
        &self,
        before: &Fact,
        after: &Fact,
        from: &Schema<'_>,
        to: &Schema<'_>,
    ) -> bool {
        let _ = (before, after, from, to);
        false
    }

    /// The tables of which rows would be lost or refused with a part of the table that goes or becomes
    /// another (a partition), if they were still in it.
    fn displaced(&self, from: &Schema<'_>, to: &Schema<'_>) -> Vec<ObjectName> {
        let _ = (from, to);
        Vec::new()
    }

    /// The tables on both ends that cannot become what they shall be with their rows in them, or only
    /// by losing values on the way: where every one of those rows is replaced anyway, such a table is
    /// put aside, made anew and filled. Only for languages that put tables aside.
    fn made_anew(&self, from: &Schema<'_>, to: &Schema<'_>) -> Vec<ObjectName> {
        let _ = (from, to);
        Vec::new()
    }

    /// Whether something that belongs to a table keeps a name which others may need while the table is
    /// put aside: it goes before that.
    fn keeps_its_name(&self, fact: &Fact) -> bool {
        let _ = fact;
        false
    }

    /// What there is of a wanted fact until it is brought about outside of transactions, beside
    /// everybody's work; `None` where that cannot be.
    fn postponed(&self, fact: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Option<Postponed> {
        let _ = (fact, from, to);
        None
    }

    /// The language of statements outside of transactions that lock less; `None` where there is
    /// none.
    fn online(&self) -> Option<Box<dyn Ddl>> {
        None
    }

    /// Whether something that has to be remade before the rows change may be made after them: it
    /// does not help to find or to write rows.
    fn can_wait(&self, fact: &Fact) -> bool;

    /// The statements that make a fact, with what is inline in it.
    fn create(
        &self,
        fact: &Fact,
        inline: &[&Fact],
        to: &Schema<'_>,
    ) -> Result<Vec<Statement>, String>;

    /// The statements that drop a fact whose container stays.
    fn drop(&self, fact: &Fact, from: &Schema<'_>) -> Result<Vec<Statement>, String>;

    /// How a fact becomes another one.
    fn alter(&self, before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Alteration;

    /// What a fact does, which needs another that is broken. `after` is what it shall become; the
    /// fact itself where it shall stay.
    fn yields(
        &self,
        fact: &Fact,
        after: &Fact,
        needed: &Fact,
        broken: Break<'_>,
        from: &Schema<'_>,
    ) -> Yielding;

    /// A fact that needs less and can be made first, where two need each other; made whole later.
    fn weaker(&self, fact: &Fact) -> Option<Fact>;

    /// The statements that build a table anew around its rows, with everything inline in it.
    fn rebuild(
        &self,
        table: &ObjectName,
        from: &Schema<'_>,
        to: &Schema<'_>,
    ) -> Result<Vec<Statement>, String>;

    /// What a reviewer has to know of a step.
    fn hazards(&self, change: FactChange<'_>, schema: &Schema<'_>) -> Vec<StepHazard>;

    /// Where a step stands among others that nothing else orders; lower is earlier.
    fn rank(&self, change: FactChange<'_>) -> u16;

    /// Several clauses of one table as one statement; `None` where they cannot be together.
    fn joined(&self, table: &ObjectName, clauses: &[String]) -> Option<String>;

    /// One clause as a statement.
    fn alter_table(&self, table: &ObjectName, clause: &str) -> String;

    /// The facts of a wanted schema of which parts are left out, with the places that they have
    /// without those: what says which one it stands behind says it of one that is there.
    fn mended(&self, facts: Vec<Fact>, from: &Schema<'_>, wanted: &Schema<'_>) -> Vec<Fact> {
        let _ = (from, wanted);
        facts
    }

    /// The statement that drops for good what dropping a table has put aside; `None` where it drops
    /// the table itself.
    fn dropped_for_good(&self, table: &ObjectName) -> Option<String> {
        let _ = table;
        None
    }

    /// Statements with which a way begins that changes the schema.
    fn preamble(&self) -> Vec<String>;

    /// What becomes of a fact of a schema when tables and columns get other names. `wanted` is the
    /// schema to be reached, by the new names.
    fn follows(
        &self,
        fact: &Fact,
        renames: &Renames,
        schema: &Schema<'_>,
        wanted: &Schema<'_>,
    ) -> Following {
        let _ = (renames, schema, wanted);
        Following::Follows(fact.clone())
    }

    /// The facts that have to go before names change, where one that a fact speaks of goes.
    fn speaks_of(&self, fact: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
        self.requires(fact, schema)
    }

    /// The statement that gives a table or a column another name. `schema` has the table by the name
    /// that it has then, and the column by either name.
    fn rename(&self, rename: &Rename, schema: &Schema<'_>) -> Result<String, String> {
        let _ = (rename, schema);
        Err("names do not change here".to_owned())
    }

    /// What a reviewer has to know of that.
    fn rename_hazards(&self, rename: &Rename) -> Vec<StepHazard> {
        let _ = rename;
        Vec::new()
    }

    /// Settings for the time in which names change, and those that take them back. `rebuilds` says
    /// whether tables are built anew or dropped besides.
    fn rename_settings(&self, rebuilds: bool) -> (Vec<String>, Vec<String>) {
        let _ = rebuilds;
        (Vec::new(), Vec::new())
    }
}
