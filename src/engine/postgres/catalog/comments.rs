//! Comments, on whatever they are made.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::directory::Directory;
use super::query::{Address, Reader, failed};
use crate::engine::error::EngineError;
use crate::model::{Attribute, Fact, FactId, ObjectKind};

/// The facts about comments.
pub(super) async fn read(
    directory: &Directory,
    reader: &mut Reader<'_>,
) -> Result<Vec<Fact>, EngineError> {
    let mut facts = Vec::new();
    for row in reader.rows(COMMENTS).await? {
        let read = || -> Result<_, sqlx::Error> {
            let address = Address { class: row.try_get(0)?, oid: row.try_get(1)? };
            Ok((address, row.try_get(2)?, row.try_get(3)?))
        };
        let (address, column, text): (Address, Option<String>, String) =
            read().map_err(|error| failed(reader.database, error))?;
        // Comments on what is no object of the database are on the server's own objects.
        let Some(entry) = directory.entry(address) else { continue };
        if directory.is_silent(address, entry.relation) || !directory.is_inside(entry, reader) {
            continue;
        }
        let part = match column {
            Some(column) => format!("column {column}"),
            None => entry.part(),
        };
        facts.push(Fact {
            id: FactId { kind: ObjectKind::Comment, object: entry.name.clone(), part },
            attributes: BTreeMap::from([("text".to_owned(), Attribute::Text(text))]),
            depends_on: vec![entry.name.clone()],
        });
    }
    Ok(facts)
}

/// The schema `public` is born with a comment.
const COMMENTS: &str = r#"
SELECT d.classoid::int8, d.objoid::int8, a.attname::text, d.description
FROM pg_description d
LEFT JOIN pg_attribute a ON d.classoid = 'pg_class'::regclass AND a.attrelid = d.objoid
    AND a.attnum = d.objsubid AND d.objsubid <> 0
LEFT JOIN pg_namespace n ON d.classoid = 'pg_namespace'::regclass AND n.oid = d.objoid
WHERE (d.objoid >= 16384 OR n.nspname = 'public' AND d.description <> 'standard public schema')
"#;
