//! The texts of a commit that are for people: `README.md`, `.gitattributes`, `tables.tsv`, and the
//! message.

use std::fmt::Write as _;

use super::commit::{Changes, CommitRequest, Content};
use super::names;
use crate::codec::state::StoredTable;
use crate::model::RowKey;
use crate::model::snapshot::{Snapshot, State};

/// `.gitattributes`: nothing is converted on checkout, and git can show the rows of a chunk.
pub(super) const ATTRIBUTES: &str = "\
* -text
*.chunk -merge diff=deepdiff
*.value -diff -merge
*.list -diff -merge
";

/// `README.md`
pub(super) const README: &str = "\
# A database, as git sees it

Each commit of this branch holds one snapshot of a database, made by `deepdiff-db git commit`.

| file | what |
|---|---|
| `changes.md` | what changed since the commit before: tables, rows, schema |
| `schema/` | the definition of each object of the schema |
| `tables.tsv` | the tables with their rows |
| `snapshot.toml` | where and when the snapshot was read, under which rules, and its id |
| `tables/<table>/table.toml` | the columns and the key of a table |
| `tables/<table>/rows/` | its rows, some hundred a file |
| `catalog/` | what the program needs of the schema, in the same form |

Names of files: `=a` is a capital A, `%2e` the byte 2E (a dot).

## Reading it

```
deepdiff-db git log deepdiff/NAME                          # the commits, with their snapshots
deepdiff-db diff git:deepdiff/NAME~1 git:deepdiff/NAME     # what changed, row by row
deepdiff-db git import deepdiff/NAME                       # the snapshot, into a store, with the same id
```

So that `git show` and `git log -p` print rows:

```
git config diff.deepdiff.textconv 'deepdiff-db git textconv'
echo '*.chunk diff=deepdiff' >> .git/info/attributes
```

Nothing in here is believed on import: every id is computed anew from the rows, up to the id of the
snapshot. Do not edit these files, and do not merge into this branch.
";

/// A field of a table whose cells are divided by tabs.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out
}

/// `tables.tsv`
pub(super) fn tables(tables: &[StoredTable]) -> String {
    let mut text = String::from("table\trows\tbytes\tkey\tfolder\n");
    for table in tables {
        let key = match &table.spec.key {
            RowKey::RowHash => "(whole row)".to_owned(),
            key @ RowKey::Columns { .. } => key.column_names().join(", "),
        };
        let name = cell(&table.spec.name.to_string());
        let folder = names::file_name(&table.spec.name);
        let (rows, bytes) = (table.rows.rows, table.rows.bytes);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}\t{rows}\t{bytes}\t{}\ttables/{folder}", cell(&key));
    }
    text
}

/// How many tables a message lists.
const LISTED: usize = 50;

/// The message of a commit.
pub(super) fn message(
    id: &str,
    snapshot: &Snapshot,
    state: &State,
    tables: &[StoredTable],
    request: &CommitRequest<'_>,
) -> String {
    let CommitRequest { changes, content, .. } = *request;
    let one_line = |text: &str| -> String {
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    };
    let whole = request.message.unwrap_or(&snapshot.message);
    let said = whole.lines().next().unwrap_or_default().trim();
    let rows: u64 = tables.iter().fold(0, |sum, table| sum.saturating_add(table.rows.rows));
    let mut text = if said.is_empty() {
        format!("Snapshot of {}", one_line(&snapshot.source.label))
    } else {
        one_line(said)
    };
    let _ = write!(
        text,
        "\n\n{} tables, {rows} rows, {} from {}\n",
        tables.len(),
        one_line(&state.engine),
        one_line(&snapshot.source.label),
    );
    let rest: Vec<&str> = whole.lines().skip(1).collect();
    if rest.iter().any(|line| !line.trim().is_empty()) {
        let rest: Vec<String> = rest.iter().map(|line| one_line(line)).collect();
        let _ = write!(text, "\n{}\n", rest.join("\n").trim());
    }
    if changes.schema_changes > 0 {
        let _ = write!(text, "\n{} schema changes\n", changes.schema_changes);
    }
    if !changes.tables.is_empty() {
        text.push_str(&counts(changes));
    }
    if content == Content::ManifestOnly {
        text.push_str("\nWithout rows (--manifest-only)\n");
    }
    let _ = write!(text, "\nDeepdiff-Snapshot: {id}\nDeepdiff-State: {}\n", snapshot.state);
    text
}

fn counts(changes: &Changes) -> String {
    let name = |at: usize| cell(&changes.tables[at].0.to_string());
    let listed = changes.tables.len().min(LISTED);
    let width = (0..listed).map(|at| name(at).chars().count()).max().unwrap_or(0).max(5);
    let mut text =
        format!("\n{:<width$} {:>10} {:>10} {:>10}\n", "table", "inserted", "deleted", "updated");
    for (at, (_, counts)) in changes.tables.iter().take(listed).enumerate() {
        let _ = writeln!(
            text,
            "{:<width$} {:>10} {:>10} {:>10}",
            name(at),
            counts.inserted,
            counts.deleted,
            counts.updated,
        );
    }
    if changes.tables.len() > listed {
        let _ = writeln!(text, "… and {} more tables", changes.tables.len() - listed);
    }
    text
}
