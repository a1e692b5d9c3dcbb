//! What a person allows a pack to destroy: `--allow CLASS[:OBJECT]`.
//!
//! Whatever is not allowed is left out of what runs and listed. `all` allows every class but
//! `large-delete`, which is a word of its own: it is needed, beside `delete-rows`, where a pack
//! deletes more than a tenth of a table's rows and at least [`LARGE_DELETE_ROWS`].

use std::collections::BTreeSet;

use super::error::PackError;

/// From this many deleted rows of one table on, a tenth of the table is a large delete.
pub const LARGE_DELETE_ROWS: u64 = 100;

/// A class of steps that destroy something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Rows are deleted.
    DeleteRows,
    /// A large part of a table's rows is deleted.
    LargeDelete,
    /// A table is dropped, with its rows.
    DropTable,
    /// A column is dropped, with its values.
    DropColumn,
    /// A column's type takes less than before.
    NarrowType,
    /// A key, check, foreign key or exclusion is dropped.
    DropConstraint,
    /// An index is dropped.
    DropIndex,
    /// A view is dropped, materialised or not.
    DropView,
    /// A trigger, rule or event is dropped.
    DropTrigger,
    /// A function, procedure, operator or cast is dropped.
    DropRoutine,
    /// A type, domain or collation is dropped.
    DropType,
    /// A sequence is dropped.
    DropSequence,
    /// A schema or an extension is dropped.
    DropSchema,
    /// A row security policy is dropped.
    DropPolicy,
    /// Something else is dropped: foreign servers, publications, text search.
    DropOther,
}

impl Class {
    const EVERY: [Class; 15] = [
        Class::DeleteRows,
        Class::LargeDelete,
        Class::DropTable,
        Class::DropColumn,
        Class::NarrowType,
        Class::DropConstraint,
        Class::DropIndex,
        Class::DropView,
        Class::DropTrigger,
        Class::DropRoutine,
        Class::DropType,
        Class::DropSequence,
        Class::DropSchema,
        Class::DropPolicy,
        Class::DropOther,
    ];

    /// The word that allows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::DeleteRows => "delete-rows",
            Class::LargeDelete => "large-delete",
            Class::DropTable => "drop-table",
            Class::DropColumn => "drop-column",
            Class::NarrowType => "narrow-type",
            Class::DropConstraint => "drop-constraint",
            Class::DropIndex => "drop-index",
            Class::DropView => "drop-view",
            Class::DropTrigger => "drop-trigger",
            Class::DropRoutine => "drop-routine",
            Class::DropType => "drop-type",
            Class::DropSequence => "drop-sequence",
            Class::DropSchema => "drop-schema",
            Class::DropPolicy => "drop-policy",
            Class::DropOther => "drop-other",
        }
    }

    /// The option that allows it for one object.
    pub fn flag(self, object: &str) -> String {
        format!("--allow {}:{object}", self.as_str())
    }
}

/// What is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consent {
    all: bool,
    grants: BTreeSet<(Class, Option<String>)>,
    triggers: BTreeSet<String>,
}

impl Consent {
    /// Nothing is allowed.
    pub fn none() -> Self {
        Consent::default()
    }

    /// Everything is allowed, large deletes too: what a rollback needs.
    pub fn everything() -> Self {
        let grants = [(Class::LargeDelete, None)].into();
        Consent { all: true, grants, triggers: BTreeSet::new() }
    }

    /// What these words of `--allow` allow: `all`, a class, or `class:object`.
    pub fn parse<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Result<Self, PackError> {
        let mut consent = Consent::none();
        for word in words {
            consent.grant(word.as_ref())?;
        }
        Ok(consent)
    }

    fn grant(&mut self, word: &str) -> Result<(), PackError> {
        let wrong = |reason: String| PackError::Consent { word: word.to_owned(), reason };
        let (name, object) = match word.split_once(':') {
            Some((name, object)) => (name, Some(object)),
            None => (word, None),
        };
        if object == Some("") {
            return Err(wrong("the object's name is missing after the colon".to_owned()));
        }
        if name == "all" {
            if object.is_some() {
                return Err(wrong("`all` takes no object; name a class instead".to_owned()));
            }
            self.all = true;
            return Ok(());
        }
        let class = Class::EVERY.into_iter().find(|class| class.as_str() == name);
        let class = class.ok_or_else(|| {
            let known: Vec<_> = Class::EVERY.iter().map(|class| class.as_str()).collect();
            wrong(format!("no such class; there are {} and all", known.join(", ")))
        })?;
        self.grants.insert((class, object.map(str::to_owned)));
        Ok(())
    }

    /// Allows the triggers of a table to fire.
    pub fn allow_triggers(&mut self, table: impl Into<String>) {
        self.triggers.insert(table.into());
    }

    /// The tables whose triggers may fire.
    pub fn triggers(&self) -> &BTreeSet<String> {
        &self.triggers
    }

    /// Whether a step of this class may touch this object.
    pub fn allows(&self, class: Class, object: &str) -> bool {
        (self.all && class != Class::LargeDelete)
            || self.grants.contains(&(class, None))
            || self.grants.contains(&(class, Some(object.to_owned())))
    }

    /// The classes that must still be allowed before `deleted` of `rows` rows of a table may go.
    pub fn missing_for_deletes(&self, table: &str, deleted: u64, rows: u64) -> Vec<Class> {
        let mut needed = vec![Class::DeleteRows];
        if deleted >= LARGE_DELETE_ROWS && deleted > rows / 10 {
            needed.push(Class::LargeDelete);
        }
        needed.retain(|class| !self.allows(*class, table));
        needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_objects_and_all() {
        let consent = Consent::parse(["delete-rows:a", "drop-view"]).unwrap();
        assert!(consent.allows(Class::DeleteRows, "a"));
        assert!(!consent.allows(Class::DeleteRows, "b"));
        assert!(consent.allows(Class::DropView, "anything"));
        assert!(!consent.allows(Class::DropTable, "a"));
        assert!(Consent::parse(["drop-tables"]).is_err());
        assert!(Consent::parse(["drop-table:"]).is_err());
        assert!(Consent::parse(["all:x"]).is_err());
    }

    #[test]
    fn a_large_delete_needs_its_own_word() {
        let all = Consent::parse(["all"]).unwrap();
        assert_eq!(all.missing_for_deletes("t", 99, 99), []);
        assert_eq!(all.missing_for_deletes("t", 100, 1000), []);
        assert_eq!(all.missing_for_deletes("t", 101, 1000), [Class::LargeDelete]);
        let both = Consent::parse(["all", "large-delete:t"]).unwrap();
        assert_eq!(both.missing_for_deletes("t", 101, 1000), []);
        assert_eq!(Consent::everything().missing_for_deletes("t", 1000, 1000), []);
    }
}
