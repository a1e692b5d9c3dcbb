//! Values stored apart: written as one object or as a list of pieces, and read back.
//!
//! The value is never copied as a whole on the way in; on the way out it is built once, or given
//! piece by piece.

use super::error::TreeError;
use crate::codec::block;
use crate::codec::cell::{self, ExternalValue, PIECE_LEN, tag};
use crate::codec::row::LargeValues;
use crate::codec::{DecodeError, Hasher, Kind};
use crate::model::{ObjectId, SinkError};
use crate::store::{ObjectSink, Objects};

use super::plan::StoreMode;

/// Takes large values while rows are encoded.
pub struct LargeValueWriter<'s> {
    sink: &'s dyn ObjectSink,
    mode: StoreMode,
}

impl<'s> LargeValueWriter<'s> {
    /// Values go to `sink`; with [`StoreMode::HashOnly`] only their ids are computed.
    pub fn new(sink: &'s dyn ObjectSink, mode: StoreMode) -> Self {
        LargeValueWriter { sink, mode }
    }
}

impl LargeValues for LargeValueWriter<'_> {
    fn put(&mut self, payload: &[u8]) -> Result<ObjectId, SinkError> {
        let (sink, mode) = (self.sink, self.mode);
        each_object(payload, |kind, plain| match mode {
            StoreMode::Full => Ok(sink.put(kind, plain)?),
            StoreMode::HashOnly => Ok(sink.hasher().id(kind, plain)),
        })
    }
}

/// The id that a large payload has as an object of its own.
pub fn large_value_id(hasher: &Hasher, payload: &[u8]) -> ObjectId {
    let id: Result<ObjectId, std::convert::Infallible> =
        each_object(payload, |kind, plain| Ok(hasher.id(kind, plain)));
    match id {
        Ok(id) => id,
        Err(never) => match never {},
    }
}

fn each_object<E>(
    payload: &[u8],
    mut put: impl FnMut(Kind, &[u8]) -> Result<ObjectId, E>,
) -> Result<ObjectId, E> {
    if payload.len() <= PIECE_LEN {
        return put(Kind::Value, payload);
    }
    let mut pieces = Vec::with_capacity(payload.len().div_ceil(PIECE_LEN));
    for piece in payload.chunks(PIECE_LEN) {
        pieces.push(put(Kind::Value, piece)?);
    }
    let len = u64::try_from(payload.len()).expect("a length in memory fits in 64 bits");
    put(Kind::ValueList, &block::write_value_list(len, &pieces))
}

/// The payload of a value stored apart, piece by piece.
pub struct ValuePieces<'o> {
    objects: &'o dyn Objects,
    value: ExternalValue,
    pieces: std::vec::IntoIter<ObjectId>,
    rest: u64,
}

impl<'o> ValuePieces<'o> {
    /// Opens a value.
    pub fn open(objects: &'o dyn Objects, value: ExternalValue) -> Result<Self, TreeError> {
        let pieces = match value.kind {
            Kind::ValueList => {
                let plain = objects.get(Kind::ValueList, &value.id)?;
                let pieces = block::value_pieces(&plain)
                    .map_err(|source| TreeError::Value { id: value.id, source })?;
                if block::write_value_list(value.len, &pieces) != plain {
                    return Err(wrong(&value, "its list says another length than its row"));
                }
                pieces
            }
            _ => vec![value.id],
        };
        Ok(ValuePieces { objects, value, pieces: pieces.into_iter(), rest: value.len })
    }

    /// The next piece; `None` at the end.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, TreeError> {
        let Some(id) = self.pieces.next() else {
            return if self.rest == 0 { Ok(None) } else { Err(wrong(&self.value, "too short")) };
        };
        let piece = self.objects.get(Kind::Value, &id)?;
        let expected = if self.pieces.len() == 0 { self.rest } else { PIECE_LEN as u64 };
        let len = u64::try_from(piece.len()).expect("a length in memory fits in 64 bits");
        if len != expected {
            return Err(wrong(&self.value, "a piece of the wrong length"));
        }
        self.rest -= len;
        Ok(Some(piece))
    }
}

fn wrong(value: &ExternalValue, why: &str) -> TreeError {
    TreeError::Value { id: value.id, source: DecodeError::new("value stored apart", why) }
}

/// The whole payload of a value stored apart.
pub fn read_value(objects: &dyn Objects, value: ExternalValue) -> Result<Vec<u8>, TreeError> {
    let mut pieces = ValuePieces::open(objects, value)?;
    // Pieces are counted before they are believed, so nothing of a claimed size is allocated.
    let mut payload = pieces.next_piece()?.unwrap_or_default();
    if pieces.pieces.len() > 0 {
        payload.reserve_exact(pieces.pieces.len().saturating_mul(PIECE_LEN));
    }
    while let Some(piece) = pieces.next_piece()? {
        payload.extend_from_slice(&piece);
    }
    Ok(payload)
}

/// Whether a value stored apart is there and is one that the encoder would write. Texts and bytes
/// are looked at piece by piece; the others are short.
pub(super) fn check_value(objects: &dyn Objects, value: ExternalValue) -> Result<(), TreeError> {
    let malformed = |source| TreeError::Value { id: value.id, source };
    let mut text = match value.tag {
        tag::BYTES => None,
        tag::TEXT | tag::JSON | tag::OTHER => Some(Utf8Check::default()),
        tag => {
            let payload = read_value(objects, value)?;
            return cell::read_value(tag, &payload).map(drop).map_err(malformed);
        }
    };
    let mut pieces = ValuePieces::open(objects, value)?;
    while let Some(piece) = pieces.next_piece()? {
        if let Some(text) = &mut text {
            text.push(&piece).map_err(malformed)?;
        }
    }
    text.map_or(Ok(()), Utf8Check::finish).map_err(malformed)
}

/// Whether bytes that arrive in pieces are UTF-8.
#[derive(Default)]
struct Utf8Check {
    /// The beginning of a character whose rest is in the next piece.
    begun: Vec<u8>,
}

impl Utf8Check {
    fn push(&mut self, piece: &[u8]) -> Result<(), DecodeError> {
        let mut rest = piece;
        while !self.begun.is_empty() {
            let Some((&byte, after)) = rest.split_first() else { return Ok(()) };
            self.begun.push(byte);
            rest = after;
            match std::str::from_utf8(&self.begun) {
                Ok(_) => self.begun.clear(),
                Err(error) if error.error_len().is_some() => return Err(not_utf8()),
                Err(_) => {}
            }
        }
        match std::str::from_utf8(rest) {
            Ok(_) => Ok(()),
            Err(error) if error.error_len().is_some() => Err(not_utf8()),
            Err(error) => {
                self.begun.extend_from_slice(&rest[error.valid_up_to()..]);
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<(), DecodeError> {
        if self.begun.is_empty() { Ok(()) } else { Err(not_utf8()) }
    }
}

fn not_utf8() -> DecodeError {
    DecodeError::new("value", "text that is not UTF-8")
}

/// Whether a value stored apart has this payload. Reads piece by piece, and no more than needed.
pub fn value_equals(
    objects: &dyn Objects,
    value: ExternalValue,
    payload: &[u8],
) -> Result<bool, TreeError> {
    if u64::try_from(payload.len()).ok() != Some(value.len) {
        return Ok(false);
    }
    let mut rest = payload;
    let mut pieces = ValuePieces::open(objects, value)?;
    while let Some(piece) = pieces.next_piece()? {
        match rest.strip_prefix(piece.as_slice()) {
            Some(after) => rest = after,
            None => return Ok(false),
        }
    }
    Ok(rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_text(pieces: &[&[u8]]) -> bool {
        let mut check = Utf8Check::default();
        pieces.iter().all(|piece| check.push(piece).is_ok()) && check.finish().is_ok()
    }

    #[test]
    fn characters_across_pieces_are_text() {
        let text = "aé€😀z".as_bytes();
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert!(is_text(&pieces), "{first} {second}");
                assert!(!is_text(&[pieces[0], pieces[1], &[0xFF], pieces[2]]));
            }
        }
        for cut in 1..4 {
            assert!(!is_text(&[&"😀".as_bytes()[..cut]]));
            assert!(!is_text(&[&"😀".as_bytes()[..cut], b"a"]));
        }
        assert!(!is_text(&[&[0xED, 0xA0], &[0x80]]), "half of a surrogate pair");
        assert!(is_text(&[]));
    }
}
