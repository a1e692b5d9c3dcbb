//! Every object that the database holds besides the server's own, by where it stands in the
//! catalog.
//!
//! The directory knows names, not content: dependencies are told by it, owners, privileges and comments get their objects
//! from it, and what is in it without a fact of its own is named as unknown: an object of a kind
//! that this program does not know is never passed over in silence.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::Row as _;

use super::entries::ENTRIES;
use super::query::{Address, Found, Reader, failed};
use crate::engine::error::EngineError;
use crate::model::{ObjectKind, ObjectName};

/// An object.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What it is, in the words of COMMENT ON.
    pub words: String,
    /// Its name, or that of what it belongs to.
    pub name: ObjectName,
    /// Its name within what it belongs to.
    pub part: String,
    /// The relation it goes with, where there is one.
    pub relation: Option<i64>,
    /// Its owner, where it has one of its own.
    pub owner: Option<String>,
    /// Whether a fact must speak of it.
    pub has_fact: bool,
}

impl Entry {
    /// How facts about it call it: its kind, and its name within its owner.
    pub fn part(&self) -> String {
        match self.part.is_empty() {
            true => self.words.clone(),
            false => format!("{} {}", self.words, self.part),
        }
    }
}

/// All objects.
#[derive(Debug, Default)]
pub(super) struct Directory {
    entries: HashMap<Address, Entry>,
    /// Objects of extensions, and the names of those.
    extensions: HashMap<Address, String>,
    /// Relations that are left out, whatever of theirs is asked for.
    left_out: HashSet<i64>,
    depends: HashMap<(Address, i64), Vec<Address>>,
    relation_class: i64,
}

/// The system catalogs whose objects the directory lists, or that hold parts of such objects.
const KNOWN_CLASSES: [&str; 34] = [
    "pg_amop",
    "pg_amproc",
    "pg_attrdef",
    "pg_cast",
    "pg_class",
    "pg_collation",
    "pg_constraint",
    "pg_default_acl",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_namespace",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_policy",
    "pg_proc",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_rewrite",
    "pg_statistic_ext",
    "pg_subscription",
    "pg_trigger",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_type",
    "pg_user_mapping",
    // Not captured, and named by `omissions`.
    "pg_am",
    "pg_language",
    "pg_largeobject",
];

impl Directory {
    /// Reads it.
    pub async fn read(reader: &mut Reader<'_>) -> Result<Directory, EngineError> {
        let mut directory =
            Directory { relation_class: reader.class("pg_class")?, ..Directory::default() };
        directory.read_entries(reader).await?;
        let mut extensions = HashMap::new();
        for row in reader.rows(EXTENSION_OBJECTS).await? {
            let read = || -> Result<_, sqlx::Error> {
                let address = Address { class: row.try_get(0)?, oid: row.try_get(1)? };
                Ok((address, row.try_get(2)?))
            };
            let (address, name): (Address, String) =
                read().map_err(|error| failed(reader.database, error))?;
            extensions.insert(address, name);
        }
        directory.extensions = extensions;
        directory.read_dependencies(reader).await?;
        Ok(directory)
    }

    async fn read_entries(&mut self, reader: &mut Reader<'_>) -> Result<(), EngineError> {
        let sql = format!(
            "WITH {ENTRIES} SELECT class, oid, words, schema, name, part, relation, owner, has_fact \
             FROM entries"
        );
        for row in reader.rows(&sql).await? {
            let read = || -> Result<_, sqlx::Error> {
                let address = Address { class: row.try_get("class")?, oid: row.try_get("oid")? };
                let schema: Option<String> = row.try_get("schema")?;
                let part: Option<String> = row.try_get("part")?;
                let entry = Entry {
                    words: row.try_get("words")?,
                    name: ObjectName {
                        schema: schema.unwrap_or_default(),
                        name: row.try_get("name")?,
                    },
                    part: part.unwrap_or_default(),
                    relation: row.try_get("relation")?,
                    owner: row.try_get("owner")?,
                    has_fact: row.try_get("has_fact")?,
                };
                Ok((address, entry))
            };
            let (address, entry) = read().map_err(|error| failed(reader.database, error))?;
            self.entries.insert(address, entry);
        }
        Ok(())
    }

    async fn read_dependencies(&mut self, reader: &mut Reader<'_>) -> Result<(), EngineError> {
        for row in reader.rows(DEPENDENCIES).await? {
            let read = || -> Result<_, sqlx::Error> {
                let from = Address { class: row.try_get(0)?, oid: row.try_get(1)? };
                let to = Address { class: row.try_get(3)?, oid: row.try_get(4)? };
                Ok((from, row.try_get::<i64, _>(2)?, to))
            };
            let (from, sub, to) = read().map_err(|error| failed(reader.database, error))?;
            self.depends.entry((from, sub)).or_default().push(to);
        }
        Ok(())
    }

    /// The object at an address.
    pub fn entry(&self, address: Address) -> Option<&Entry> {
        self.entries.get(&address)
    }

    /// All objects, in the order of their addresses.
    pub fn entries(&self) -> impl Iterator<Item = (Address, &Entry)> {
        let ordered: BTreeMap<_, _> = self.entries.iter().map(|(at, entry)| (*at, entry)).collect();
        ordered.into_iter()
    }

    /// Leaves out a relation with everything that goes with it.
    pub fn leave_out(&mut self, relation: i64) {
        self.left_out.insert(relation);
    }

    /// Whether an object belongs to an extension, by itself or by its relation.
    pub fn is_of_extension(&self, address: Address, relation: Option<i64>) -> bool {
        let relation = relation.map(|oid| Address { class: self.relation_class, oid });
        self.extensions.contains_key(&address)
            || relation.is_some_and(|relation| self.extensions.contains_key(&relation))
    }

    /// Whether nothing is said of an object: an extension owns it, or it is left out.
    pub fn is_silent(&self, address: Address, relation: Option<i64>) -> bool {
        let is_left_out = |oid: &i64| self.left_out.contains(oid);
        self.is_of_extension(address, relation)
            || relation.as_ref().is_some_and(is_left_out)
            || address.class == self.relation_class && is_left_out(&address.oid)
    }

    /// Whether an object is among what is read: in a chosen schema, or of the whole database.
    pub fn is_inside(&self, entry: &Entry, reader: &Reader<'_>) -> bool {
        let is_chosen = |schema: &String| reader.schemas.binary_search(schema).is_ok();
        match (entry.name.schema.as_str(), entry.words.as_str()) {
            ("", "schema") => is_chosen(&entry.name.name),
            ("", _) => reader.is_whole,
            (_, _) => is_chosen(&entry.name.schema),
        }
    }

    /// The object at an address; the table, for the index of a constraint.
    fn spoken_of(&self, address: Address) -> Option<&Entry> {
        let entry = self.entries.get(&address)?;
        match (entry.words.as_str(), entry.has_fact, entry.relation) {
            ("index", false, Some(oid)) => {
                self.entries.get(&Address { class: self.relation_class, oid })
            }
            _ => Some(entry),
        }
    }

    /// The objects that a fact depends on, by name; not the one it is about. Which of several equal
    /// unique indexes a foreign key stands on is no matter: the server takes any.
    pub fn dependencies(&self, found: &Found) -> Vec<ObjectName> {
        let mut names = BTreeSet::new();
        for to in self.depends.get(&(found.address, found.sub)).into_iter().flatten() {
            if let Some(extension) = self.extensions.get(to) {
                names.insert(ObjectName::bare(extension));
            } else if let Some(entry) = self.spoken_of(*to)
                && entry.words != "schema"
                && !(entry.words == "index" && found.fact.id.kind == ObjectKind::ForeignKey)
            {
                names.insert(entry.name.clone());
            }
        }
        names.remove(&found.fact.id.object);
        names.into_iter().collect()
    }

    /// System catalogs that hold objects of this database and that this program does not know.
    pub async fn unknown_classes(reader: &mut Reader<'_>) -> Result<Vec<String>, EngineError> {
        let mut unknown = Vec::new();
        for row in reader.rows(CLASSES_IN_USE).await? {
            let name: String = row.try_get(0).map_err(|error| failed(reader.database, error))?;
            let is_known =
                KNOWN_CLASSES.contains(&name.as_str()) || super::omissions::is_named(&name);
            if !is_known {
                unknown.push(name);
            }
        }
        Ok(unknown)
    }
}

const EXTENSION_OBJECTS: &str = r#"
SELECT d.classid::int8, d.objid::int8, e.extname::text
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
"#;

/// What stands for something else is taken for it: a default for its column, a view's rule for the
/// view.
const DEPENDENCIES: &str = r#"
SELECT CASE WHEN a.oid IS NOT NULL OR r.oid IS NOT NULL THEN 'pg_class'::regclass::oid
        ELSE d.classid END::int8,
    coalesce(a.adrelid, r.ev_class, d.objid)::int8,
    coalesce(a.adnum::int4, CASE WHEN r.oid IS NOT NULL THEN 0 END, d.objsubid)::int8,
    d.refclassid::int8, d.refobjid::int8
FROM pg_depend d
LEFT JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    AND r.rulename = '_RETURN'
WHERE d.objid >= 16384 AND d.refobjid >= 16384 AND d.deptype <> 'e'
    AND d.refclassid <> 'pg_namespace'::regclass
"#;

const CLASSES_IN_USE: &str = r#"
SELECT c.relname::text FROM pg_class c WHERE c.oid IN (
    SELECT d.classid FROM pg_depend d WHERE d.objid >= 16384
    UNION
    SELECT s.classid FROM pg_shdepend s WHERE s.objid >= 16384
        AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY c.relname COLLATE "C"
"#;
