//! The `format` file: the version of a store, its hash, and what a program must understand.
//!
//! Its first line is the version and keeps its form for ever, so that a store of any later version
//! is refused by name. The features are words; a program that does not know one of them does not
//! read, write or collect. The key of a keyed store is not in it, only a value that tells whether
//! a key is the right one.

use std::path::Path;

use super::{StoreError, record};
use crate::codec::{HashAlgorithm, Hasher};
use crate::model::ObjectId;

/// The version of stores that this program creates, and the newest it knows.
pub const VERSION: u32 = 1;

const FIRST_WORD: &str = "deepdiff-store ";
const KNOWN_FEATURES: &[&str] = &[];

/// The secret that the ids of a keyed store depend on.
#[derive(Clone)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// The key that the content of a key file makes: at least 32 bytes, better from a generator
    /// of random bytes than from a person.
    pub fn from_file_content(content: &[u8]) -> Result<HashKey, StoreError> {
        if content.len() < 32 {
            return Err(StoreError::KeyTooShort { len: content.len() });
        }
        Ok(HashKey(blake3::derive_key("deepdiff-db 1 store hash key", content)))
    }
}

impl HashKey {
    /// The hash function of a store with this key.
    pub fn hasher(&self, algorithm: HashAlgorithm) -> Hasher {
        Hasher::keyed(algorithm, self.0)
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(…)")
    }
}

/// What an operation does to a store; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    Read,
    Write,
    Collect,
}

impl Access {
    const ALL: [Access; 3] = [Access::Read, Access::Write, Access::Collect];

    fn word(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write => "write",
            Access::Collect => "collect",
        }
    }
}

/// The content of a `format` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    algorithm: HashAlgorithm,
    is_keyed: bool,
    check: ObjectId,
    /// The features a program must know, by [`Access::ALL`].
    needed: [Vec<String>; 3],
}

impl Format {
    /// The format of a new store, and its hasher.
    pub(super) fn create(algorithm: HashAlgorithm, key: Option<&HashKey>) -> (Format, Hasher) {
        let hasher = hasher_of(algorithm, key);
        let check = hasher.check_value();
        let format =
            Format { algorithm, is_keyed: key.is_some(), check, needed: Default::default() };
        (format, hasher)
    }

    /// The hasher of this store, if `key` is its key.
    pub(super) fn hasher(&self, key: Option<&HashKey>, path: &Path) -> Result<Hasher, StoreError> {
        let path = || path.to_owned();
        match (self.is_keyed, key) {
            (true, None) => return Err(StoreError::KeyNeeded { path: path() }),
            (false, Some(_)) => return Err(StoreError::KeyNotWanted { path: path() }),
            _ => {}
        }
        let hasher = hasher_of(self.algorithm, key);
        if hasher.check_value() == self.check {
            Ok(hasher)
        } else if self.is_keyed {
            Err(StoreError::WrongKey { path: path() })
        } else {
            let why = "the check value does not fit the hash".to_owned();
            Err(StoreError::Damaged { path: path().join("format"), why })
        }
    }

    /// Whether this program understands what `access` needs.
    pub(super) fn allows(&self, access: Access, path: &Path) -> Result<(), StoreError> {
        for (each, needed) in Access::ALL.into_iter().zip(&self.needed) {
            let unknown = needed.iter().find(|word| !KNOWN_FEATURES.contains(&word.as_str()));
            if let (true, Some(feature)) = (each <= access, unknown) {
                return Err(StoreError::UnknownFeature {
                    path: path.to_owned(),
                    operation: access.word(),
                    feature: feature.clone(),
                });
            }
        }
        Ok(())
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!(
            "{FIRST_WORD}{VERSION}\nhash {}\nkeyed {}\ncheck {}\n",
            self.algorithm.as_str(),
            if self.is_keyed { "yes" } else { "no" },
            self.check
        );
        for (access, words) in Access::ALL.into_iter().zip(&self.needed) {
            text.push_str(access.word());
            for word in words {
                text.push(' ');
                text.push_str(word);
            }
            text.push('\n');
        }
        record::seal(text.into_bytes())
    }

    /// The format in these bytes of the file at `path`.
    pub(super) fn parse(bytes: &[u8], store: &Path, path: &Path) -> Result<Format, StoreError> {
        let first = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let version = std::str::from_utf8(first)
            .ok()
            .and_then(|line| line.strip_prefix(FIRST_WORD))
            .and_then(|number| number.parse::<u32>().ok());
        let damaged = |why: String| StoreError::Damaged { path: path.to_owned(), why };
        // A later version may end its file in another way, so this comes before the sum.
        if let Some(found) = version.filter(|found| *found > VERSION) {
            let known = VERSION;
            return Err(StoreError::NewerVersion { path: store.to_owned(), found, known });
        }
        let body = record::open_text(bytes).map_err(damaged)?;
        let format = parse_body(body).ok_or_else(|| damaged("it is malformed".to_owned()))?;
        if format.to_bytes() == bytes {
            Ok(format)
        } else {
            Err(damaged("it is not as this version writes it".to_owned()))
        }
    }
}

fn parse_body(body: &str) -> Option<Format> {
    let mut lines = body.strip_suffix('\n')?.split('\n');
    lines.next()?.strip_prefix(FIRST_WORD)?;
    let algorithm = HashAlgorithm::from_name(lines.next()?.strip_prefix("hash ")?)?;
    let is_keyed = match lines.next()? {
        "keyed yes" => true,
        "keyed no" => false,
        _ => return None,
    };
    let check = lines.next()?.strip_prefix("check ")?.parse().ok()?;
    let mut needed: [Vec<String>; 3] = Default::default();
    for (access, words) in Access::ALL.into_iter().zip(&mut needed) {
        let listed = lines.next()?.strip_prefix(access.word())?;
        *words = listed.split_terminator(' ').skip(1).map(str::to_owned).collect();
    }
    lines.next().is_none().then_some(Format { algorithm, is_keyed, check, needed })
}

fn hasher_of(algorithm: HashAlgorithm, key: Option<&HashKey>) -> Hasher {
    match key {
        Some(key) => Hasher::keyed(algorithm, key.0),
        None => Hasher::new(algorithm),
    }
}
