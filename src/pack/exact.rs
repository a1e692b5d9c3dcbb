//! Values in the files of a pack: JSON that gives back exactly the value.
//!
//! Integers and text stand as they are; whatever else is the type tag and payload of the canonical
//! cell (`docs/format.md`, "Cells") in hexadecimal.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::cell;
use crate::model::Value;

/// A value that JSON gives back exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exact(pub Value);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire<'a> {
    Int(i64),
    Text(Cow<'a, str>),
    Cell { tag: u8, hex: Cow<'a, str> },
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wire = match &self.0 {
            Value::Int(number) => Wire::Int(*number),
            Value::Text(text) => Wire::Text(Cow::Borrowed(text)),
            other => {
                let mut payload = Vec::new();
                cell::write_payload(other.as_ref(), &mut payload);
                Wire::Cell { tag: cell::tag_of(other.as_ref()), hex: hex(&payload).into() }
            }
        };
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        Ok(Exact(match Wire::deserialize(deserializer)? {
            Wire::Int(number) => Value::Int(number),
            Wire::Text(text) => Value::Text(text.into_owned()),
            Wire::Cell { tag, hex } => {
                let payload = unhex(&hex).ok_or_else(|| D::Error::custom("not hexadecimal"))?;
                cell::read_value(tag, &payload).map_err(D::Error::custom)?
            }
        }))
    }
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some((digit(*high)? << 4) | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let values = [
            Value::Null,
            Value::Int(i64::MIN),
            Value::Text("é\0".into()),
            Value::Float64((-0.0f64).to_bits()),
            Value::Bytes(vec![0, 255]),
            Value::RawText { charset: "UTF-8".into(), bytes: vec![255] },
        ];
        for value in values {
            let text = serde_json::to_string(&Exact(value.clone())).unwrap();
            assert_eq!(serde_json::from_str::<Exact>(&text).unwrap().0, value, "{text}");
        }
    }
}
