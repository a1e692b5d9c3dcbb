//! Objects in memory, and objects that are kept nowhere: for tests, and for ids that need no store.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::objects::{ObjectError, ObjectSink, Objects};
use crate::codec::{Hasher, Kind, Stored, stored};
use crate::model::ObjectId;

/// A set of objects in memory, stored as a file would store them.
pub struct MemoryObjects {
    hasher: Hasher,
    objects: Mutex<HashMap<ObjectId, (Kind, Stored)>>,
}

impl MemoryObjects {
    /// No objects yet.
    pub fn new(hasher: Hasher) -> Self {
        MemoryObjects { hasher, objects: Mutex::default() }
    }

    /// How many objects of a kind there are, and the bytes they take as stored.
    pub fn count(&self, kind: Kind) -> (usize, usize) {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects
            .values()
            .filter(|(k, _)| *k == kind)
            .fold((0, 0), |(n, bytes), (_, stored)| (n + 1, bytes + stored.bytes.len()))
    }
}

impl Objects for MemoryObjects {
    fn get(&self, kind: Kind, id: &ObjectId) -> Result<Vec<u8>, ObjectError> {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, stored) = objects
            .get(id)
            .filter(|(k, _)| *k == kind)
            .ok_or(ObjectError::Missing { id: *id, kind })?;
        stored::decode(stored.codec, stored.plain_len, &stored.bytes)
            .map_err(|error| ObjectError::Damaged { id: *id, kind, why: error.to_string() })
    }

    fn hasher(&self) -> &Hasher {
        &self.hasher
    }
}

impl ObjectSink for MemoryObjects {
    fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    fn contains(&self, id: &ObjectId) -> Result<bool, ObjectError> {
        Ok(self.objects.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id))
    }

    fn append(&self, kind: Kind, id: ObjectId, stored: Stored) -> Result<(), ObjectError> {
        self.objects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(id)
            .or_insert((kind, stored));
        Ok(())
    }
}

/// A sink that has everything already: ids are computed, and nothing is ever encoded for it.
pub struct KnownObjects {
    hasher: Hasher,
}

impl KnownObjects {
    /// A sink whose ids are made by this hasher.
    pub fn new(hasher: Hasher) -> Self {
        KnownObjects { hasher }
    }
}

impl ObjectSink for KnownObjects {
    fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    fn contains(&self, _: &ObjectId) -> Result<bool, ObjectError> {
        Ok(true)
    }

    fn append(&self, _: Kind, _: ObjectId, _: Stored) -> Result<(), ObjectError> {
        Ok(())
    }
}
