//! Large values of a pack: files beside the SQL, which names them where it binds them.
//!
//! A value above 1 MiB is written to `values/<digest>`, its bytes as the database keeps them, in
//! pieces and once, however many steps bind it; memory does not grow with it. Values of columns
//! under a key never come here: what orders rows stands in the plan itself.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::PackError;
use super::manifest::ValueLine;
use super::output::Output;
use super::request::{Pieces, RowChanges};
use crate::codec::cell::tag;
use crate::codec::{Hasher, Kind};
use crate::diff::ExternalValue;
use crate::engine::LargeKind;
use crate::engine::sqlite::TextEncoding;
use crate::fsio::FileSystem;
use crate::model::{ObjectId, SinkError};

/// The folder within a pack.
pub const VALUES: &str = "values";

/// What a guard says of a large value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// What it is.
    pub kind: LargeKind,
    /// How many bytes it has as the database keeps it.
    pub bytes: u64,
}

#[derive(Debug)]
struct Known {
    measure: Measure,
    digest: Option<String>,
}

/// The large values of a pack that is written.
pub struct ValueFiles<'a> {
    fs: &'a dyn FileSystem,
    dir: PathBuf,
    rows: &'a dyn RowChanges,
    hasher: Hasher,
    encoding: Option<TextEncoding>,
    known: RefCell<BTreeMap<(ObjectId, u8), Known>>,
}

impl<'a> ValueFiles<'a> {
    /// The values of a pack in this folder. Digests are made by `hasher`, which has no key. On
    /// SQLite all text is in the encoding of the database; elsewhere each column has its own, and
    /// the value its bytes.
    pub fn new(
        fs: &'a dyn FileSystem,
        pack: &Path,
        rows: &'a dyn RowChanges,
        hasher: Hasher,
        encoding: Option<TextEncoding>,
    ) -> Self {
        let known = RefCell::default();
        ValueFiles { fs, dir: pack.join(VALUES), rows, hasher, encoding, known }
    }

    /// The class and length of a value.
    pub fn measure(&self, value: &ExternalValue) -> Result<Measure, PackError> {
        if let Some(known) = self.known.borrow().get(&(value.id, value.tag)) {
            return Ok(known.measure);
        }
        let kind = match value.tag {
            tag::BYTES => LargeKind::Bytes,
            _ => LargeKind::Text,
        };
        // Only a conversion makes the length another than the one that is stored.
        let bytes = match (value.tag, self.encoding) {
            (tag::BYTES | tag::TEXT, None | Some(TextEncoding::Utf8))
            | (tag::BYTES, Some(_))
            | (tag::JSON | tag::OTHER, None) => value.len,
            _ => {
                let mut bytes = 0;
                self.each_piece(value, |piece| {
                    bytes += piece.len() as u64;
                    Ok(())
                })?;
                bytes
            }
        };
        let has_pairs = self.encoding.is_some_and(|encoding| encoding != TextEncoding::Utf8);
        if value.tag == tag::RAW_TEXT && has_pairs && bytes % 2 != 0 {
            return Err(wrong("SQLite cannot hold an odd number of bytes as UTF-16 text"));
        }
        let measure = Measure { kind, bytes };
        let known = Known { measure, digest: None };
        self.known.borrow_mut().insert((value.id, value.tag), known);
        Ok(measure)
    }

    /// The class, length and digest of a value, whose file is written unless it is there.
    pub fn keep(&self, value: &ExternalValue) -> Result<(Measure, String), PackError> {
        let measure = self.measure(value)?;
        let place = (value.id, value.tag);
        let digest = self.known.borrow().get(&place).and_then(|known| known.digest.clone());
        if let Some(digest) = digest {
            return Ok((measure, digest));
        }
        let mut running = self.hasher.start(Kind::Pack, measure.bytes);
        self.each_piece(value, |piece| {
            running.update(piece);
            Ok(())
        })?;
        let digest = running.finish().to_string();
        let is_new = !self.digests().any(|known| known.digest == digest);
        if is_new {
            self.write(value, &digest)?;
        }
        if let Some(known) = self.known.borrow_mut().get_mut(&place) {
            known.digest = Some(digest.clone());
        }
        Ok((measure, digest))
    }

    fn write(&self, value: &ExternalValue, digest: &str) -> Result<(), PackError> {
        if self.fs.info(&self.dir)?.is_none() {
            self.fs.create_dir(&self.dir)?;
        }
        let mut file = Output::create(self.fs, &self.dir.join(digest))?;
        self.each_piece(value, |piece| Ok(file.push(piece)?))?;
        Ok(file.finish()?)
    }

    fn digests(&self) -> impl Iterator<Item = ValueLine> {
        let known = self.known.borrow();
        let lines: Vec<ValueLine> = known
            .values()
            .filter_map(|known| {
                let digest = known.digest.clone()?;
                Some(ValueLine { digest, bytes: known.measure.bytes })
            })
            .collect();
        lines.into_iter()
    }

    /// The values that were written, by digest, their names safe from a crash.
    pub fn finish(&self) -> Result<Vec<ValueLine>, PackError> {
        let mut lines: Vec<ValueLine> = self.digests().collect();
        lines.sort_by(|a, b| a.digest.cmp(&b.digest));
        lines.dedup();
        if !lines.is_empty() {
            self.fs.sync_dir(&self.dir)?;
        }
        Ok(lines)
    }

    /// The bytes of a value as the database keeps them, piece by piece.
    fn each_piece(
        &self,
        value: &ExternalValue,
        mut take: impl FnMut(&[u8]) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        let mut pieces = self.rows.payload(value).map_err(PackError::Value)?;
        match value.tag {
            tag::BYTES => each(pieces.as_mut(), |piece| take(piece)),
            tag::RAW_TEXT => {
                let mut is_head = true;
                let charset = self.encoding.map(TextEncoding::charset);
                each(pieces.as_mut(), |piece| match std::mem::take(&mut is_head) {
                    true => take(after_charset(piece, charset)?),
                    false => take(piece),
                })
            }
            tag::JSON | tag::OTHER if self.encoding.is_none() => {
                each(pieces.as_mut(), |piece| take(piece))
            }
            tag::TEXT => match self.encoding {
                None | Some(TextEncoding::Utf8) => each(pieces.as_mut(), |piece| take(piece)),
                Some(encoding) => {
                    let mut rest = Vec::new();
                    each(pieces.as_mut(), |piece| take(&converted(encoding, &mut rest, piece)?))?;
                    if rest.is_empty() { Ok(()) } else { Err(wrong("text that is not UTF-8")) }
                }
            },
            _ => Err(wrong("the database holds no large value of this kind")),
        }
    }
}

/// Text in the encoding of the database; a character that a piece cuts waits in `rest`.
fn converted(
    encoding: TextEncoding,
    rest: &mut Vec<u8>,
    piece: &[u8],
) -> Result<Vec<u8>, PackError> {
    rest.extend_from_slice(piece);
    let end = match std::str::from_utf8(rest) {
        Ok(_) => rest.len(),
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        Err(_) => return Err(wrong("text that is not UTF-8")),
    };
    let text = std::str::from_utf8(&rest[..end]).expect("checked up to here");
    let converted = match encoding.encode(text) {
        Cow::Borrowed(bytes) => bytes.to_vec(),
        Cow::Owned(bytes) => bytes,
    };
    rest.drain(..end);
    Ok(converted)
}

fn each(
    pieces: &mut dyn Pieces,
    mut take: impl FnMut(&[u8]) -> Result<(), PackError>,
) -> Result<(), PackError> {
    while let Some(piece) = pieces.next_piece().map_err(PackError::Value)? {
        take(&piece)?;
    }
    Ok(())
}

/// What follows the name of the charset, which must be the database's own where it has one.
fn after_charset<'p>(piece: &'p [u8], charset: Option<&str>) -> Result<&'p [u8], PackError> {
    let name = piece
        .split_first_chunk::<2>()
        .and_then(|(len, rest)| rest.split_at_checked(usize::from(u16::from_le_bytes(*len))));
    match name {
        Some((name, bytes)) if charset.is_none_or(|c| name == c.as_bytes()) => Ok(bytes),
        _ => Err(wrong("text in a charset that is not the database's")),
    }
}

fn wrong(why: &str) -> PackError {
    PackError::Value(SinkError::from(why.to_owned()))
}

/// Removes the values of a pack that is given up, as far as possible.
pub fn remove(fs: &dyn FileSystem, pack: &Path) {
    let dir = pack.join(VALUES);
    for entry in fs.list_if_there(&dir).into_iter().flatten() {
        let _ = fs.remove_file(&dir.join(entry.name));
    }
    let _ = fs.remove_dir(&dir);
}
