//! The file of a proof ↔ what it holds (`docs/proofs.md`).
//!
//! JSON, in one form only: what is read is written again and must be the same text, blanks between
//! its parts aside. So there is no field that nobody checks, none twice, and no second meaning.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::error::ProofError;
use super::evidence::{Entry, Witness};
use super::follow::{Claim, Proved, Question, follow};
use crate::codec::slice::Slice;
use crate::codec::{HashAlgorithm, Hasher, Kind, cell};
use crate::model::{ObjectName, SnapshotId, Value};

/// The version of the form.
const VERSION: u32 = 1;

/// A proof, as far as its form goes: nothing in it is believed before [`Proof::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// The hash function of its ids.
    pub hash: HashAlgorithm,
    /// Whether its ids depend on a key.
    pub is_keyed: bool,
    /// The snapshot that it leads from.
    pub snapshot: SnapshotId,
    pub(super) says: Json,
    pub(super) question: Question,
    pub(super) entries: Vec<Entry>,
}

/// The names of the kinds of objects in the file.
const KINDS: [(Kind, &str); 10] = [
    (Kind::Snapshot, "snapshot"),
    (Kind::State, "state"),
    (Kind::Table, "table"),
    (Kind::Node, "node"),
    (Kind::Chunk, "chunk"),
    (Kind::Keys, "keys"),
    (Kind::RowHashes, "row-hashes"),
    (Kind::Counts, "counts"),
    (Kind::Value, "value"),
    (Kind::ValueList, "value-list"),
];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    deepdiff_proof: u32,
    hash: String,
    keyed: bool,
    snapshot: String,
    says: Json,
    table: (String, String),
    #[serde(default, skip_serializing_if = "Option::is_none")]
    row: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    by_hash: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    no_row: Option<Vec<Vec<String>>>,
    objects: Vec<FileObject>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileObject {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
    bytes: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    beside: Option<String>,
}

impl Proof {
    /// The proof of a text.
    pub fn parse(text: &str) -> Result<Proof, ProofError> {
        let file: File =
            serde_json::from_str(text).map_err(|error| ProofError::Form(error.to_string()))?;
        if file.deepdiff_proof != VERSION {
            let why = format!("version {} is not known", file.deepdiff_proof);
            return Err(ProofError::Form(why));
        }
        let proof = Proof::of_file(file)?;
        if without_blanks(&proof.to_text()) != without_blanks(text) {
            return Err(ProofError::Form("it is written in another form than ours".into()));
        }
        Ok(proof)
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let text = serde_json::to_string_pretty(&self.to_file());
        let mut text = text.expect("strings and numbers are always JSON");
        text.push('\n');
        text
    }

    /// Checks that the proof leads from its id to what it says. Whether the id is the one of a
    /// snapshot that can be trusted is for the caller to know.
    pub fn check(&self, hasher: &Hasher) -> Result<Proved, ProofError> {
        if (hasher.algorithm(), hasher.is_keyed()) != (self.hash, self.is_keyed) {
            return Err(ProofError::broken("its ids are made by another hash function"));
        }
        let witness = Witness::new(hasher, &self.entries);
        let proved = follow(&witness, self.snapshot, &self.question)?;
        if !witness.is_done() {
            return Err(ProofError::broken("it gives more than it needs"));
        }
        // As text, since objects with their members in another order would be equal.
        let [proves, says] = [&proved.says(), &self.says].map(ToString::to_string);
        if proves != says {
            return Err(ProofError::broken("it says another thing than it proves"));
        }
        Ok(proved)
    }

    fn of_file(file: File) -> Result<Proof, ProofError> {
        let form = |why: &str| ProofError::Form(why.to_owned());
        let hash = HashAlgorithm::from_name(&file.hash)
            .ok_or_else(|| form("its hash function is not known"))?;
        let snapshot = file.snapshot.parse().map_err(|_| form("its id is none"))?;
        let claim = match (file.row, file.no_row) {
            (Some(row), None) => Claim::Row { preimage: bytes(&row)?, by_hash: file.by_hash },
            (None, Some(keys)) => {
                let keys = keys.iter().map(|key| key.iter().map(|cell| value(cell)).collect());
                Claim::NoRow { keys: keys.collect::<Result<_, _>>()? }
            }
            (None, None) => Claim::NoTable,
            (Some(_), Some(_)) => return Err(form("it claims two things")),
        };
        let (schema, name) = file.table;
        let table = ObjectName { schema, name };
        Ok(Proof {
            hash,
            is_keyed: file.keyed,
            snapshot: SnapshotId(snapshot),
            says: file.says,
            question: Question { table, claim },
            entries: file.objects.iter().map(entry).collect::<Result<_, _>>()?,
        })
    }

    fn to_file(&self) -> File {
        let (mut row, mut by_hash, mut no_row) = (None, Vec::new(), None);
        match &self.question.claim {
            Claim::Row { preimage, by_hash: names } => {
                row = Some(BASE64.encode(preimage));
                by_hash.clone_from(names);
            }
            Claim::NoRow { keys } => {
                no_row = Some(keys.iter().map(|key| key.iter().map(cell_text).collect()).collect());
            }
            Claim::NoTable => {}
        }
        let ObjectName { schema, name } = self.question.table.clone();
        File {
            deepdiff_proof: VERSION,
            hash: self.hash.as_str().to_owned(),
            keyed: self.is_keyed,
            snapshot: self.snapshot.to_string(),
            says: self.says.clone(),
            table: (schema, name),
            row,
            by_hash,
            no_row,
            objects: self.entries.iter().map(file_object).collect(),
        }
    }
}

fn bytes(base64: &str) -> Result<Vec<u8>, ProofError> {
    BASE64.decode(base64).map_err(|error| ProofError::Form(format!("base64: {error}")))
}

/// A value as its tag and payload.
fn value(base64: &str) -> Result<Value, ProofError> {
    let bytes = bytes(base64)?;
    let (tag, payload) =
        bytes.split_first().ok_or_else(|| ProofError::Form("a key without a value".into()))?;
    Ok(cell::read_value(*tag, payload)?)
}

fn cell_text(value: &Value) -> String {
    let mut bytes = vec![cell::tag_of(value.as_ref())];
    cell::write_payload(value.as_ref(), &mut bytes);
    BASE64.encode(bytes)
}

fn entry(object: &FileObject) -> Result<Entry, ProofError> {
    let form = |why: &str| ProofError::Form(why.to_owned());
    let kind = KINDS.iter().find(|(_, name)| *name == object.kind);
    let (kind, _) = kind.ok_or_else(|| form("an object of a kind that has no place in a proof"))?;
    let plain = bytes(&object.bytes)?;
    match (object.from, &object.beside) {
        (None, None) => Ok(Entry::Object(*kind, plain)),
        (Some(from), Some(beside)) if *kind == Kind::RowHashes => {
            let hashes = bytes(beside)?;
            let beside = hashes
                .chunks(32)
                .map(|hash| hash.try_into().map_err(|_| form("a hash has 32 bytes")))
                .collect::<Result<_, _>>()?;
            Ok(Entry::Part(Slice { from, bytes: plain, beside }))
        }
        _ => Err(form("a part of what has no parts")),
    }
}

fn file_object(entry: &Entry) -> FileObject {
    let (kind, from, bytes, beside) = match entry {
        Entry::Object(kind, plain) => (*kind, None, plain, None),
        Entry::Part(Slice { from, bytes, beside }) => {
            (Kind::RowHashes, Some(*from), bytes, Some(BASE64.encode(beside.concat())))
        }
    };
    let name = KINDS.iter().find(|(known, _)| *known == kind).map_or("", |(_, name)| name);
    FileObject { kind: name.to_owned(), from, bytes: BASE64.encode(bytes), beside }
}

/// JSON without what stands between its parts and means nothing.
fn without_blanks(json: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    json.chars()
        .filter(|&character| {
            if is_text {
                match character {
                    _ if is_escaped => is_escaped = false,
                    '\\' => is_escaped = true,
                    '"' => is_text = false,
                    _ => {}
                }
                return true;
            }
            is_text = character == '"';
            !matches!(character, ' ' | '\t' | '\r' | '\n')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blanks_between_parts_mean_nothing() {
        assert_eq!(without_blanks("{ \"a b\" :\n [1, 2] }"), "{\"a b\":[1,2]}");
        assert_eq!(without_blanks("\"a \\\" b\" , 1"), "\"a \\\" b\",1");
        assert_eq!(without_blanks("\"\\\\\" , \" \""), "\"\\\\\",\" \"");
    }
}
