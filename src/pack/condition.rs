//! Which rows a partial unique index speaks of, as far as the plan can tell without a database.
//!
//! `c IS NULL` and `c IS NOT NULL` are decided here; of any other condition it is only known which
//! columns it names. A doubt orders too much rather than too little, and the plan is proved on a
//! scratch copy in any case.

use super::shape::Shape;
use super::spool::Change;

/// The condition of a partial index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The column holds NULL.
    IsNull(String),
    /// The column holds a value.
    IsNotNull(String),
    /// Any other condition, in lower case.
    Other(String),
}

impl Condition {
    /// The condition of this normalised text.
    pub fn of(text: &str) -> Condition {
        let lower = text.to_ascii_lowercase();
        let column = |front: &str| {
            let name = front.trim().trim_matches(['"', '`', '[', ']']);
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
            is_name.then(|| name.to_owned())
        };
        let is_not_null = ["is not null", "notnull", "not null"]
            .into_iter()
            .find_map(|end| column(lower.strip_suffix(end)?));
        if let Some(name) = is_not_null {
            return Condition::IsNotNull(name);
        }
        let is_null =
            ["is null", "isnull"].into_iter().find_map(|end| column(lower.strip_suffix(end)?));
        is_null.map_or(Condition::Other(lower), Condition::IsNull)
    }

    /// Whether the row is spoken of before and after a change; `None` where that is not known.
    pub fn holds(&self, shape: &Shape, change: &Change) -> (Option<bool>, Option<bool>) {
        let (name, wants_null) = match self {
            Condition::IsNull(name) => (name, true),
            Condition::IsNotNull(name) => (name, false),
            Condition::Other(_) => return (None, None),
        };
        let place = (0..shape.len()).find(|&at| shape.name(at).eq_ignore_ascii_case(name));
        let Some(place) = place else { return (None, None) };
        let before = shape.before(change, place).is_null() == wants_null;
        let after = shape.after(change, place).is_null() == wants_null;
        (Some(before), Some(after))
    }

    /// Whether a column that the condition may name changes.
    pub fn is_touched(&self, shape: &Shape, change: &Change) -> bool {
        let names = |at: &usize| {
            let name = shape.name(*at).to_ascii_lowercase();
            match self {
                Condition::IsNull(column) | Condition::IsNotNull(column) => *column == name,
                Condition::Other(text) => text.contains(&name),
            }
        };
        shape.changed(change).iter().any(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decided_and_what_is_not() {
        assert_eq!(Condition::of("valid_to IS NULL"), Condition::IsNull("valid_to".into()));
        assert_eq!(Condition::of("\"To\" IS NOT NULL"), Condition::IsNotNull("to".into()));
        for other in ["a = 1", "a IS NULL AND b IS NULL", "( a ) IS NULL", "lower(a) IS NULL"] {
            assert!(matches!(Condition::of(other), Condition::Other(_)), "{other}");
        }
    }
}
