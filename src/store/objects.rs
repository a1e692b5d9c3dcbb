//! The two faces of a store that trees see: something to read objects from, and something to add
//! them to.

use crate::codec::{Hasher, Kind, Stored};
use crate::model::ObjectId;

/// An error of whatever holds the objects.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The object is not there.
    #[error("object {id} ({kind}) is missing")]
    Missing {
        /// The object.
        id: ObjectId,
        /// What it should be.
        kind: Kind,
    },
    /// The object is there but its bytes are not what the id says.
    #[error("object {id} ({kind}) is damaged: {why}")]
    Damaged {
        /// The object.
        id: ObjectId,
        /// What it should be.
        kind: Kind,
        /// What is wrong, and in which file.
        why: String,
    },
    /// The objects could not be read or written.
    #[error(transparent)]
    Io(Box<dyn std::error::Error + Send + Sync>),
}

/// Objects by id. What it gives has been hashed and is what the id says.
pub trait Objects: Send + Sync {
    /// The plain bytes of an object.
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError>;

    /// The hash function of the ids.
    fn hasher(&self) -> &Hasher;
}

/// Takes new objects. Usable from several threads at once.
pub trait ObjectSink: Send + Sync {
    /// The hash function of the ids.
    fn hasher(&self) -> &Hasher;

    /// Whether the object is there already. A sink remembers that it was asked and answered yes:
    /// what is being written now relies on that object.
    fn contains(&self, id: &ObjectId) -> Result<bool, ObjectError>;

    /// Adds an object, unless it is there. `id` must be the id of the plain bytes.
    fn append(&self, kind: Kind, id: ObjectId, stored: Stored) -> Result<(), ObjectError>;

    /// Adds an object by its plain bytes: hashes, and encodes only where it is new.
    fn put(&self, kind: Kind, plain: &[u8]) -> Result<ObjectId, ObjectError> {
        let id = self.hasher().id(kind, plain);
        if !self.contains(&id)? {
            self.append(kind, id, crate::codec::stored::encode(kind, plain))?;
        }
        Ok(id)
    }
}
