//! The bodies of schema facts and lists of names ↔ frozen wire structs (`docs/format.md`).

use std::collections::BTreeMap;

use bincode::{Decode, Encode};

use super::{DecodeError, wire};
use crate::model::{Attribute, ObjectName};

#[derive(Encode, Decode)]
struct WireBody {
    attributes: Vec<(String, WireAttribute)>,
    depends_on: Vec<(String, String)>,
}

#[derive(Encode, Decode)]
enum WireAttribute {
    Flag,
    Number(i64),
    Text(String),
    List(Vec<String>),
}

/// What a fact says: its attributes, and the objects it depends on.
pub type FactBody = (BTreeMap<String, Attribute>, Vec<ObjectName>);

/// The bytes of what a fact says.
pub fn write_fact_body(
    attributes: &BTreeMap<String, Attribute>,
    depends_on: &[ObjectName],
) -> Vec<u8> {
    let attributes = attributes
        .iter()
        .map(|(name, attribute)| {
            let attribute = match attribute {
                Attribute::Flag => WireAttribute::Flag,
                Attribute::Number(number) => WireAttribute::Number(*number),
                Attribute::Text(text) => WireAttribute::Text(text.clone()),
                Attribute::List(list) => WireAttribute::List(list.clone()),
            };
            (name.clone(), attribute)
        })
        .collect();
    let depends_on = depends_on.iter().map(|o| (o.schema.clone(), o.name.clone())).collect();
    wire::to_bytes(&WireBody { attributes, depends_on })
}

/// What a fact says, from its bytes.
pub fn read_fact_body(bytes: &[u8]) -> Result<FactBody, DecodeError> {
    let body: WireBody = wire::from_bytes("schema fact", bytes)?;
    let ascending = body.attributes.windows(2).all(|pair| pair[0].0 < pair[1].0)
        && body.depends_on.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascending {
        return Err(DecodeError::new("schema fact", "attributes or dependencies out of order"));
    }
    let attributes = body
        .attributes
        .into_iter()
        .map(|(name, attribute)| {
            let attribute = match attribute {
                WireAttribute::Flag => Attribute::Flag,
                WireAttribute::Number(number) => Attribute::Number(number),
                WireAttribute::Text(text) => Attribute::Text(text),
                WireAttribute::List(list) => Attribute::List(list),
            };
            (name, attribute)
        })
        .collect();
    let depends_on =
        body.depends_on.into_iter().map(|(schema, name)| ObjectName { schema, name }).collect();
    Ok((attributes, depends_on))
}

/// The bytes of a list of names.
pub fn write_names(names: &[String]) -> Vec<u8> {
    wire::to_bytes(&names.to_vec())
}

/// A list of names from its bytes.
pub fn read_names(bytes: &[u8]) -> Result<Vec<String>, DecodeError> {
    wire::from_bytes("list of names", bytes)
}
