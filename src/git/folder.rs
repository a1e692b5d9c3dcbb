//! The folders of a commit on their way into git: files by their paths, written as tree objects.

use std::collections::BTreeMap;

use gix::hash::ObjectId as GitOid;

use super::error::GitError;
use super::object_writer::ObjectWriter;
use super::pack_file::ObjectType;

/// A folder that is being filled.
#[derive(Debug, Default)]
pub(super) struct Folder {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
enum Entry {
    Blob(GitOid),
    /// A folder that is in git already.
    Tree(GitOid),
    Folder(Folder),
}

impl Folder {
    /// Puts a file at a path, whose parts are divided by `/`. False where something is there already.
    #[must_use]
    pub(super) fn insert_blob(&mut self, path: &str, id: GitOid) -> bool {
        self.insert(path, Entry::Blob(id))
    }

    /// Puts a folder that is in git already at a path.
    #[must_use]
    pub(super) fn insert_tree(&mut self, path: &str, id: GitOid) -> bool {
        self.insert(path, Entry::Tree(id))
    }

    fn insert(&mut self, path: &str, entry: Entry) -> bool {
        match path.split_once('/') {
            None => match self.entries.entry(path.to_owned()) {
                std::collections::btree_map::Entry::Occupied(_) => false,
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(entry);
                    true
                }
            },
            Some((first, rest)) => {
                let below = self.entries.entry(first.to_owned());
                match below.or_insert_with(|| Entry::Folder(Folder::default())) {
                    Entry::Folder(folder) => folder.insert(rest, entry),
                    Entry::Blob(_) | Entry::Tree(_) => false,
                }
            }
        }
    }

    /// Writes the folder and all below it; gives its id.
    pub(super) fn write(self, writer: &mut ObjectWriter) -> Result<GitOid, GitError> {
        let mut entries = Vec::with_capacity(self.entries.len());
        for (name, entry) in self.entries {
            entries.push(match entry {
                Entry::Blob(id) => (name, false, id),
                Entry::Tree(id) => (name, true, id),
                Entry::Folder(folder) => (name, true, folder.write(writer)?),
            });
        }
        // Git sorts folders as if their names ended in a slash.
        let sorted_as =
            |name: &str, is_tree: bool| format!("{name}{}", if is_tree { "/" } else { "" });
        entries.sort_by_cached_key(|(name, is_tree, _)| sorted_as(name, *is_tree));
        let mut content = Vec::new();
        for (name, is_tree, id) in &entries {
            content.extend_from_slice(if *is_tree { b"40000 " } else { b"100644 " });
            content.extend_from_slice(name.as_bytes());
            content.push(0);
            content.extend_from_slice(id.as_slice());
        }
        writer.put(ObjectType::Tree, &content)
    }
}
