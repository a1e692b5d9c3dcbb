//! The steps of one way of a pack as they commit: statements with the settings around them, before
//! the rows and behind them.

use super::course::{Aside, Step};
use crate::engine::trash_name;
use crate::fsio::FileSystem;
use crate::pack::manifest::StepKind;
use crate::pack::schema::SchemaStep;
use crate::pack::{Pack, PackError, Run};

/// One way of a pack.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Settings of the session.
    pub(super) preparations: Vec<String>,
    /// The steps before the rows.
    pub(super) first: Vec<Step>,
    /// The steps behind the rows.
    pub(super) second: Vec<Step>,
    /// What drops the tables that were put aside.
    pub(super) trash: Vec<String>,
}

/// Reads one way.
pub(super) fn of(pack: &Pack, fs: &dyn FileSystem, run: Run) -> Result<Listing, PackError> {
    let mut listing = Listing::default();
    let (mut first, mut second) = (Grouping::default(), Grouping::default());
    let mut steps = pack.steps(fs, run)?;
    let mut statements = pack.statements(fs, run)?;
    let mut is_behind = false;
    while let Some(step) = steps.next_step()? {
        let kind = step.kind();
        is_behind |= kind == StepKind::Rows;
        let (Some(at), Some(len)) = (step.at, step.len) else { continue };
        if !matches!(kind, StepKind::Preparation | StepKind::Schema | StepKind::Trash) {
            continue;
        }
        let text = statements.text(at, len)?.to_owned();
        match kind {
            StepKind::Preparation => listing.preparations.push(text),
            StepKind::Trash => listing.trash.push(text),
            _ => {
                let aside = step.content.as_ref().filter(|_| step.verb == "drop-table");
                let aside = aside.map(|content| Aside {
                    table: step.object.to_string(),
                    under: trash_name(&step.object),
                    rows: content.rows,
                    digest: content.digest.to_string(),
                });
                let grouping = if is_behind { &mut second } else { &mut first };
                grouping.push(format!("{} {}", step.verb, step.object), text, aside);
                if step.verb.starts_with("rename-") {
                    grouping.renames();
                }
            }
        }
    }
    (listing.first, listing.second) = (first.steps, second.steps);
    Ok(listing)
}

/// Steps that were planned just now.
pub(super) fn of_plan(planned: &[SchemaStep]) -> Vec<Step> {
    let mut grouping = Grouping::default();
    for step in planned {
        grouping.push(format!("{} {}", step.name(), step.main().id), step.statement.clone(), None);
    }
    grouping.steps
}

/// Puts settings with the statements that they are for. Settings come in pairs: one before a
/// statement, and one behind it that takes the first back.
#[derive(Default)]
struct Grouping {
    steps: Vec<Step>,
    open: Vec<String>,
    /// Whether the last statement waits for the setting that takes back its own.
    waits: bool,
}

impl Grouping {
    /// The last statement gives something another name.
    fn renames(&mut self) {
        if let Some(step) = self.steps.last_mut() {
            step.is_rename = true;
        }
    }

    fn push(&mut self, name: String, text: String, aside: Option<Aside>) {
        let is_setting = text.starts_with("SET ");
        match (is_setting, self.steps.last_mut()) {
            (true, Some(step)) if self.waits => {
                step.tidy_up.push(text);
                self.waits = false;
            }
            (true, _) => self.open.push(text),
            (false, _) => {
                let set_up = std::mem::take(&mut self.open);
                self.waits = !set_up.is_empty();
                let statement = text;
                self.steps.push(Step { name, set_up, statement, aside, ..Step::default() });
            }
        }
    }
}
