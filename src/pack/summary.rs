//! `summary.md`: what a person reads first, from the same values as everything else.

use std::fmt::Write as _;

use super::label::counted;
use super::manifest::{Manifest, Way};
use super::schema::SchemaPlan;

/// The text of the summary.
pub fn write(manifest: &Manifest, plan: &SchemaPlan) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = compose(&mut text, manifest, plan);
    text
}

fn compose(text: &mut String, manifest: &Manifest, plan: &SchemaPlan) -> std::fmt::Result {
    writeln!(text, "# Change pack\n")?;
    writeln!(text, "| | snapshot | state |\n|---|---|---|")?;
    for (name, side) in [("from", &manifest.base), ("to", &manifest.wanted)] {
        writeln!(text, "| {name} | `{}` | `{}` |", short(&side.snapshot), short(&side.state))?;
    }
    writeln!(text, "\nMade for `{}`.", manifest.target.identity.replace('`', "'"))?;
    let whole = match manifest.is_complete {
        true => "When it has run, the target is exactly as the second snapshot.",
        false => "Some steps are left out (below): the target will not be as the second snapshot.",
    };
    writeln!(text, "{whole}\n")?;
    writeln!(text, "## What runs\n")?;
    if manifest.migration.statements == 0 {
        writeln!(text, "There is nothing to change.")?;
    }
    for deed in plan.steps().flat_map(|step| &step.deeds) {
        writeln!(text, "- {} `{}`", deed.name(), quoted(&deed.id.to_string()))?;
    }
    rows(text, "Rows", &manifest.migration)?;
    rows(text, "Rows of the rollback", &manifest.rollback)?;
    if !manifest.left_out.is_empty() {
        writeln!(text, "\n## Left out\n")?;
        for left in &manifest.left_out {
            let rows = match left.rows {
                0 => String::new(),
                rows => format!(", {}", counted(rows, "row")),
            };
            write!(text, "- {} `{}`{rows}: {}", left.step, quoted(&left.object), left.reason)?;
            if !left.allow.is_empty() {
                write!(text, " (`{}`)", left.allow.join(" "))?;
            }
            writeln!(text)?;
        }
    }
    if !manifest.hazards.is_empty() {
        writeln!(text, "\n## To know before\n")?;
    }
    for hazard in &manifest.hazards {
        let object = match hazard.object.as_str() {
            "" => String::new(),
            object => format!(" `{}`", quoted(object)),
        };
        writeln!(text, "- {}{object}: {}", hazard.kind, hazard.text)?;
    }
    Ok(())
}

fn rows(text: &mut String, title: &str, way: &Way) -> std::fmt::Result {
    if way.tables.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n{title}:\n\n| table | inserted | updated | deleted |\n|---|---|---|---|")?;
    for table in &way.tables {
        let name = quoted(&table.name).replace('|', "\\|");
        let (inserted, updated, deleted) = (table.inserted, table.updated, table.deleted);
        writeln!(text, "| `{name}` | {inserted} | {updated} | {deleted} |")?;
    }
    Ok(())
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// A name within backticks on one line.
fn quoted(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || c == '`' { '\'' } else { c }).collect()
}
