//! The clauses of one ALTER TABLE: which can be together, and in which order.
//!
//! The servers take the clauses of a statement as one change, except for the place of columns,
//! which they work off one after the other: a column that comes after another stands behind it
//! here. Foreign keys come and go by statements of their own, and so do partitions. A column that
//! is defined twice is defined as it was the last time.

use crate::engine::mysql::sql::quoted;
use crate::model::ObjectName;

/// What stands before the column that another one comes after.
const AFTER: &str = " AFTER ";

/// What a clause is about, in the order of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    DropForeignKey,
    Drop,
    DropColumn,
    Column,
    Default,
    Add,
    Option,
    AddForeignKey,
    Partition,
}

fn class(clause: &str) -> Class {
    let begins = |words: &str| clause.starts_with(words);
    if begins("DROP FOREIGN KEY ") {
        Class::DropForeignKey
    } else if begins("DROP COLUMN ") {
        Class::DropColumn
    } else if begins("DROP ") {
        Class::Drop
    } else if begins("ADD COLUMN ") || begins("MODIFY COLUMN ") {
        Class::Column
    } else if begins("ALTER COLUMN ") {
        Class::Default
    } else if begins("ADD CONSTRAINT ") && is_foreign(clause) {
        Class::AddForeignKey
    } else if ["ADD PARTITION ", "REORGANIZE ", "PARTITION BY ", "REMOVE PARTITIONING"]
        .iter()
        .any(|words| begins(words))
    {
        Class::Partition
    } else if begins("ADD ") || begins("ALTER ") {
        Class::Add
    } else {
        Class::Option
    }
}

fn is_foreign(clause: &str) -> bool {
    let rest = clause.trim_start_matches("ADD CONSTRAINT ");
    let (_, length) = leading_name(rest).unwrap_or_default();
    rest.get(length..).is_some_and(|rest| rest.starts_with(" FOREIGN KEY "))
}

/// The quoted name at the beginning, and how long it is.
fn leading_name(text: &str) -> Option<(String, usize)> {
    let inner = text.strip_prefix('`')?;
    let mut name = String::new();
    let mut characters = inner.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character != '`' {
            name.push(character);
        } else if characters.next_if(|(_, next)| *next == '`').is_some() {
            name.push('`');
        } else {
            return Some((name, at + 2));
        }
    }
    None
}

/// The column that a clause defines.
fn defined(clause: &str) -> Option<String> {
    let rest = ["ADD COLUMN ", "MODIFY COLUMN ", "ALTER COLUMN "]
        .iter()
        .find_map(|words| clause.strip_prefix(words))?;
    Some(leading_name(rest)?.0)
}

/// The column that a clause puts its own after.
fn put_after(clause: &str) -> Option<String> {
    // A name at the end: its quotes inside are doubled, so AFTER stands before an odd one.
    clause.match_indices(AFTER).find_map(|(at, _)| {
        let rest = clause.get(at + AFTER.len()..)?;
        let (name, length) = leading_name(rest)?;
        (length == rest.len()).then_some(name)
    })
}

/// One clause as a statement.
pub(super) fn alone(table: &ObjectName, clause: &str) -> String {
    let separator = if clause.contains('\n') { "\n" } else { " " };
    format!("ALTER TABLE {}{separator}{clause}", quoted(&table.name))
}

/// Several clauses as one statement; `None` where they cannot be together.
pub(super) fn joined(table: &ObjectName, clauses: &[String]) -> Option<String> {
    let mut kept: Vec<&str> = Vec::with_capacity(clauses.len());
    for clause in clauses {
        if !kept.contains(&clause.as_str()) {
            kept.push(clause);
        }
    }
    let classes: Vec<Class> = kept.iter().map(|clause| class(clause)).collect();
    let (first, last) = (*classes.iter().min()?, *classes.iter().max()?);
    let stands_alone =
        |class| matches!(class, Class::DropForeignKey | Class::AddForeignKey | Class::Partition);
    if (stands_alone(first) || stands_alone(last)) && first != last {
        return None;
    }
    if first == Class::Partition {
        return partitions(&kept).map(|clause| alone(table, &clause));
    }
    // InnoDB builds one of these at a time.
    if kept.iter().filter(|clause| clause.starts_with("ADD FULLTEXT ")).count() > 1 {
        return None;
    }
    // A column is left out of the history of a table that has one already.
    let is_left_out = |clause: &&str| clause.contains(" WITHOUT SYSTEM VERSIONING");
    if kept.contains(&"ADD SYSTEM VERSIONING") && kept.iter().any(is_left_out) {
        return None;
    }
    let defaults = kept.iter().filter(|clause| class(clause) == Class::Default);
    for column in defaults.filter_map(|clause| defined(clause)) {
        // A default is dropped of a column that is there already.
        let is_same = |clause: &&&str| defined(clause).as_ref() == Some(&column);
        if kept.iter().filter(is_same).count() > 1 {
            return None;
        }
    }
    let mut ordered = in_order(last_definitions(kept));
    match ordered.len() {
        1 => Some(alone(table, ordered.swap_remove(0))),
        _ => Some(format!("ALTER TABLE {}\n  {}", quoted(&table.name), ordered.join(",\n  "))),
    }
}

/// Without definitions of a column that another one follows. One that only lacks a place is the
/// same definition.
fn last_definitions(clauses: Vec<&str>) -> Vec<&str> {
    let is_modified = |clause: &str| clause.starts_with("MODIFY COLUMN ");
    let mut kept: Vec<&str> = Vec::with_capacity(clauses.len());
    for clause in clauses {
        let same = kept.iter().position(|other| {
            is_modified(clause) && is_modified(other) && defined(clause) == defined(other)
        });
        match same {
            Some(at) if is_placed(clause, kept[at]) => {}
            Some(at) => kept[at] = clause,
            None => kept.push(clause),
        }
    }
    kept
}

/// Whether a definition is another one with a place.
fn is_placed(bare: &str, placed: &str) -> bool {
    placed.strip_prefix(bare).is_some_and(|rest| match rest.strip_prefix(AFTER) {
        Some(name) => leading_name(name).is_some_and(|(_, length)| length == name.len()),
        None => rest.is_empty() || rest == " FIRST",
    })
}

/// In the order of a statement; columns behind those they come after.
fn in_order(mut clauses: Vec<&str>) -> Vec<&str> {
    clauses.sort_by_key(|clause| class(clause));
    let (columns, others): (Vec<&str>, Vec<&str>) =
        clauses.into_iter().partition(|clause| class(clause) == Class::Column);
    let names: Vec<Option<String>> = columns.iter().map(|clause| defined(clause)).collect();
    let mut is_placed = vec![false; columns.len()];
    let mut placed: Vec<&str> = Vec::with_capacity(columns.len());
    for start in 0..columns.len() {
        // Walk back to a column that waits for none, then place all that were passed.
        let mut path = Vec::new();
        let mut at = Some(start);
        while let Some(here) = at.filter(|here| !is_placed[*here] && !path.contains(here)) {
            path.push(here);
            let before = put_after(columns[here]);
            at = before.and_then(|name| names.iter().position(|n| n.as_ref() == Some(&name)));
        }
        for here in path.into_iter().rev() {
            is_placed[here] = true;
            placed.push(columns[here]);
        }
    }
    let at = others.iter().filter(|clause| class(clause) < Class::Column).count();
    let mut ordered = others;
    ordered.splice(at..at, placed);
    ordered
}

/// What happens to partitions as one clause: what is made anew as a whole needs no other, what is
/// reorganised holds what is added in it.
fn partitions(clauses: &[&str]) -> Option<String> {
    const ADD: &str = "ADD PARTITION (";
    if let Some(whole) = clauses.iter().rfind(|clause| clause.starts_with("PARTITION BY ")) {
        return Some((*whole).to_owned());
    }
    let (added, others): (Vec<&str>, Vec<&str>) =
        clauses.iter().copied().partition(|clause| clause.starts_with(ADD));
    let inner = |clause: &str| {
        let inner = clause.strip_prefix(ADD).and_then(|rest| rest.strip_suffix(')'));
        inner.unwrap_or_default().to_owned()
    };
    let added: Vec<String> = added
        .into_iter()
        .map(inner)
        .filter(|partition| !others.iter().any(|other| other.contains(partition.as_str())))
        .collect();
    match (others.as_slice(), added.as_slice()) {
        ([other], []) => Some((*other).to_owned()),
        ([], added) => Some(format!("{ADD}{})", added.join(",\n  "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(clauses: &[&str]) -> Option<String> {
        let clauses: Vec<String> = clauses.iter().map(|clause| (*clause).to_owned()).collect();
        joined(&ObjectName::bare("t"), &clauses)
    }

    #[test]
    fn columns_stand_behind_those_they_come_after() {
        let joined = join(&[
            "ADD COLUMN `a` int AFTER `z` AFTER `c`",
            "ADD PRIMARY KEY (`a`)",
            "ADD COLUMN `c` int COMMENT ' AFTER `a`' AFTER `b``'`",
            "MODIFY COLUMN `b``'` int FIRST",
            "DROP COLUMN `x`",
            "COMMENT='x'",
        ]);
        let expected = "ALTER TABLE `t`\n  DROP COLUMN `x`,\n  MODIFY COLUMN `b``'` int FIRST,\n  \
            ADD COLUMN `c` int COMMENT ' AFTER `a`' AFTER `b``'`\n  ,";
        let joined = joined.unwrap();
        assert!(joined.starts_with(expected.trim_end_matches("\n  ,")), "{joined}");
        assert!(joined.ends_with("ADD PRIMARY KEY (`a`),\n  COMMENT='x'"), "{joined}");
    }

    #[test]
    fn what_cannot_be_together_is_told_apart() {
        assert_eq!(join(&["DROP FOREIGN KEY `f`", "DROP COLUMN `a`"]), None);
        let add = "ADD CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `p` (`a`)";
        assert_eq!(join(&["ADD INDEX `i` (`a`)", add]), None);
        assert_eq!(join(&["REMOVE PARTITIONING", "DROP COLUMN `a`"]), None);
        let check = "ADD CONSTRAINT ` FOREIGN KEY ` CHECK (1)";
        assert!(join(&["ADD INDEX `i` (`a`)", check]).is_some());
        assert_eq!(join(&["ADD COLUMN `a` int", "ALTER COLUMN `a` DROP DEFAULT"]), None);
    }

    #[test]
    fn a_column_is_defined_once() {
        let joined = join(&["MODIFY COLUMN `a` int", "MODIFY COLUMN `a` int FIRST"]);
        assert_eq!(joined.as_deref(), Some("ALTER TABLE `t` MODIFY COLUMN `a` int FIRST"));
        let joined = join(&["MODIFY COLUMN `a` int FIRST", "MODIFY COLUMN `a` int"]);
        assert_eq!(joined.as_deref(), Some("ALTER TABLE `t` MODIFY COLUMN `a` int FIRST"));
        let joined = join(&["MODIFY COLUMN `a` int NOT NULL", "MODIFY COLUMN `a` int"]);
        assert_eq!(joined.as_deref(), Some("ALTER TABLE `t` MODIFY COLUMN `a` int"));
        let joined = join(&["MODIFY COLUMN `a` int", "MODIFY COLUMN `a` text"]);
        assert_eq!(joined.as_deref(), Some("ALTER TABLE `t` MODIFY COLUMN `a` text"));
    }

    #[test]
    fn partitions_in_one_clause() {
        let added = join(&["ADD PARTITION (PARTITION `a` X)", "ADD PARTITION (PARTITION `b` Y)"]);
        let expected = "ALTER TABLE `t`\nADD PARTITION (PARTITION `a` X,\n  PARTITION `b` Y)";
        assert_eq!(added.as_deref(), Some(expected));
        let whole = join(&["REMOVE PARTITIONING", "PARTITION BY HASH(a)"]);
        assert_eq!(whole.as_deref(), Some("ALTER TABLE `t` PARTITION BY HASH(a)"));
        let within = "REORGANIZE PARTITION `m` INTO (PARTITION `a` X, PARTITION `m` Z)";
        let within = join(&["ADD PARTITION (PARTITION `a` X)", within]);
        assert!(within.is_some_and(|joined| !joined.contains("ADD")));
    }
}
