//! The law of packs: for any two databases a and b of one schema, the pack from a to b makes a into
//! b, and its rollback makes it a again. Constraints stay on, so both must hold them.

use proptest::prelude::*;

use deepdiff_db::pack::{Consent, DecisionFile, PackError, Strategies};

use crate::lab::sqlite3;
use crate::pack_lab::PackLab;

const SCHEMA: &str = "
    CREATE TABLE p(id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, rank INTEGER UNIQUE, note);
    CREATE TABLE n(id INTEGER PRIMARY KEY, up INTEGER REFERENCES n(id), v INTEGER NOT NULL UNIQUE);
    CREATE TABLE c(a INTEGER NOT NULL, k TEXT COLLATE NOCASE NOT NULL, p INTEGER REFERENCES p(id),
        code TEXT REFERENCES p(code), x REAL, PRIMARY KEY (a, k), UNIQUE (p, x)) WITHOUT ROWID;
    CREATE TABLE loose(a, b TEXT);
    CREATE UNIQUE INDEX part ON c(x) WHERE x > 3;
";

type P = (u8, u8, Option<u8>, Option<u8>);
type N = (u8, Option<u8>, u8);
type C = (u8, char, Option<u8>, Option<u8>, Option<u8>);

#[derive(Debug, Clone)]
struct Content {
    p: Vec<P>,
    n: Vec<N>,
    c: Vec<C>,
    loose: Vec<(u8, u8)>,
}

fn content() -> impl Strategy<Value = Content> {
    let small = 0u8..6;
    let maybe = proptest::option::of(small.clone());
    (
        proptest::collection::vec(
            (small.clone(), small.clone(), maybe.clone(), maybe.clone()),
            0..7,
        ),
        proptest::collection::vec((small.clone(), maybe.clone(), small.clone()), 0..7),
        proptest::collection::vec(
            (
                small.clone(),
                prop::sample::select(vec!['a', 'A', 'b']),
                maybe.clone(),
                maybe.clone(),
                maybe,
            ),
            0..8,
        ),
        proptest::collection::vec((0u8..3, 0u8..2), 0..6),
    )
        .prop_map(|(p, n, c, loose)| Content { p, n, c, loose })
}

/// A script that puts in whatever the constraints allow: rows that break one are skipped, and what
/// refers to a row that was skipped is cleared.
fn script(content: &Content) -> String {
    let or_null = |value: &Option<u8>| value.map_or("NULL".to_owned(), |v| v.to_string());
    let code = |value: &Option<u8>| value.map_or("NULL".to_owned(), |v| format!("'k{v}'"));
    let mut sql = SCHEMA.to_owned();
    for (id, key, rank, note) in &content.p {
        let (rank, note) = (or_null(rank), or_null(note));
        sql += &format!("INSERT OR IGNORE INTO p VALUES ({id},'k{key}',{rank},{note});\n");
    }
    for (id, up, v) in &content.n {
        sql += &format!("INSERT OR IGNORE INTO n VALUES ({id},{},{v});\n", or_null(up));
    }
    for (a, k, p, key, x) in &content.c {
        let (p, key, x) = (or_null(p), code(key), or_null(x));
        sql += &format!("INSERT OR IGNORE INTO c VALUES ({a},'{k}',{p},{key},{x});\n");
    }
    for (a, b) in &content.loose {
        sql += &format!("INSERT INTO loose VALUES ({a},'{b}');\n");
    }
    sql + "UPDATE n SET up = NULL WHERE up NOT IN (SELECT id FROM n);
        UPDATE OR IGNORE c SET p = NULL WHERE p NOT IN (SELECT id FROM p);
        DELETE FROM c WHERE p NOT IN (SELECT id FROM p);
        UPDATE c SET code = NULL WHERE code NOT IN (SELECT code FROM p);"
}

/// Answers to all that is asked, by chance: whole rows, and cells of those that are updated.
fn decided(asked: &str, seed: u64) -> String {
    let mut chance = seed;
    let mut word = || {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if chance >> 63 == 0 { "ours" } else { "theirs" }
    };
    let entries = asked.split("\n[[row]]\n").skip(1);
    let decided = entries.map(|entry| {
        let after = entry.lines().filter_map(|line| line.strip_prefix("after."));
        let columns: Vec<&str> = after.filter_map(|line| line.split(" = ").next()).collect();
        let answer = match entry.contains("kind = \"update\"") && word() == "ours" {
            true => {
                let cells = columns.iter().map(|column| format!("{column} = \"{}\"", word()));
                format!("cells = {{ {} }}", cells.collect::<Vec<_>>().join(", "))
            }
            false => format!("take = \"{}\"", word()),
        };
        format!("[[row]]\n{}\n", entry.replace("take = \"\"", &answer))
    });
    decided.collect()
}

/// How many cases: the run of everything takes more.
fn cases() -> u32 {
    std::env::var("PACK_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_pack_makes_b_of_a_and_its_rollback_a_of_b(a in content(), b in content()) {
        let lab = PackLab::new(&script(&a), &script(&b));
        prop_assert_eq!(sqlite3(&lab.path("prod.db"), "PRAGMA foreign_key_check"), "");
        match lab.pack("probe", &Consent::everything()) {
            Ok(_) => {
                lab.converges();
            }
            // A partial unique index is no key that rows can be parked by: such a circle is
            // refused, by name, and nothing is written.
            Err(PackError::Refused(_)) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
    }

    #[test]
    fn by_any_strategies_what_runs_is_undone(
        a in content(), b in content(), choices in proptest::array::uniform4(0usize..6), seed: u64,
    ) {
        let lab = PackLab::new(&script(&a), &script(&b));
        let tables = ["p", "n", "c", "loose"];
        let mut strategies = Strategies::none();
        for (table, choice) in tables.iter().zip(choices) {
            match choice {
                0 => {}
                1 => strategies.strategy_flag(&format!("{table}=ours")).unwrap(),
                2 => strategies.changes_flag(&format!("{table}=insert,update")).unwrap(),
                3 => strategies.changes_flag(&format!("{table}=delete,update")).unwrap(),
                _ => strategies.strategy_flag(&format!("{table}=manual")).unwrap(),
            }
        }
        let file = lab.path("decisions.toml");
        let pack = |decisions| {
            let consent = Consent::everything();
            lab.pack_by(["prod", "dev"], "change", &consent, &strategies, decisions)
        };
        let packed = match pack(DecisionFile::Ask(&file)) {
            Err(PackError::Undecided { .. }) => {
                let asked = std::fs::read_to_string(&file).unwrap();
                std::fs::write(&file, decided(&asked, seed)).unwrap();
                pack(DecisionFile::Given(&file))
            }
            packed => packed,
        };
        match packed {
            Ok(_) => lab.applies_and_rolls_back(),
            // A circle, or columns of one key that were decided apart.
            Err(PackError::Refused(_) | PackError::Decisions { is_void: true, .. }) => {
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
        lab.apply("change", "copy.db", |_| {});
        for (table, _) in tables.iter().zip(choices).filter(|(_, choice)| *choice == 1) {
            let rows = |db: &str| {
                sqlite3(&lab.path(db), &format!("SELECT * FROM {table} ORDER BY 1, 2"))
            };
            prop_assert_eq!(rows("copy.db"), rows("prod.db"), "{} is ours", table);
        }
    }

    #[test]
    fn without_consent_what_runs_is_undone(a in content(), b in content()) {
        let lab = PackLab::new(&script(&a), &script(&b));
        let manifest = lab.pack("change", &Consent::none());
        let manifest = manifest.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(manifest.migration.rows.deleted, 0);
        lab.applies_and_rolls_back();
    }
}
