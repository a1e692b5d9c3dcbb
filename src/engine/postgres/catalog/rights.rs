//! Owners, privileges and default privileges.
//!
//! Privileges are told as the difference from what the owner and everybody have by default, so an access list that
//! was never touched and one that says the same in full are the same, and a privilege that a newer
//! server adds to the defaults is no difference.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::directory::Directory;
use super::entries::ENTRIES;
use super::query::{Address, Reader, failed};
use crate::engine::error::EngineError;
use crate::model::{Attribute, Fact, FactId, ObjectKind, ObjectName};

/// The facts about owners.
pub(super) fn owners(directory: &Directory, reader: &Reader<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (address, entry) in directory.entries() {
        let Some(owner) = &entry.owner else { continue };
        if directory.is_silent(address, entry.relation)
            || !entry.has_fact
            || !directory.is_inside(entry, reader)
        {
            continue;
        }
        let id = FactId { kind: ObjectKind::Owner, object: entry.name.clone(), part: entry.part() };
        let owner = Attribute::Text(owner.clone());
        let attributes = BTreeMap::from([("owner".to_owned(), owner)]);
        facts.push(Fact { id, attributes, depends_on: vec![entry.name.clone()] });
    }
    facts
}

/// One item of an access list.
struct Item {
    address: Address,
    /// The schema of default privileges; the column of a table's.
    part: String,
    is_default: bool,
    grantee: String,
    /// Nothing where it is the owner.
    grantor: Option<String>,
    privilege: String,
    is_grantable: bool,
}

/// What a grantee has and by default would have.
#[derive(Default)]
struct Held {
    actual: BTreeSet<(String, bool)>,
    default: BTreeSet<(String, bool)>,
}

impl Held {
    fn attributes(&self) -> BTreeMap<String, Attribute> {
        let names = |items: Vec<&(String, bool)>, is_grantable: Option<bool>| -> Vec<String> {
            let wanted = |item: &&(String, bool)| is_grantable.is_none_or(|g| item.1 == g);
            items.into_iter().filter(wanted).map(|(name, _)| name.clone()).collect()
        };
        let given: Vec<_> = self.actual.difference(&self.default).collect();
        let lacks = |item: &&(String, bool)| !self.actual.iter().any(|(name, _)| *name == item.0);
        let revoked: Vec<_> = self.default.iter().filter(lacks).collect();
        let lists = [
            ("privileges", names(given.clone(), Some(false))),
            ("grantable", names(given, Some(true))),
            ("revoked", names(revoked, None)),
        ];
        lists
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(name, names)| (name.to_owned(), Attribute::List(names)))
            .collect()
    }
}

/// The facts about privileges on objects and columns.
pub(super) async fn grants(
    directory: &Directory,
    reader: &mut Reader<'_>,
) -> Result<Vec<Fact>, EngineError> {
    let sql = format!("WITH {ENTRIES}{GRANTS}");
    let mut held: BTreeMap<(ObjectName, String), Held> = BTreeMap::new();
    for item in items(reader, &sql).await? {
        let Some(entry) = directory.entry(item.address) else { continue };
        if directory.is_silent(item.address, entry.relation) || !directory.is_inside(entry, reader)
        {
            continue;
        }
        let what = match item.part.is_empty() {
            true => entry.part(),
            false => format!("column {}", item.part),
        };
        let key = (entry.name.clone(), format!("{what}{}", item.ends()));
        held.entry(key).or_default().take(item);
    }
    Ok(facts(ObjectKind::Grant, held, |object| vec![object.clone()]))
}

/// The facts about privileges that new objects get.
pub(super) async fn default_grants(reader: &mut Reader<'_>) -> Result<Vec<Fact>, EngineError> {
    let mut held: BTreeMap<(ObjectName, String), Held> = BTreeMap::new();
    for row in reader.rows(DEFAULT_GRANTS).await? {
        let read = || -> Result<_, sqlx::Error> {
            let schema: Option<String> = row.try_get("schema")?;
            let object =
                ObjectName { schema: schema.unwrap_or_default(), name: row.try_get("role")? };
            Ok((object, row.try_get::<String, _>("objects")?, Item::of(&row)?))
        };
        let (object, objects, item) = read().map_err(|error| failed(reader.database, error))?;
        let is_inside = match object.schema.as_str() {
            "" => reader.is_whole,
            _ => reader.schemas.contains(&object.schema),
        };
        if is_inside {
            held.entry((object, format!("{objects}{}", item.ends()))).or_default().take(item);
        }
    }
    Ok(facts(ObjectKind::DefaultGrant, held, |_| Vec::new()))
}

async fn items(reader: &mut Reader<'_>, sql: &str) -> Result<Vec<Item>, EngineError> {
    let rows = reader.rows(sql).await?;
    let items: Result<Vec<Item>, sqlx::Error> = rows.iter().map(Item::of).collect();
    items.map_err(|error| failed(reader.database, error))
}

fn facts(
    kind: ObjectKind,
    held: BTreeMap<(ObjectName, String), Held>,
    depends_on: impl Fn(&ObjectName) -> Vec<ObjectName>,
) -> Vec<Fact> {
    held.into_iter()
        .map(|((object, part), held)| Fact {
            attributes: held.attributes(),
            depends_on: depends_on(&object),
            id: FactId { kind, object, part },
        })
        .filter(|fact| !fact.attributes.is_empty())
        .collect()
}

impl Held {
    fn take(&mut self, item: Item) {
        let side = if item.is_default { &mut self.default } else { &mut self.actual };
        side.insert((item.privilege, item.is_grantable));
    }
}

impl Item {
    fn of(row: &PgRow) -> Result<Item, sqlx::Error> {
        let part: Option<String> = row.try_get("part")?;
        Ok(Item {
            address: Address { class: row.try_get("class")?, oid: row.try_get("oid")? },
            part: part.unwrap_or_default(),
            is_default: row.try_get("is_default")?,
            grantee: row.try_get("grantee")?,
            grantor: row.try_get("grantor")?,
            privilege: row.try_get("privilege")?,
            is_grantable: row.try_get("is_grantable")?,
        })
    }

    fn ends(&self) -> String {
        match &self.grantor {
            Some(grantor) => format!(" TO {} BY {grantor}", self.grantee),
            None => format!(" TO {}", self.grantee),
        }
    }
}

/// An access list that is NULL says the default.
const GRANTS: &str = r#",
lists AS (
    SELECT class, oid, NULL::text AS part, acl AS list, false AS is_default, owner_oid
    FROM entries WHERE acl IS NOT NULL
    UNION ALL
    SELECT class, oid, NULL, default_acl, true, owner_oid FROM entries WHERE acl IS NOT NULL
    UNION ALL
    SELECT 'pg_class'::regclass::oid::int8, c.oid::int8, a.attname, a.attacl, false, c.relowner
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.oid >= 16384
)
SELECT l.class, l.oid, l.part, l.is_default,
    CASE i.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(i.grantee)::text END AS grantee,
    CASE WHEN i.grantor <> l.owner_oid THEN pg_get_userbyid(i.grantor)::text END AS grantor,
    i.privilege_type AS privilege, i.is_grantable
FROM lists l CROSS JOIN LATERAL aclexplode(l.list) i
"#;

/// Without a schema they stand in place of the server's defaults; in one they come on top.
const DEFAULT_GRANTS: &str = r#"
SELECT 'pg_default_acl'::regclass::oid::int8 AS class, d.oid::int8 AS oid, NULL::text AS part,
    n.nspname::text AS schema, pg_get_userbyid(d.defaclrole)::text AS role,
    CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
        WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' WHEN 'L' THEN 'large objects'
        ELSE d.defaclobjtype::text END AS objects,
    l.is_default,
    CASE i.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(i.grantee)::text END AS grantee,
    CASE WHEN i.grantor <> d.defaclrole THEN pg_get_userbyid(i.grantor)::text END AS grantor,
    i.privilege_type AS privilege, i.is_grantable
FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
CROSS JOIN LATERAL (
    SELECT d.defaclacl AS list, false AS is_default
    UNION ALL
    SELECT acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's'::"char" ELSE d.defaclobjtype END,
        d.defaclrole), true WHERE d.defaclnamespace = 0
) l
CROSS JOIN LATERAL aclexplode(l.list) i
"#;
