//! What becomes of the rows that differ, table by table: taken, kept, or decided one by one.
//!
//! Settings come from the command line and from `deepdiff.toml`. What names a table goes before a
//! pattern, a pattern before a default, and the command line before the file where both say as
//! much; two patterns that say different things of one table are an error, and so is a name that
//! no table has. Nothing here knows where rows come from.

use std::collections::BTreeSet;
use std::fmt;

use super::error::PackError;
use super::spool::Verb;
use crate::engine::matches_pattern;
use crate::model::ObjectName;

/// Whose rows a table has when a pack has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Those of the wanted state.
    Theirs,
    /// Those that the target has.
    Ours,
    /// What a person decides, row by row.
    Manual,
}

impl Strategy {
    const EVERY: [Strategy; 3] = [Strategy::Theirs, Strategy::Ours, Strategy::Manual];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Strategy::Theirs => "theirs",
            Strategy::Ours => "ours",
            Strategy::Manual => "manual",
        }
    }

    /// The strategy of this word.
    pub fn of_word(word: &str) -> Option<Strategy> {
        Strategy::EVERY.into_iter().find(|strategy| strategy.as_str() == word)
    }
}

/// What is said of a table, or of all that nothing else is said of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setting {
    /// Whose rows.
    pub strategy: Option<Strategy>,
    /// Which changes are wanted at all.
    pub changes: Option<BTreeSet<Verb>>,
}

impl Setting {
    /// A setting from the words of a configuration.
    pub fn of_words(
        strategy: Option<&str>,
        changes: Option<&[String]>,
    ) -> Result<Setting, PackError> {
        Ok(Setting {
            strategy: strategy.map(strategy_of).transpose()?,
            changes: changes.map(|words| verbs_of(words.iter().map(String::as_str))).transpose()?,
        })
    }
}

/// What holds for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Whose rows.
    pub strategy: Strategy,
    changes: BTreeSet<Verb>,
}

/// What becomes of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It runs, if it is allowed.
    Taken,
    /// The target's row stays as it is.
    Kept,
    /// A person decides.
    Asked,
}

impl Choice {
    /// What becomes of a change of this verb.
    pub fn fate(&self, verb: Verb) -> Fate {
        match self.strategy {
            _ if !self.changes.contains(&verb) => Fate::Kept,
            Strategy::Theirs => Fate::Taken,
            Strategy::Ours => Fate::Kept,
            Strategy::Manual => Fate::Asked,
        }
    }

    /// Why changes of this verb were kept from running.
    pub fn reason(&self, verb: Verb) -> String {
        match self.strategy {
            _ if !self.changes.contains(&verb) => {
                let verbs: Vec<_> = self.changes.iter().map(|verb| verb.as_str()).collect();
                format!("only these changes of the table are wanted: {}", verbs.join(", "))
            }
            Strategy::Ours => "the table's rows stay as the target has them".to_owned(),
            Strategy::Manual => {
                "it was decided so, for the whole row or for cells of it".to_owned()
            }
            // Where the key itself changes, an update is a delete and an insert.
            Strategy::Theirs => "it is part of an update, and updates are not wanted".to_owned(),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.strategy.as_str())
    }
}

/// Settings of one origin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Layer {
    default: Setting,
    tables: Vec<(String, Setting)>,
}

/// The settings of all tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strategies {
    flags: Layer,
    file: Layer,
}

impl Strategies {
    /// Every change is taken.
    pub fn none() -> Self {
        Strategies::default()
    }

    /// Takes what a file says of tables that nothing else is said of.
    pub fn file_default(&mut self, setting: Setting) {
        self.file.default = setting;
    }

    /// Takes what a file says of the tables of this name or pattern.
    pub fn file_table(&mut self, pattern: impl Into<String>, setting: Setting) {
        self.file.tables.push((pattern.into(), setting));
    }

    /// Takes the words of `--strategy`: a strategy, or a table and a strategy.
    pub fn strategy_flag(&mut self, words: &str) -> Result<(), PackError> {
        let (table, word) = table_and_rest(words)?;
        let setting = Setting { strategy: Some(strategy_of(word)?), changes: None };
        self.flag(table, setting);
        Ok(())
    }

    /// Takes the words of `--changes`: verbs, or a table and verbs.
    pub fn changes_flag(&mut self, words: &str) -> Result<(), PackError> {
        let (table, verbs) = table_and_rest(words)?;
        let setting = Setting { strategy: None, changes: Some(verbs_of(verbs.split(','))?) };
        self.flag(table, setting);
        Ok(())
    }

    fn flag(&mut self, table: Option<&str>, setting: Setting) {
        match table {
            Some(table) => self.flags.tables.push((table.to_owned(), setting)),
            None => {
                let default = &mut self.flags.default;
                default.strategy = setting.strategy.or(default.strategy);
                default.changes = setting.changes.or(default.changes.take());
            }
        }
    }

    /// Refuses names and patterns that no table has.
    pub fn check(&self, ignores_case: bool, tables: &[&ObjectName]) -> Result<(), PackError> {
        for (pattern, _) in self.flags.tables.iter().chain(&self.file.tables) {
            if !tables.iter().any(|table| is_for(pattern, table, ignores_case)) {
                return Err(wrong(pattern, "neither of the two snapshots has such a table"));
            }
        }
        Ok(())
    }

    /// What holds for a table.
    pub fn of(&self, ignores_case: bool, table: &ObjectName) -> Result<Choice, PackError> {
        let strategy = self.find(ignores_case, table, |setting| setting.strategy.as_ref())?;
        let changes = self.find(ignores_case, table, |setting| setting.changes.as_ref())?;
        Ok(Choice {
            strategy: strategy.copied().unwrap_or(Strategy::Theirs),
            changes: changes.cloned().unwrap_or_else(|| Verb::EVERY.into()),
        })
    }

    fn find<'s, T: PartialEq>(
        &'s self,
        ignores_case: bool,
        table: &ObjectName,
        of: impl Fn(&'s Setting) -> Option<&'s T>,
    ) -> Result<Option<&'s T>, PackError> {
        for is_pattern in [false, true] {
            for layer in [&self.flags, &self.file] {
                let mut found: Option<(&str, &T)> = None;
                for (name, setting) in &layer.tables {
                    let Some(value) = of(setting) else { continue };
                    if self::is_pattern(name) != is_pattern || !is_for(name, table, ignores_case) {
                        continue;
                    }
                    match found {
                        Some((other, known)) if known != value => {
                            let reason = format!("`{other}` says otherwise of table {table}");
                            return Err(wrong(name, reason));
                        }
                        _ => found = Some((name, value)),
                    }
                }
                if let Some((_, value)) = found {
                    return Ok(Some(value));
                }
            }
        }
        Ok(of(&self.flags.default).or_else(|| of(&self.file.default)))
    }
}

fn wrong(word: &str, reason: impl Into<String>) -> PackError {
    PackError::Strategy { word: word.to_owned(), reason: reason.into() }
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// Whether a name or pattern is for a table: by its whole name, or without its schema.
fn is_for(pattern: &str, table: &ObjectName, ignores_case: bool) -> bool {
    matches_pattern(pattern, &table.to_string(), ignores_case)
        || matches_pattern(pattern, &table.name, ignores_case)
}

fn table_and_rest(words: &str) -> Result<(Option<&str>, &str), PackError> {
    match words.rsplit_once('=') {
        Some(("", _)) => Err(wrong(words, "the table's name is missing before the `=`")),
        Some((table, rest)) => Ok((Some(table), rest)),
        None => Ok((None, words)),
    }
}

fn strategy_of(word: &str) -> Result<Strategy, PackError> {
    Strategy::of_word(word)
        .ok_or_else(|| wrong(word, "no such strategy; there are theirs, ours and manual"))
}

fn verbs_of<'w>(words: impl Iterator<Item = &'w str>) -> Result<BTreeSet<Verb>, PackError> {
    let verb = |word: &str| {
        Verb::EVERY
            .into_iter()
            .find(|verb| verb.as_str() == word.trim())
            .ok_or_else(|| wrong(word, "no such change; there are insert, update and delete"))
    };
    let verbs: BTreeSet<Verb> = words.map(verb).collect::<Result<_, _>>()?;
    match verbs.is_empty() {
        true => Err(wrong("changes", "name at least one change, or use the strategy `ours`")),
        false => Ok(verbs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> ObjectName {
        match name.split_once('.') {
            Some((schema, name)) => ObjectName { schema: schema.into(), name: name.into() },
            None => ObjectName::bare(name),
        }
    }

    #[test]
    fn names_go_before_patterns_and_flags_before_the_file() {
        let mut all = Strategies::none();
        all.file_default(Setting::of_words(Some("ours"), None).unwrap());
        all.file_table("log_*", Setting::of_words(None, Some(&["insert".into()])).unwrap());
        all.file_table("public.users", Setting::of_words(Some("manual"), None).unwrap());
        all.strategy_flag("theirs").unwrap();
        all.strategy_flag("u*=ours").unwrap();
        let of = |name: &str| all.of(false, &table(name)).unwrap();
        assert_eq!(of("public.users").strategy, Strategy::Manual);
        assert_eq!(of("public.units").strategy, Strategy::Ours);
        assert_eq!(of("public.other").strategy, Strategy::Theirs);
        assert_eq!(of("log_1").fate(Verb::Insert), Fate::Taken);
        assert_eq!(of("log_1").fate(Verb::Delete), Fate::Kept);
        assert_eq!(of("LOG_1").fate(Verb::Delete), Fate::Taken);
        assert_eq!(all.of(true, &table("LOG_1")).unwrap().fate(Verb::Delete), Fate::Kept);
    }

    #[test]
    fn what_means_nothing_or_two_things_is_an_error() {
        let mut all = Strategies::none();
        for bad in ["mine", "=ours", "t=", "t=mine"] {
            assert!(all.strategy_flag(bad).is_err(), "{bad}");
        }
        for bad in ["", "t=", "t=insert,upsert", "inserts"] {
            assert!(all.changes_flag(bad).is_err(), "{bad}");
        }
        all.strategy_flag("a*=ours").unwrap();
        all.changes_flag("*b=insert, update").unwrap();
        assert!(all.of(false, &table("ab")).is_ok());
        all.strategy_flag("*b=theirs").unwrap();
        assert!(all.of(false, &table("ab")).is_err());
        let tables = [table("ab"), table("s.b")];
        assert!(all.check(false, &[&tables[0], &tables[1]]).is_ok());
        assert!(all.check(false, &[&tables[1]]).is_err());
    }
}
