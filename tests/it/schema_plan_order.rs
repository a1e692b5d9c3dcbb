//! A plan does not depend on the order in which its input comes.

use deepdiff_db::engine::sqlite::SqliteDdl;
use deepdiff_db::model::Catalog;
use proptest::prelude::*;

use crate::schema_plan::plan;
use crate::sqlite_ddl::catalog_of;

const BEFORE: &str = "CREATE TABLE g(id INTEGER PRIMARY KEY, n TEXT, UNIQUE (n), CHECK (n <> ''));
    CREATE TABLE p(id INTEGER PRIMARY KEY, g INT REFERENCES g(id), a TEXT, b TEXT);
    CREATE TABLE c(id INTEGER PRIMARY KEY, p INT REFERENCES p(id), g INT REFERENCES g(id));
    CREATE TABLE x(id INTEGER PRIMARY KEY, y INT REFERENCES y(id));
    CREATE TABLE y(id INTEGER PRIMARY KEY, x INT REFERENCES x(id));
    CREATE INDEX pa ON p(a); CREATE UNIQUE INDEX pb ON p(b) WHERE a IS NOT NULL;
    CREATE VIEW v AS SELECT a FROM p; CREATE VIEW w AS SELECT a FROM v;
    CREATE TRIGGER t AFTER INSERT ON c BEGIN UPDATE p SET a = 1 WHERE id = new.p; END;
    CREATE TRIGGER u AFTER DELETE ON p BEGIN DELETE FROM c WHERE p = old.id; END;";

const AFTER: &str = "CREATE TABLE g(id INTEGER PRIMARY KEY, n TEXT NOT NULL, m INT, UNIQUE (n, m), CHECK (m > 0));
    CREATE TABLE p(id INTEGER PRIMARY KEY, g INT REFERENCES g(id) ON DELETE CASCADE, b TEXT, d TEXT DEFAULT 'd');
    CREATE TABLE c(id INTEGER PRIMARY KEY, p INT REFERENCES p(id), e INT REFERENCES f(id));
    CREATE TABLE f(id INTEGER PRIMARY KEY, c INT REFERENCES c(id));
    CREATE INDEX pa ON p(b); CREATE UNIQUE INDEX pb ON p(b, d); CREATE INDEX cp ON c(p);
    CREATE VIEW v AS SELECT b FROM p; CREATE VIEW z AS SELECT b FROM v;
    CREATE TRIGGER t AFTER INSERT ON c BEGIN UPDATE p SET b = 1 WHERE id = new.p; END;";

fn shuffled(catalog: &Catalog, keys: &[u64]) -> Catalog {
    let mut shuffled = catalog.clone();
    let key = |place: usize| keys[place % keys.len()].wrapping_mul(place as u64 * 2 + 1);
    let mut facts: Vec<_> = shuffled.facts.into_iter().enumerate().collect();
    facts.sort_by_key(|(place, _)| key(*place));
    shuffled.facts = facts.into_iter().map(|(_, fact)| fact).collect();
    let mut definitions: Vec<_> = shuffled.definitions.into_iter().enumerate().collect();
    definitions.sort_by_key(|(place, _)| key(*place));
    shuffled.definitions = definitions.into_iter().map(|(_, text)| text).collect();
    shuffled
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn equal_input_in_another_order_gives_an_equal_plan(keys in prop::collection::vec(any::<u64>(), 5..40)) {
        let [before, after] = [BEFORE, AFTER].map(|sql| catalog_of(sql).unwrap());
        let nothing = catalog_of("").unwrap();
        for (a, b) in [(&before, &after), (&after, &before), (&nothing, &after), (&before, &nothing)] {
            let expected = plan(&SqliteDdl, a, b);
            prop_assert!(expected.refusals.is_empty(), "{:?}", expected.refusals);
            let found = plan(&SqliteDdl, &shuffled(a, &keys), &shuffled(b, &keys));
            prop_assert_eq!(&found.before_rows, &expected.before_rows);
            prop_assert_eq!(&found.after_rows, &expected.after_rows);
            prop_assert_eq!(&found.facts_for_rows, &expected.facts_for_rows);
            prop_assert_eq!(&found.facts_after, &expected.facts_after);
        }
    }
}
