//! A state's own lists as rows: schema facts, tables, definitions (`docs/format.md`, "Catalog").
//!
//! They are kept in trees of the same kind as a table's rows, so that they are shared, compared
//! and proved in the same way. Each list has a [`TableSpec`] that is fixed by the format, and its
//! rows have their values in byte order of the column names.

use super::DecodeError;
use super::schema::{read_fact_body, read_names, write_fact_body, write_names};
use crate::model::{
    ColumnSpec, Definition, Fact, FactId, KeyColumn, KeyMatching, ObjectId, ObjectKind, ObjectName,
    RowKey, RowKeySource, TableSpec, Value,
};

fn spec(name: &str, columns: &[&str], key: &[&str]) -> TableSpec {
    let column = |name: &&str| ColumnSpec {
        name: (*name).to_owned(),
        declared_type: String::new(),
        default: Value::Null,
    };
    let key_column =
        |name: &&str| KeyColumn { name: (*name).to_owned(), matching: KeyMatching::Binary };
    TableSpec {
        name: ObjectName::bare(name),
        columns: columns.iter().map(column).collect(),
        key: RowKey::Columns {
            columns: key.iter().map(key_column).collect(),
            source: RowKeySource::PrimaryKey,
            may_be_null: false,
        },
        reads_in_key_order: false,
        column_order: columns.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// The list of schema facts.
pub fn facts_spec() -> TableSpec {
    spec(
        "(facts)",
        &["body", "kind", "object", "part", "schema"],
        &["kind", "schema", "object", "part"],
    )
}

/// The list of tables. Its column `table` holds ids of `Table` objects.
pub fn tables_spec() -> TableSpec {
    spec("(tables)", &["name", "schema", "table"], &["schema", "name"])
}

/// The list of definitions.
pub fn definitions_spec() -> TableSpec {
    spec(
        "(definitions)",
        &["columns", "kind", "object", "schema", "text"],
        &["kind", "schema", "object"],
    )
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A fact as a row of the list.
pub fn fact_row(fact: &Fact) -> Vec<Value> {
    let mut depends_on = fact.depends_on.clone();
    depends_on.sort();
    depends_on.dedup();
    vec![
        Value::Bytes(write_fact_body(&fact.attributes, &depends_on)),
        text(fact.id.kind.as_str()),
        text(&fact.id.object.name),
        text(&fact.id.part),
        text(&fact.id.object.schema),
    ]
}

/// The fact of a row of the list.
pub fn row_fact(row: &[Value]) -> Result<Fact, DecodeError> {
    let [
        Value::Bytes(body),
        Value::Text(kind),
        Value::Text(name),
        Value::Text(part),
        Value::Text(schema),
    ] = row
    else {
        return Err(DecodeError::new("schema fact", "a row of another shape"));
    };
    let (attributes, depends_on) = read_fact_body(body)?;
    let object = ObjectName { schema: schema.clone(), name: name.clone() };
    let id = FactId { kind: object_kind(kind)?, object, part: part.clone() };
    Ok(Fact { id, attributes, depends_on })
}

fn object_kind(name: &str) -> Result<ObjectKind, DecodeError> {
    ObjectKind::from_name(name)
        .ok_or_else(|| DecodeError::new("schema fact", format!("kind `{name}` is not known")))
}

/// A table as a row of the list.
pub fn table_row(name: &ObjectName, id: &ObjectId) -> Vec<Value> {
    vec![text(&name.name), text(&name.schema), Value::Bytes(id.0.to_vec())]
}

/// The table of a row of the list.
pub fn row_table(row: &[Value]) -> Result<(ObjectName, ObjectId), DecodeError> {
    let wrong = || DecodeError::new("list of tables", "a row of another shape");
    let [Value::Text(name), Value::Text(schema), Value::Bytes(id)] = row else {
        return Err(wrong());
    };
    let id = <[u8; 32]>::try_from(id.as_slice()).map_err(|_| wrong())?;
    Ok((ObjectName { schema: schema.clone(), name: name.clone() }, ObjectId(id)))
}

/// A definition, and for a table the order of its columns, as a row of the list.
pub fn definition_row(definition: &Definition, column_order: &[String]) -> Vec<Value> {
    vec![
        Value::Bytes(write_names(column_order)),
        text(definition.kind.as_str()),
        text(&definition.object.name),
        text(&definition.object.schema),
        text(&definition.text),
    ]
}

/// The definition and the order of columns of a row of the list.
pub fn row_definition(row: &[Value]) -> Result<(Definition, Vec<String>), DecodeError> {
    let [
        Value::Bytes(columns),
        Value::Text(kind),
        Value::Text(name),
        Value::Text(schema),
        Value::Text(text),
    ] = row
    else {
        return Err(DecodeError::new("definition", "a row of another shape"));
    };
    let object = ObjectName { schema: schema.clone(), name: name.clone() };
    let definition = Definition { kind: object_kind(kind)?, object, text: text.clone() };
    Ok((definition, read_names(columns)?))
}
