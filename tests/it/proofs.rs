//! Proofs: what is true of a snapshot is proved by its id alone, and nothing else is.
//!
//! A proof that was changed in any way is rejected, or says the same; it never makes the checker
//! panic. The shape of the file is checked by hand, without our code's own reader, in
//! `a_proof_is_followed_by_hand`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use deepdiff_db::codec::{HashAlgorithm, Hasher};
use deepdiff_db::proof::{Finding, Proof, Proved};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::lab::Lab;
use crate::servers;

/// A table of several nodes, and tables of every kind of key.
const SCENE: &str = "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL, state TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO item SELECT i * 3, 'name ' || i, i / 7.0, 'open' FROM n;
    CREATE TABLE line(text TEXT, n INTEGER);
    INSERT INTO line VALUES('open', 1), ('open', 1), ('shut', NULL);
    CREATE TABLE loose(a TEXT, b INTEGER, v, PRIMARY KEY(a, b));
    INSERT INTO loose VALUES('x', 1, 'one'), ('x', NULL, 'two'), (NULL, NULL, 'three');
    CREATE TABLE long(k TEXT PRIMARY KEY, v BLOB, w TEXT);
    INSERT INTO long VALUES(printf('%.3000c', 'k'), zeroblob(3000000), 'w'),
        (printf('%.3000c', 'l'), zeroblob(5000), printf('%.5000c', 'w'));
    CREATE TABLE empty(id INTEGER PRIMARY KEY, v);
    CREATE TABLE both(k PRIMARY KEY, v); INSERT INTO both VALUES(1, 'number'), ('1', 'text');";

fn scene() -> Lab {
    let lab = Lab::new();
    lab.sql("prod.db", SCENE);
    lab.snapshot("prod.db", "prod");
    lab
}

fn id_of(lab: &Lab, name: &str) -> String {
    lab.run(&["show", name, "--json"]).ok().json()["snapshot"].as_str().unwrap().to_owned()
}

/// Proves, and checks in a folder that has no store.
#[track_caller]
fn proved(lab: &Lab, words: &[&str]) -> Json {
    let text = lab.run(&[&["prove", "prod"], words].concat()).ok().stdout;
    std::fs::write(lab.path("proof.json"), &text).unwrap();
    let (elsewhere, id) = (tempfile::tempdir().unwrap(), id_of(lab, "prod"));
    let path = lab.path("proof.json");
    let run = lab
        .command(&["check-proof", path.to_str().unwrap(), "--id", &id, "--json"])
        .current_dir(elsewhere.path())
        .output()
        .unwrap();
    let json: Json = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(run.status.code(), Some(0), "{json}");
    assert_eq!((&json["outcome"], &json["snapshot"]), (&json!("proved"), &json!(id)));
    json
}

#[test]
fn a_row_is_proved_with_the_cells_that_cat_prints() {
    let lab = scene();
    for key in ["3", "6000", "29997", "60000"] {
        let json = proved(&lab, &["item", key]);
        let cat = lab.run(&["cat", "item", key, "--at", "prod", "--json"]).ok().json();
        assert_eq!((&json["row"], &json["finding"]), (&cat["row"], &json!("row")));
        assert_eq!((&json["key"], &json["count"]), (&json!(["id"]), &json!(1)));
        let text = std::fs::read_to_string(lab.path("proof.json")).unwrap();
        assert!(text.len() < 16 << 10, "{}", text.len());
        let said = &serde_json::from_str::<Json>(&text).unwrap()["says"];
        assert_eq!((&said["row"], &said["table"]), (&cat["row"], &json!("item")));
    }
}

#[test]
fn what_is_not_there_is_proved_too() {
    let lab = scene();
    for key in ["4", "0", "60001", "29998", "x", "NULL", "-1"] {
        let json = proved(&lab, &["item", "--", key]);
        assert_eq!((&json["finding"], &json["row"]), (&json!("no-row"), &json!(null)));
        assert!(!json["no_row_with"].as_array().unwrap().is_empty());
    }
    assert_eq!(
        proved(&lab, &["item", "4"])["no_row_with"],
        json!([{"id": 4}, {"id": {"float": "4.0"}}, {"id": "4"}])
    );
    assert_eq!(proved(&lab, &["empty", "1"])["finding"], "no-row");
    for table in ["items", "a", "zzz", ""] {
        let json = proved(&lab, &[table]);
        assert_eq!((&json["finding"], &json["table"]), (&json!("no-table"), &json!(table)));
    }
    lab.run(&["prove", "prod", "item"]).fails(2, "which row");
    lab.run(&["prove", "prod", "items", "1"]).fails(2, "has no table");
}

#[test]
fn rows_of_every_kind_of_key() {
    let lab = scene();
    let json = proved(&lab, &["line", "--where", "text=open", "--where", "n=1"]);
    assert_eq!((&json["row"], &json["count"]), (&json!({"n": 1, "text": "open"}), &json!(2)));
    assert_eq!(proved(&lab, &["line", "--where", "text=shut"])["count"], 1);
    lab.run(&["prove", "prod", "line", "open"]).fails(2, "--where");
    lab.run(&["prove", "prod", "line", "--where", "text=gone"]).fails(1, "no row");
    assert_eq!(proved(&lab, &["loose", "x", "1"])["row"]["v"], "one");
    assert_eq!(proved(&lab, &["loose", "x", "NULL"])["row"]["v"], "two");
    assert_eq!(proved(&lab, &["loose", "NULL", "NULL"])["row"]["v"], "three");
    assert_eq!(proved(&lab, &["loose", "y", "NULL"])["finding"], "no-row");
    assert_eq!(proved(&lab, &["loose", "x", "2"])["finding"], "no-row");
    lab.run(&["prove", "prod", "both", "1"]).fails(2, "2 rows of both can be meant");
    assert_eq!(proved(&lab, &["both", "--where", "v=text"])["row"]["k"], "1");
}

#[test]
fn long_keys_and_large_values() {
    let lab = scene();
    let key = "k".repeat(3000);
    let json = proved(&lab, &["long", &key]);
    assert_eq!((&json["row"]["w"], &json["row"]["k"]), (&json!("w"), &json!(key)));
    let whole = BASE64.decode(json["row"]["v"]["base64"].as_str().unwrap()).unwrap();
    assert_eq!(whole, vec![0; 3_000_000]);
    let json = proved(&lab, &["long", &key, "--large-by-hash"]);
    assert_eq!(json["row"]["v"]["apart"]["bytes"], 3_000_000);
    assert!(std::fs::metadata(lab.path("proof.json")).unwrap().len() < 40_000);
    let json = proved(&lab, &["long", &"l".repeat(3000)]);
    assert_eq!(json["row"]["w"], "w".repeat(5000));
    assert_eq!(proved(&lab, &["long", &"m".repeat(3000)])["finding"], "no-row");
    let null_and_long = "x".repeat(2000);
    lab.run(&["prove", "prod", "loose", &null_and_long, "NULL"]).fails(5, "cannot be proved");
}

#[test]
fn stores_of_every_hash() {
    let lab = scene();
    lab.secret("key", &[7; 32]);
    for (dir, extra) in [("sha", &["--hash", "sha256"][..]), ("keyed", &["--hash-key-file", "key"])]
    {
        std::fs::create_dir(lab.path(dir)).unwrap();
        lab.run(&[&["init", dir], extra].concat()).ok();
        let key: &[&str] = if dir == "keyed" { extra } else { &[] };
        let run = |words: &[&str]| lab.run(&[words, &["--store", dir], key].concat());
        run(&["snapshot", "prod.db", "--ref", "prod"]).ok();
        let id = run(&["show", "prod", "--json"]).ok().json()["snapshot"].clone();
        let id = id.as_str().unwrap();
        let file = format!("{dir}.json");
        run(&["prove", "prod", "item", "6000", "-o", &file]).ok();
        let check = ["check-proof", file.as_str(), "--id", id];
        lab.run(&[&check[..], key].concat()).ok();
        if dir == "keyed" {
            lab.run(&check).fails(2, "--hash-key-file");
            std::fs::write(lab.path("other"), [8; 32]).unwrap();
            lab.run(&[&check[..], &["--hash-key-file", "other"]].concat()).fails(1, "rejected");
        }
    }
}

#[test]
fn a_hash_only_snapshot_proves_what_is_missing() {
    let lab = scene();
    lab.run(&["snapshot", "prod.db", "--ref", "lean", "--hash-only"]).ok();
    lab.run(&["prove", "lean", "item", "3"]).fails(5, "stored no values");
    lab.run(&["prove", "lean", "item", "4", "-o", "none.json"]).ok();
    lab.run(&["check-proof", "none.json", "--id", &id_of(&lab, "lean")]).ok();
}

#[test]
fn an_id_that_is_not_known_is_said() {
    let lab = scene();
    let run = lab.run(&["prove", "prod", "item", "3", "-o", "row.json"]).ok();
    assert!(run.stdout.contains("it shows of other rows: "), "{}", run.stdout);
    assert!(run.stdout.contains("values of state (short blocks)"), "{}", run.stdout);
    lab.run(&["prove", "prod", "item", "3", "-o", "row.json"]).fails(3, "row.json");
    let id = id_of(&lab, "prod");
    lab.run(&["check-proof", "row.json", "--id", &id]).ok();
    let unchecked = lab.run(&["check-proof", "row.json", "--json"]);
    assert_eq!((unchecked.code, &unchecked.json()["outcome"]), (5, &json!("unchecked")));
    assert_eq!(unchecked.json()["snapshot"], json!(id));
    lab.run(&["check-proof", "row.json"]).fails(5, "not checked");
    let other = id.replace(['0', '1'], "2");
    lab.run(&["check-proof", "row.json", "--id", &other]).fails(1, "another snapshot");
    lab.run(&["check-proof", "row.json", "--id", &id[..12]]).fails(2, "no whole id");
    lab.run(&["check-proof", "gone.json"]).fails(3, "gone.json");
    for content in ["", "{}", "[]", "no", "{\"deepdiff_proof\": 2}", "\u{0}"] {
        std::fs::write(lab.path("bad.json"), content).unwrap();
        lab.run(&["check-proof", "bad.json", "--id", &id]).fails(1, "rejected: not a proof");
    }
    std::fs::write(lab.path("bad.json"), [0xFF]).unwrap();
    lab.run(&["check-proof", "bad.json"]).fails(1, "not UTF-8");
}

/// What a checker that knows the id makes of a text.
fn checked(text: &str, id: &str) -> Option<Proved> {
    let proof = Proof::parse(text).ok()?;
    if proof.snapshot.to_string() != id {
        return None;
    }
    proof.check(&Hasher::new(HashAlgorithm::Blake3)).ok()
}

/// The proofs of three kinds, with the ids that they lead from.
fn specimens() -> (String, Vec<String>) {
    let lab = scene();
    let of = |words: &[&str]| lab.run(&[&["prove", "prod"], words].concat()).ok().stdout;
    let texts = vec![
        of(&["item", "6000"]),
        of(&["item", "6001"]),
        of(&["items"]),
        of(&["line", "--where", "n=1"]),
        of(&["item", "9000"]),
    ];
    (id_of(&lab, "prod"), texts)
}

/// Whether two answers say the same.
fn is_same(one: &Proved, other: &Proved) -> bool {
    (&one.name, &one.finding, one.loaded.id) == (&other.name, &other.finding, other.loaded.id)
}

#[test]
fn a_byte_that_is_changed_is_rejected() {
    let (id, texts) = specimens();
    for text in &texts[..4] {
        let honest = checked(text, &id).expect("an honest proof");
        let step = text.len() / 500 + 1;
        for place in (0..text.len()).step_by(step) {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1 << (place % 7);
            let Ok(forged) = String::from_utf8(bytes) else { continue };
            if let Some(proved) = checked(&forged, &id) {
                assert!(is_same(&proved, &honest), "byte {place}");
            }
        }
        for end in (0..text.trim_end().len()).step_by(step * 8) {
            assert!(checked(&text[..end], &id).is_none(), "cut at {end}");
        }
    }
}

/// A change of the file that keeps it JSON.
#[derive(Debug, Clone)]
enum Forgery {
    Swap(usize, usize),
    Drop(usize),
    Repeat(usize),
    Take(usize, usize),
    Flip(usize, usize),
    Kind(usize, usize),
    From(usize, u64),
    Beside(usize, usize),
    Field(usize, usize),
    Claim(usize),
    Extra,
}

fn forgeries() -> impl Strategy<Value = Vec<Forgery>> {
    let n = || 0usize..64;
    let one = prop_oneof![
        (n(), n()).prop_map(|(a, b)| Forgery::Swap(a, b)),
        n().prop_map(Forgery::Drop),
        n().prop_map(Forgery::Repeat),
        (n(), n()).prop_map(|(a, b)| Forgery::Take(a, b)),
        (n(), 0usize..8192).prop_map(|(a, b)| Forgery::Flip(a, b)),
        (n(), n()).prop_map(|(a, b)| Forgery::Kind(a, b)),
        (n(), prop_oneof![0u64..8, Just(u64::MAX), Just(1 << 54)])
            .prop_map(|(a, b)| Forgery::From(a, b)),
        (n(), n()).prop_map(|(a, b)| Forgery::Beside(a, b)),
        (n(), n()).prop_map(|(a, b)| Forgery::Field(a, b)),
        n().prop_map(Forgery::Claim),
        Just(Forgery::Extra),
    ];
    prop::collection::vec(one, 1..4)
}

fn forge(proof: &mut Json, other: &Json, forgery: &Forgery) {
    let theirs = other["objects"].as_array().unwrap();
    // Another forgery may have put something else in their place.
    let Some(object) = proof["objects"].as_array_mut() else { return };
    let (len, at) = (object.len(), |n: usize, len: usize| n % len.max(1));
    if len == 0 || object.iter().any(|one| !one["bytes"].is_string()) {
        return;
    }
    match *forgery {
        Forgery::Swap(a, b) => object.swap(at(a, len), at(b, len)),
        Forgery::Drop(a) => drop(object.remove(at(a, len))),
        Forgery::Repeat(a) => object.insert(at(a, len), object[at(a, len)].clone()),
        Forgery::Take(a, b) => object[at(a, len)] = theirs[at(b, theirs.len())].clone(),
        Forgery::Flip(a, b) => {
            let bytes = &mut object[at(a, len)]["bytes"];
            let Ok(mut plain) = BASE64.decode(bytes.as_str().unwrap()) else { return };
            let place = at(b, plain.len());
            if let Some(byte) = plain.get_mut(place) {
                *byte ^= 1 << (b % 8);
            }
            *bytes = json!(BASE64.encode(plain));
        }
        Forgery::Kind(a, b) => object[at(a, len)]["kind"] = object[at(b, len)]["kind"].clone(),
        Forgery::From(a, from) => object[at(a, len)]["from"] = json!(from),
        Forgery::Beside(a, b) => {
            let bytes = vec![7u8; 32 * b];
            object[at(a, len)]["beside"] = json!(BASE64.encode(bytes));
        }
        Forgery::Field(a, b) => {
            let names: Vec<String> = proof.as_object().unwrap().keys().cloned().collect();
            let theirs: Vec<&Json> = other.as_object().unwrap().values().collect();
            let name = &names[a % names.len()];
            proof[name] = theirs[b % theirs.len()].clone();
        }
        Forgery::Claim(a) => {
            let words = ["row", "no_row", "by_hash", "says", "table", "snapshot", "keyed"];
            let word = words[a % words.len()];
            match other.get(word) {
                Some(value) => proof[word] = value.clone(),
                None => drop(proof.as_object_mut().unwrap().shift_remove(word)),
            }
        }
        Forgery::Extra => proof["more"] = json!(1),
    }
}

#[test]
fn forged_proofs_are_rejected() {
    let (id, texts) = specimens();
    let proofs: Vec<Json> = texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let honest: Vec<Proved> = texts.iter().map(|text| checked(text, &id).unwrap()).collect();
    let config = ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() };
    proptest!(config, |(which in 0usize..5, with in 0usize..5, forgeries in forgeries())| {
        let mut forged = proofs[which].clone();
        forgeries.iter().for_each(|forgery| forge(&mut forged, &proofs[with], forgery));
        if let Some(proved) = checked(&forged.to_string(), &id) {
            // Whatever came out is true: it is one of the things that were proved honestly.
            prop_assert!(honest.iter().any(|honest| is_same(&proved, honest)), "{forgeries:?}");
        }
    });
}

/// Whoever changes what a row says and mends every hash above it comes to another id.
#[test]
fn a_lie_that_is_carried_upwards_has_another_id() {
    let (id, texts) = specimens();
    let mut forged: Json = serde_json::from_str(&texts[0]).unwrap();
    forged["says"]["row"]["name"] = json!("another name");
    assert!(checked(&forged.to_string(), &id).is_none());
    let Finding::Row { .. } = checked(&texts[0], &id).unwrap().finding else { panic!("no row") };
    // The same row of another snapshot: all is sound, and the id is not the one that was asked for.
    let lab = scene();
    lab.sql("prod.db", "UPDATE item SET price = 0 WHERE id = 9");
    lab.snapshot("prod.db", "prod");
    let text = lab.run(&["prove", "prod", "item", "6000"]).ok().stdout;
    assert!(checked(&text, &id).is_none());
    assert!(checked(&text, &id_of(&lab, "prod")).is_some());
}

/// Proofs that were once made stay proofs. They are made anew by `DEEPDIFF_BLESS=DIR`.
#[test]
fn golden_proofs_are_read() {
    if let Some(dir) = std::env::var_os("DEEPDIFF_BLESS") {
        let (id, texts) = specimens();
        for (name, text) in ["row", "no-row", "no-table"].iter().zip(&texts) {
            std::fs::write(std::path::Path::new(&dir).join(format!("{name}.json")), text).unwrap();
        }
        std::fs::write(std::path::Path::new(&dir).join("id"), id).unwrap();
    }
    let id = include_str!("../../fixtures/golden/proof/id");
    let row = checked(include_str!("../../fixtures/golden/proof/row.json"), id).unwrap();
    assert_eq!(row.row()["name"], "name 2000");
    let none = checked(include_str!("../../fixtures/golden/proof/no-row.json"), id).unwrap();
    assert_eq!(none.keys()[0], json!({"id": 6001}));
    let table = checked(include_str!("../../fixtures/golden/proof/no-table.json"), id).unwrap();
    assert_eq!((table.finding, table.name.name.as_str()), (Finding::NoTable, "items"));
}

/// The file as `docs/proofs.md` describes it, followed without the code under test: every object
/// hashes to an id that stands in one before it.
#[test]
fn a_proof_is_followed_by_hand() {
    let (id, texts) = specimens();
    let proof: Json = serde_json::from_str(&texts[0]).unwrap();
    let kinds = [
        ("row-hashes", 5u8),
        ("chunk", 9),
        ("node", 10),
        ("table", 11),
        ("state", 12),
        ("snapshot", 13),
        ("keys", 4),
    ];
    let header = |kind: u8, len: usize| {
        [b"ddb\x01".as_slice(), &[kind, 0, 0, 0], &(len as u64).to_le_bytes()].concat()
    };
    let contains = |all: &[u8], part: &[u8]| all.windows(part.len()).any(|window| window == part);
    let mut before = (0..64).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap());
    let mut before: Vec<Vec<u8>> = vec![before.by_ref().collect()];
    let row = BASE64.decode(proof["row"].as_str().unwrap()).unwrap();
    let mut framed = [header(32, row.len()), row].concat();
    framed.resize(framed.len().next_multiple_of(64), 0);
    let row_hash = blake3::hash(&framed);
    let objects = proof["objects"].as_array().unwrap();
    for (index, object) in objects.iter().enumerate() {
        let bytes = BASE64.decode(object["bytes"].as_str().unwrap()).unwrap();
        let (_, kind) = kinds.iter().find(|(name, _)| object["kind"] == *name).unwrap();
        let is_last = index + 1 == objects.len();
        assert_eq!(is_last, object.get("beside").is_some(), "{object}");
        if is_last {
            assert!(contains(&bytes, row_hash.as_bytes()), "the row's hash");
        } else if *kind == 11 {
            let table = blake3::hash(&[header(11, bytes.len()), bytes.clone()].concat());
            let cells: [(&[u8], u8, &[u8]); 3] = [
                (b"name", 0x30, b"item"),
                (b"schema", 0x30, b""),
                (b"table", 0x38, table.as_bytes()),
            ];
            let short = |len: usize| u16::try_from(len).unwrap().to_le_bytes();
            let row: Vec<u8> = cells
                .iter()
                .flat_map(|(name, tag, payload)| {
                    [&short(name.len()), *name, &[*tag], &short(payload.len()), payload].concat()
                })
                .collect();
            let mut framed = [header(32, row.len()), row].concat();
            framed.resize(framed.len().next_multiple_of(64), 0);
            let listed = blake3::hash(&framed);
            let next = BASE64.decode(objects[index + 1]["bytes"].as_str().unwrap()).unwrap();
            assert!(contains(&next, listed.as_bytes()), "the table");
        } else {
            let hash = blake3::hash(&[header(*kind, bytes.len()), bytes.clone()].concat());
            let found = before.iter().any(|before| contains(before, hash.as_bytes()));
            assert!(found, "object {index}, {}", object["kind"]);
        }
        before.push(bytes);
    }
}

#[test]
fn rows_of_servers() {
    for server in [servers::postgres(), servers::mariadb()] {
        let lab = Lab::new();
        let database = server.database("");
        database.sql(
            "CREATE TABLE item(code varchar(20), part numeric(6,2), at date, note varchar(20),
                 PRIMARY KEY(code, part));
             INSERT INTO item VALUES ('a', 1.50, '2024-02-29', 'x'), ('b', 2.00, NULL, NULL);
             CREATE TABLE empty(id int PRIMARY KEY);",
        );
        lab.run(&["snapshot", &database.url(), "--ref", "prod"]).ok();
        let is_postgres = lab.run(&["show", "prod", "--json"]).ok().json()["engine"] == "postgres";
        let row = proved(&lab, &["item", "a", "1.50"])["row"].clone();
        let (date, part) = (json!({"date": "2024-02-29"}), json!({"decimal": "1.50"}));
        assert_eq!(row, json!({"at": date, "code": "a", "note": "x", "part": part}));
        assert_eq!(proved(&lab, &["item", "b", "1.50"])["finding"], "no-row");
        assert_eq!(proved(&lab, &["empty", "1"])["finding"], "no-row");
        let gone = if is_postgres { "public.gone" } else { "gone" };
        assert_eq!(proved(&lab, &[gone])["finding"], "no-table");
        if is_postgres {
            lab.run(&["prove", "prod", "gone"]).fails(2, "in which schema");
        }
    }
}
