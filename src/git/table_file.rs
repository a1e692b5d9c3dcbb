//! `table.toml`: the columns and the key of a table, as its state knows them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::codec::cell;
use crate::model::{
    ColumnSpec, KeyColumn, KeyMatching, ObjectName, RowKey, RowKeySource, TableSpec, Value,
};

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableFile {
    schema: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Key>,
    #[serde(default, rename = "column", skip_serializing_if = "Vec::is_empty")]
    columns: Vec<Column>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    columns: Vec<String>,
    /// How the database compares each of them.
    matching: Vec<String>,
    source: String,
    may_be_null: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    name: String,
    declared_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<Constant>,
}

/// A constant default, as a cell.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Constant {
    tag: u8,
    payload: String,
}

const MATCHING: [(KeyMatching, &str); 4] = [
    (KeyMatching::Binary, "binary"),
    (KeyMatching::AsciiNoCase, "ascii-nocase"),
    (KeyMatching::TrailingSpaces, "trailing-spaces"),
    (KeyMatching::Unknown, "unknown"),
];
const SOURCES: [(RowKeySource, &str); 3] = [
    (RowKeySource::Configured, "configured"),
    (RowKeySource::PrimaryKey, "primary-key"),
    (RowKeySource::UniqueIndex, "unique-index"),
];

fn word_of<T: PartialEq>(all: &[(T, &'static str)], one: &T) -> String {
    let word = all.iter().find(|(other, _)| other == one).map(|(_, word)| *word);
    word.expect("every variant is listed").to_owned()
}

fn of_word<T: Copy>(all: &[(T, &str)], word: &str) -> Result<T, String> {
    let found = all.iter().find(|(_, other)| *other == word).map(|(one, _)| *one);
    found.ok_or_else(|| format!("`{word}` is not known"))
}

impl TableFile {
    /// What is said of a table.
    pub(super) fn new(spec: &TableSpec) -> TableFile {
        let key = match &spec.key {
            RowKey::RowHash => None,
            RowKey::Columns { columns, source, may_be_null } => Some(Key {
                columns: columns.iter().map(|column| column.name.clone()).collect(),
                matching: columns.iter().map(|c| word_of(&MATCHING, &c.matching)).collect(),
                source: word_of(&SOURCES, source),
                may_be_null: *may_be_null,
            }),
        };
        let columns = spec.columns.iter().map(|ColumnSpec { name, declared_type, default }| {
            let constant = |default: &Value| {
                let mut payload = Vec::new();
                cell::write_payload(default.as_ref(), &mut payload);
                Constant { tag: cell::tag_of(default.as_ref()), payload: BASE64.encode(payload) }
            };
            Column {
                name: name.clone(),
                declared_type: declared_type.clone(),
                default: Some(default).filter(|value| !value.is_null()).map(constant),
            }
        });
        TableFile {
            schema: spec.name.schema.clone(),
            name: spec.name.name.clone(),
            key,
            columns: columns.collect(),
        }
    }

    /// The text of the file.
    pub(super) fn to_text(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|error| error.to_string())
    }

    /// The table of this text. `Err` says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<TableSpec, String> {
        let file: TableFile = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut columns = Vec::with_capacity(file.columns.len());
        for Column { name, declared_type, default } in file.columns {
            let default = match default {
                None => Value::Null,
                Some(Constant { tag, payload }) => {
                    let payload = BASE64.decode(payload).map_err(|error| error.to_string())?;
                    cell::read_value(tag, &payload).map_err(|error| error.to_string())?
                }
            };
            columns.push(ColumnSpec { name, declared_type, default });
        }
        let key = match file.key {
            None => RowKey::RowHash,
            Some(Key { columns, matching, source, may_be_null }) => {
                if columns.len() != matching.len() {
                    return Err("not as many words in `matching` as in `columns`".to_owned());
                }
                let named = columns.into_iter().zip(matching).map(|(name, word)| {
                    Ok(KeyColumn { name, matching: of_word(&MATCHING, &word)? })
                });
                RowKey::Columns {
                    columns: named.collect::<Result<_, String>>()?,
                    source: of_word(&SOURCES, &source)?,
                    may_be_null,
                }
            }
        };
        Ok(TableSpec {
            name: ObjectName { schema: file.schema, name: file.name },
            columns,
            key,
            reads_in_key_order: false,
            column_order: Vec::new(),
        })
    }
}
