//! How what a step does is taken back by the rollback: with nothing but statements, with data that the
//! pack holds, or not at all.

use serde::{Deserialize, Serialize};

use super::manifest::{StepKind, StepLine};

/// How a step is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reversal {
    /// By a statement that needs no data.
    Exactly,
    /// With the rows or values that `rollback.sql` holds.
    WithData,
    /// Not: positions of sequences only ever move forward.
    Never,
}

impl Reversal {
    /// That of a step; `None` for one that changes nothing.
    pub fn of(step: &StepLine<'_>) -> Option<Reversal> {
        let needs_data = |hazard: &str| matches!(hazard, "data-loss" | "narrows");
        match step.kind() {
            StepKind::Sequence => Some(Reversal::Never),
            StepKind::Row => match step.verb.as_ref() {
                "check" => None,
                "insert" => Some(Reversal::Exactly),
                _ => Some(Reversal::WithData),
            },
            StepKind::Schema if step.hazards.iter().any(|hazard| needs_data(hazard)) => {
                Some(Reversal::WithData)
            }
            StepKind::Schema => Some(Reversal::Exactly),
            StepKind::Deferral | StepKind::Preparation | StepKind::Rows | StepKind::Trash => None,
        }
    }
}

/// How many steps are taken back how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reversals {
    /// By statements alone.
    pub exactly: u64,
    /// With data that the rollback holds.
    pub with_data: u64,
    /// Not at all.
    pub never: u64,
}

impl Reversals {
    /// Counts a step.
    pub(super) fn note(&mut self, step: &StepLine<'_>) {
        match Reversal::of(step) {
            Some(Reversal::Exactly) => self.exactly += 1,
            Some(Reversal::WithData) => self.with_data += 1,
            Some(Reversal::Never) => self.never += 1,
            None => {}
        }
    }

    /// Whether there was nothing to count; so in a pack of before this was counted.
    pub fn is_none(&self) -> bool {
        *self == Reversals::default()
    }

    /// For people, on a line; empty where there was nothing to count.
    pub fn to_text(&self) -> String {
        let parts = [
            (self.exactly, "by statements alone"),
            (self.with_data, "with data that rollback.sql holds"),
            (self.never, "not (positions of sequences stay)"),
        ];
        let parts = parts.iter().filter(|(steps, _)| *steps > 0);
        let parts: Vec<String> = parts.map(|(steps, how)| format!("{steps} {how}")).collect();
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_taken_back_as_their_verbs_say() {
        let of = |verb: &'static str, hazards: &[&'static str]| {
            let hazards = hazards.iter().map(|hazard| (*hazard).into()).collect();
            Reversal::of(&StepLine { verb: verb.into(), hazards, ..StepLine::default() })
        };
        assert_eq!(of("insert", &[]), Some(Reversal::Exactly));
        assert_eq!(of("update", &[]), Some(Reversal::WithData));
        assert_eq!(of("delete", &["data-loss"]), Some(Reversal::WithData));
        assert_eq!(of("create-index", &["lock"]), Some(Reversal::Exactly));
        assert_eq!(of("drop-column", &["data-loss"]), Some(Reversal::WithData));
        assert_eq!(of("alter-column", &["narrows"]), Some(Reversal::WithData));
        assert_eq!(of("sequence", &[]), Some(Reversal::Never));
        for verb in ["check", "prepare", "defer"] {
            assert_eq!(of(verb, &[]), None);
        }
    }
}
