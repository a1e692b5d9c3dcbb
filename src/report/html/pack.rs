//! What a page says of the change pack that was made of the difference: what runs, what to know
//! before, what is left out and how to allow it.

use serde_json::{Value as Json, json};

use crate::pack::Manifest;
use crate::pack::manifest::LeftOut;
use crate::pack::summary::for_a_shell;

/// The pack as a member of the page's data.
pub(super) fn to_json(manifest: &Manifest) -> Json {
    json!({
        "digest": manifest.pack,
        "target": manifest.target.identity,
        "complete": manifest.is_complete,
        "only": manifest.tables,
        "statements": manifest.migration.statements,
        "rows": manifest.migration.rows,
        "tables": manifest.migration.tables,
        "rollback": { "statements": manifest.rollback.statements, "rows": manifest.rollback.rows,
            "taken_back": manifest.migration.reversals.to_text() },
        "hazards": manifest.hazards,
        "left_out": manifest.left_out.iter().map(left_out).collect::<Vec<_>>(),
        "kept": manifest.kept,
        "triggers": manifest.triggers,
    })
}

fn left_out(item: &LeftOut) -> Json {
    let allow: Vec<String> = item.allow.iter().map(|option| for_a_shell(option)).collect();
    json!({
        "step": item.step,
        "object": item.object,
        "rows": item.rows,
        "keys": item.keys,
        "allow": allow,
        "reason": item.reason,
    })
}
