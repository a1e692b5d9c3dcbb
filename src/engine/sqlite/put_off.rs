//! Settings of a connection that are put off for one transaction.
//!
//! SQLite takes them outside of transactions only (`foreign_keys` without a word), so they are set
//! before it begins and set back when it has ended. What was set is remembered until it is back.

use std::cell::Cell;

use super::connect::Locked;
use crate::engine::error::EngineError;

const ACTION: &str = "configure";

/// How the connection was set before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Settings {
    foreign_keys: bool,
    legacy_alter_table: bool,
    ignore_check_constraints: bool,
}

/// What is to be set back; nothing where nothing is put off.
#[derive(Debug, Default)]
pub(super) struct PutOff(Cell<Option<Settings>>);

impl PutOff {
    /// Turns foreign keys off and `legacy_alter_table` on.
    pub(super) fn put_off(&self, locked: &Locked<'_>) -> Result<(), EngineError> {
        self.set_back(locked)?;
        let before = Settings {
            foreign_keys: is_on(locked, "foreign_keys")?,
            legacy_alter_table: is_on(locked, "legacy_alter_table")?,
            ignore_check_constraints: is_on(locked, "ignore_check_constraints")?,
        };
        self.0.set(Some(before));
        let (foreign_keys, legacy_alter_table) = (false, true);
        set(locked, Settings { foreign_keys, legacy_alter_table, ..before })
    }

    /// Sets back what was put off.
    pub(super) fn set_back(&self, locked: &Locked<'_>) -> Result<(), EngineError> {
        if let Some(before) = self.0.get() {
            set(locked, before)?;
            self.0.set(None);
        }
        Ok(())
    }

    /// Whether foreign keys are enforced where nothing is put off.
    pub(super) fn enforces_foreign_keys(&self, locked: &Locked<'_>) -> Result<bool, EngineError> {
        match self.0.get() {
            Some(before) => Ok(before.foreign_keys),
            None => is_on(locked, "foreign_keys"),
        }
    }
}

fn is_on(locked: &Locked<'_>, name: &str) -> Result<bool, EngineError> {
    Ok(locked.query_int(&format!("PRAGMA {name}"), ACTION)? == Some(1))
}

/// Sets them, and looks whether they are set.
fn set(locked: &Locked<'_>, settings: Settings) -> Result<(), EngineError> {
    let each = [
        ("foreign_keys", settings.foreign_keys),
        ("legacy_alter_table", settings.legacy_alter_table),
        // Statements of a rebuild turn it on for a while.
        ("ignore_check_constraints", settings.ignore_check_constraints),
    ];
    for (name, value) in each {
        locked.execute(&format!("PRAGMA {name} = {}", i32::from(value)), ACTION)?;
        if is_on(locked, name)? != value {
            return Err(EngineError::Unsupported {
                database: locked.name.to_owned(),
                what: format!("`PRAGMA {name}` cannot be set in this place"),
            });
        }
    }
    Ok(())
}
