//! `summary.md`: what a person reads first, from the same values as everything else.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::label::counted;
use super::manifest::{FIRST, Hazard, Kept, LeftOut, Manifest, Way};
use super::schema::SchemaPlan;

/// The text of the summary.
pub fn write(manifest: &Manifest, plan: &SchemaPlan) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = compose(&mut text, manifest, plan);
    text
}

/// An option as a shell takes it: its value is quoted where a shell would take it apart.
pub fn for_a_shell(option: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_:./=,".contains(c);
    match option.split_once(' ') {
        Some((flag, value)) if !value.chars().all(is_plain) => {
            format!("{flag} '{}'", value.replace('\'', "'\\''"))
        }
        _ => option.to_owned(),
    }
}

fn compose(text: &mut String, manifest: &Manifest, plan: &SchemaPlan) -> std::fmt::Result {
    writeln!(text, "# Change pack\n")?;
    writeln!(text, "| | snapshot | state |\n|---|---|---|")?;
    for (name, side) in [("from", &manifest.base), ("to", &manifest.wanted)] {
        writeln!(text, "| {name} | `{}` | `{}` |", short(&side.snapshot), short(&side.state))?;
    }
    writeln!(text, "\nMade for `{}`.", quoted(&manifest.target.identity))?;
    let whole = match manifest.is_complete {
        true => "When it has run, the target is exactly as the second snapshot.",
        false if manifest.part.as_deref() == Some(FIRST) && manifest.left_out.is_empty() => {
            "When it has run, the target is as the second snapshot but for what another pack brings \
             about after it (below)."
        }
        false if manifest.left_out.is_empty() && !manifest.kept.is_empty() => {
            "Some rows are kept as the target has them (below): it will not be as the second \
             snapshot."
        }
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
    if !manifest.migration.reversals.is_none() {
        writeln!(text, "\nSteps that it takes back: {}.", manifest.migration.reversals.to_text())?;
    }
    left_out(text, &manifest.left_out)?;
    kept(text, &manifest.kept)?;
    hazards(text, &manifest.hazards)
}

fn left_out(text: &mut String, items: &[LeftOut]) -> std::fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n## Left out\n")?;
    for item in items {
        let rows = match item.rows {
            0 => String::new(),
            rows => format!(", {}", counted(rows, "row")),
        };
        let reason = plain(&item.reason);
        writeln!(text, "- {} `{}`{rows}: {reason}", item.step, quoted(&item.object))?;
        keys(text, &item.keys, item.rows)?;
        if !item.allow.is_empty() {
            let options: Vec<String> = item.allow.iter().map(|o| quoted(&for_a_shell(o))).collect();
            writeln!(text, "  - to allow it: `{}`", options.join(" "))?;
        }
    }
    // Each option once: what is left out because of another step names that step's options.
    let all: BTreeSet<String> =
        items.iter().flat_map(|item| &item.allow).map(|option| for_a_shell(option)).collect();
    if items.len() > 1 && !all.is_empty() {
        let all: Vec<String> = all.iter().map(|option| quoted(option)).collect();
        writeln!(text, "\nTo let all of it run, make the pack again and add\n")?;
        writeln!(text, "    {}", all.join(" \\\n    "))?;
    }
    Ok(())
}

fn kept(text: &mut String, items: &[Kept]) -> std::fmt::Result {
    if !items.is_empty() {
        writeln!(text, "\n## Kept by strategy\n")?;
    }
    for item in items {
        let rows = counted(item.rows, "row");
        let (object, reason) = (quoted(&item.object), plain(&item.reason));
        writeln!(text, "- {} `{object}`, {rows} ({}): {reason}", item.step, item.strategy)?;
        keys(text, &item.keys, item.rows)?;
    }
    Ok(())
}

/// The first rows that something is about.
fn keys(text: &mut String, keys: &[String], rows: u64) -> std::fmt::Result {
    if keys.is_empty() {
        return Ok(());
    }
    let more = if u64::try_from(keys.len()).is_ok_and(|n| n < rows) { ", …" } else { "" };
    let keys: Vec<String> = keys.iter().map(|key| quoted(key)).collect();
    writeln!(text, "  - rows: `{}`{more}", keys.join("`, `"))
}

fn hazards(text: &mut String, items: &[Hazard]) -> std::fmt::Result {
    if !items.is_empty() {
        writeln!(text, "\n## To know before\n")?;
    }
    for hazard in items {
        let object = match hazard.object.as_str() {
            "" => String::new(),
            object => format!(" `{}`", quoted(object)),
        };
        writeln!(text, "- **{}**{object}: {}", hazard.kind, plain(&hazard.text))?;
    }
    Ok(())
}

fn rows(text: &mut String, title: &str, way: &Way) -> std::fmt::Result {
    if way.tables.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n{title}:\n\n| table | inserted | updated | deleted |\n|---|--:|--:|--:|")?;
    for table in &way.tables {
        let name = quoted(&table.name).replace('|', "\\|");
        let (inserted, updated, deleted) = (table.inserted, table.updated, table.deleted);
        writeln!(text, "| `{name}` | {inserted} | {updated} | {deleted} |")?;
    }
    if way.tables.len() > 1 {
        let (inserted, updated, deleted) = (way.rows.inserted, way.rows.updated, way.rows.deleted);
        writeln!(text, "| all | {inserted} | {updated} | {deleted} |")?;
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

/// A sentence that may hold names: on one line, and no markup of its own.
fn plain(sentence: &str) -> String {
    let mut out = String::with_capacity(sentence.len());
    for character in sentence.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_can_be_pasted() {
        assert_eq!(for_a_shell("--allow drop-table:t"), "--allow drop-table:t");
        assert_eq!(for_a_shell("--allow drop-table:a b's"), "--allow 'drop-table:a b'\\''s'");
    }

    #[test]
    fn what_is_left_out_says_which_rows_and_how_to_allow_them() {
        let item = |object: &str, rows, keys: &[&str], allow: &str| LeftOut {
            step: "delete".into(),
            class: "delete-rows".into(),
            object: object.into(),
            rows,
            keys: keys.iter().map(ToString::to_string).collect(),
            allow: vec![allow.into()],
            reason: "rows are\nremoved <b>".into(),
        };
        let mut text = String::new();
        let items = [
            item("t`x", 3, &["(1)", "('a`')"], "--allow delete-rows:t`x"),
            item("u v", 1, &["(1)"], "--allow delete-rows:u v"),
        ];
        left_out(&mut text, &items).unwrap();
        assert_eq!(
            text,
            "\n## Left out\n\n\
             - delete `t'x`, 3 rows: rows are removed &lt;b>\n  \
               - rows: `(1)`, `('a'')`, …\n  \
               - to allow it: `--allow 'delete-rows:t'x'`\n\
             - delete `u v`, 1 row: rows are removed &lt;b>\n  \
               - rows: `(1)`\n  \
               - to allow it: `--allow 'delete-rows:u v'`\n\n\
             To let all of it run, make the pack again and add\n\n    \
             --allow 'delete-rows:t'x' \\\n    --allow 'delete-rows:u v'\n"
        );
    }
}
