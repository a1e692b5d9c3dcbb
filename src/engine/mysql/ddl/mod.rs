//! The schema language of MySQL and MariaDB: facts in, statements out.
//!
//! `container` and `requires` are in `needs`, what stands while rows change in `midway`, and what a
//! change costs in `hazards`. `table`, `column`, `key`, `partition` and `program` write the
//! statements of their kinds, the inverse of what the catalog reads; `renames` says what follows a
//! name that changes; `clause` puts the clauses of one ALTER TABLE together. What cannot be written exactly is refused with its reason. Every
//! statement of DDL commits here, so a way through the schema is a sequence whose every end is a
//! schema, and one ALTER TABLE does as much as it can.

mod clause;
mod column;
mod hazards;
mod key;
mod labels;
mod mend;
mod midway;
mod needs;
mod partition;
mod program;
mod renames;
mod table;
mod types;
mod wording;

use crate::engine::ddl::{
    Alteration, Break, Ddl, FactChange, Following, Rename, Renames, Schema, Statement, StepHazard,
    Yielding,
};
use crate::model::{Fact, FactId, ObjectKind, ObjectName};

/// Statements of a fact, or why there are none.
type Written = Result<Vec<Statement>, String>;

/// The schema language of MySQL or MariaDB, as far as versions differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MysqlDdl {
    /// MariaDB.
    MariaDb,
    /// MySQL 5.7.
    Mysql57,
    /// MySQL 8.0, before columns came and went at once.
    Mysql80,
    /// MySQL from 8.0.29 on.
    Mysql8029,
}

impl MysqlDdl {
    /// The language of a server, as a snapshot names it: `MariaDB 10.11.6-MariaDB`, `MySQL 8.4.2`.
    /// MySQL that names no version is taken for the newest.
    pub fn of(server: &str) -> MysqlDdl {
        if server.contains("MariaDB") {
            return MysqlDdl::MariaDb;
        }
        let mut numbers = server
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|digits| digits.parse::<u32>().ok());
        let mut next = || numbers.next();
        match (next(), next(), next()) {
            (Some(5), ..) => MysqlDdl::Mysql57,
            (Some(8), Some(0), Some(patch)) if patch < 29 => MysqlDdl::Mysql80,
            _ => MysqlDdl::Mysql8029,
        }
    }

    fn is_mariadb(self) -> bool {
        self == MysqlDdl::MariaDb
    }

    /// Whether columns come and go without touching rows.
    fn is_instant(self) -> bool {
        matches!(self, MysqlDdl::MariaDb | MysqlDdl::Mysql8029)
    }
}

impl Ddl for MysqlDdl {
    fn container(&self, fact: &Fact, _schema: &Schema<'_>) -> Option<FactId> {
        needs::container(fact)
    }

    fn is_inline(&self, fact: &Fact, _schema: &Schema<'_>) -> bool {
        needs::is_inline(fact)
    }

    fn requires(&self, fact: &Fact, schema: &Schema<'_>) -> Vec<FactId> {
        needs::requires(fact, schema)
    }

    fn names(&self, fact: &Fact) -> Vec<String> {
        needs::names(fact, self.is_mariadb())
    }

    fn midway(
        &self,
        before: Option<&Fact>,
        after: Option<&Fact>,
        from: &Schema<'_>,
        to: &Schema<'_>,
    ) -> Option<Fact> {
        midway::midway(before, after, from, to)
    }

    fn made_anew(&self, from: &Schema<'_>, to: &Schema<'_>) -> Vec<ObjectName> {
        table::made_anew(from, to)
    }

    fn keeps_its_name(&self, fact: &Fact) -> bool {
        match fact.id.kind {
            ObjectKind::ForeignKey | ObjectKind::Trigger => true,
            // Within the database on MySQL, within the table on MariaDB.
            ObjectKind::Check => !self.is_mariadb(),
            _ => false,
        }
    }

    fn can_wait(&self, fact: &Fact) -> bool {
        midway::can_wait(fact)
    }

    fn create(&self, fact: &Fact, inline: &[&Fact], to: &Schema<'_>) -> Written {
        match fact.id.kind {
            ObjectKind::Setting => program::set(fact),
            ObjectKind::Table => table::create(*self, fact, inline),
            ObjectKind::Column => column::create(*self, fact, to),
            ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::Index => {
                key::create(*self, fact)
            }
            ObjectKind::Check => key::create_check(*self, fact, to),
            ObjectKind::ForeignKey => key::create_foreign(fact),
            ObjectKind::Partition => partition::create(fact, to),
            ObjectKind::View => program::create_view(fact),
            ObjectKind::Routine => program::create_routine(fact, to),
            ObjectKind::Trigger => program::create_trigger(fact, to),
            ObjectKind::Event => program::create_event(*self, fact, to),
            ObjectKind::Sequence => program::create_sequence(fact),
            kind => Err(format!("MySQL has no {kind}")),
        }
    }

    fn drop(&self, fact: &Fact, from: &Schema<'_>) -> Written {
        match fact.id.kind {
            ObjectKind::Setting => program::unset(fact),
            ObjectKind::Table => Ok(table::put_aside(fact)),
            ObjectKind::Column => column::drop(fact),
            ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::Index => Ok(key::drop(fact)),
            ObjectKind::Check => key::drop_check(*self, fact, from),
            ObjectKind::ForeignKey => key::drop_foreign(*self, fact, from),
            ObjectKind::Partition => partition::drop(fact),
            ObjectKind::View => {
                Ok(vec![Statement::whole(format!("DROP VIEW {}", wording::object(fact)))])
            }
            ObjectKind::Routine => program::drop_routine(fact),
            ObjectKind::Trigger => {
                Ok(vec![Statement::whole(format!("DROP TRIGGER {}", wording::object(fact)))])
            }
            ObjectKind::Event => {
                Ok(vec![Statement::whole(format!("DROP EVENT {}", wording::object(fact)))])
            }
            ObjectKind::Sequence => {
                Ok(vec![Statement::whole(format!("DROP SEQUENCE {}", wording::object(fact)))])
            }
            kind => Err(format!("MySQL has no {kind}")),
        }
    }

    fn alter(&self, before: &Fact, after: &Fact, from: &Schema<'_>, to: &Schema<'_>) -> Alteration {
        match after.id.kind {
            ObjectKind::Setting => program::alter_setting(after, from, to),
            ObjectKind::Table => table::alter(before, after, to),
            ObjectKind::Column => column::alter(*self, before, after, from, to),
            ObjectKind::PrimaryKey | ObjectKind::Unique | ObjectKind::Index => {
                key::alter(*self, before, after)
            }
            ObjectKind::Check => key::alter_check(*self, before, after, to),
            ObjectKind::Partition => partition::alter(after, from, to),
            ObjectKind::Sequence => program::alter_sequence(before, after),
            _ => Alteration::Remade,
        }
    }

    fn yields(
        &self,
        fact: &Fact,
        _after: &Fact,
        needed: &Fact,
        broken: Break<'_>,
        from: &Schema<'_>,
    ) -> Yielding {
        needs::yields(fact, needed, broken, from)
    }

    fn weaker(&self, _fact: &Fact) -> Option<Fact> {
        None
    }

    fn rebuild(&self, table: &ObjectName, _from: &Schema<'_>, _to: &Schema<'_>) -> Written {
        Err(format!("table `{table}` cannot be built anew around its rows"))
    }

    fn hazards(&self, change: FactChange<'_>, _schema: &Schema<'_>) -> Vec<StepHazard> {
        hazards::hazards(*self, change)
    }

    fn rank(&self, change: FactChange<'_>) -> u16 {
        hazards::rank(change)
    }

    fn joined(&self, table: &ObjectName, clauses: &[String]) -> Option<String> {
        clause::joined(table, clauses)
    }

    fn alter_table(&self, table: &ObjectName, clause: &str) -> String {
        clause::alone(table, clause)
    }

    fn mended(&self, facts: Vec<Fact>, from: &Schema<'_>, wanted: &Schema<'_>) -> Vec<Fact> {
        mend::mended(facts, from, wanted)
    }

    fn dropped_for_good(&self, table: &ObjectName) -> Option<String> {
        Some(table::dropped_for_good(table))
    }

    fn follows(
        &self,
        fact: &Fact,
        renames: &Renames,
        _schema: &Schema<'_>,
        wanted: &Schema<'_>,
    ) -> Following {
        renames::follows(*self, fact, renames, wanted)
    }

    fn rename(&self, rename: &Rename, schema: &Schema<'_>) -> Result<String, String> {
        renames::statement(*self, rename, schema)
    }

    fn rename_hazards(&self, rename: &Rename) -> Vec<StepHazard> {
        renames::hazards(rename)
    }

    fn preamble(&self) -> Vec<String> {
        // Without it, a table with system versioning cannot be changed at all.
        match self.is_mariadb() {
            true => vec!["SET system_versioning_alter_history = KEEP".to_owned()],
            false => Vec::new(),
        }
    }
}
