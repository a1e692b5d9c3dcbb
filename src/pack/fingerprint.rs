//! The fingerprint of a schema, and which facts differ where fingerprints do.

use std::collections::BTreeMap;

use super::manifest::FactLine;
use crate::codec::schema::write_fact_body;
use crate::codec::{Hasher, Kind};
use crate::model::{Fact, FactId};

/// What one fact says, as a digest.
fn digest(fact: &Fact, hasher: &Hasher) -> String {
    hasher.id(Kind::Pack, &write_fact_body(&fact.attributes, &fact.depends_on)).to_string()
}

/// What every fact of a schema says, as a digest.
pub type Digests = BTreeMap<FactId, String>;

/// What these facts say, as digests.
pub fn digests<'f>(facts: impl IntoIterator<Item = &'f Fact>, hasher: &Hasher) -> Digests {
    facts.into_iter().map(|fact| (fact.id.clone(), digest(fact, hasher))).collect()
}

/// The digest of a whole schema; the order of the facts does not matter.
pub fn of(facts: &[Fact], hasher: &Hasher) -> String {
    of_digests(&digests(facts, hasher), hasher)
}

/// The digest of a whole schema whose facts have these digests.
pub fn of_digests(digests: &Digests, hasher: &Hasher) -> String {
    let mut lines: Vec<String> = digests
        .iter()
        .map(|(FactId { kind, object, part }, digest)| {
            let name = (kind.as_str(), &object.schema, &object.name, part, digest);
            serde_json::to_string(&name).expect("names are plain JSON")
        })
        .collect();
    lines.sort();
    hasher.id(Kind::Pack, lines.join("\n").as_bytes()).to_string()
}

/// The lines of `schema.jsonl`, sorted.
pub fn lines(before: &[Fact], after: &[Fact], hasher: &Hasher) -> Vec<FactLine> {
    let mut lines: BTreeMap<&FactId, (Option<String>, Option<String>)> = BTreeMap::new();
    for fact in before {
        lines.entry(&fact.id).or_default().0 = Some(digest(fact, hasher));
    }
    for fact in after {
        lines.entry(&fact.id).or_default().1 = Some(digest(fact, hasher));
    }
    lines
        .into_iter()
        .map(|(id, (before, after))| FactLine {
            kind: id.kind.as_str().to_owned(),
            object: id.object.to_string(),
            part: id.part.clone(),
            before,
            after,
        })
        .collect()
}

/// The facts that are not as expected, in words; at most `limit`.
pub fn differences(
    expected: &[(String, String, String, Option<String>)],
    found: &[Fact],
    hasher: &Hasher,
    limit: usize,
) -> Vec<String> {
    let mut wanted: BTreeMap<(&str, String, &str), &str> = BTreeMap::new();
    for (kind, object, part, digest) in expected {
        if let Some(digest) = digest {
            wanted.insert((kind, object.clone(), part), digest);
        }
    }
    let mut differences = Vec::new();
    let mut note = |kind: &str, object: &str, part: &str, what: &str| {
        let dot = if part.is_empty() { "" } else { "." };
        differences.push(format!("{kind} {object}{dot}{part} {what}"));
    };
    for fact in found {
        let object = fact.id.object.to_string();
        let kind = fact.id.kind.as_str();
        match wanted.remove(&(kind, object.clone(), fact.id.part.as_str())) {
            Some(expected) if expected == digest(fact, hasher) => {}
            Some(_) => note(kind, &object, &fact.id.part, "is different"),
            None => note(kind, &object, &fact.id.part, "is new"),
        }
    }
    for (kind, object, part) in wanted.into_keys() {
        note(kind, &object, part, "is gone");
    }
    differences.truncate(limit);
    differences
}
