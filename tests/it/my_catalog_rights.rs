//! X4, L18: what an account may not see of a MariaDB database is unknown, never absent.

use std::sync::atomic::{AtomicU32, Ordering};

use deepdiff_db::model::snapshot::Scope;
use deepdiff_db::model::{Catalog, ObjectKind};

use crate::my_lab::{PINNED, assert_known, catalog, catalog_as, entry, lines, missing_rights};
use crate::servers::{self, Database};

const SCHEMA: &str = "
    CREATE TABLE t (a int, b int); CREATE TABLE u (a int);
    CREATE VIEW v AS SELECT a FROM t;
    CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1;
    CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET new.a = 1;
    CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DO 1;
    CREATE SEQUENCE s;";

/// An account that is dropped with the value.
struct Account {
    name: String,
    database: Database,
}

impl Account {
    /// An account with these rights, `{}` being the database.
    fn with(rights: &[&str]) -> Account {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("a_{}_{number}", std::process::id());
        let database = servers::mariadb().database("");
        database.sql(SCHEMA);
        database.sql(&format!("CREATE USER {name}@localhost"));
        for right in rights {
            let right = right.replace("{}", &database.name);
            database.sql(&format!("GRANT {right} TO {name}@localhost"));
        }
        Account { name, database }
    }

    fn catalog(&self) -> Catalog {
        catalog_as(&self.database, &self.name, PINNED, &Scope::default())
    }

    /// What is unknown, by kind and name; the same must have been foreseen.
    fn unknown(&self) -> Vec<String> {
        let catalog = self.catalog();
        let unknown = catalog.not_captured.iter().filter(|entry| entry.is_unknown);
        let mut found: Vec<String> =
            unknown.clone().map(|entry| format!("{} {}", entry.kind, entry.name)).collect();
        let mut foreseen: Vec<String> = missing_rights(&self.database, &self.name)
            .iter()
            .map(|entry| format!("{} {}", entry.kind, entry.name))
            .collect();
        found.sort();
        foreseen.sort();
        assert_eq!(found, foreseen, "{:#?}", unknown.map(entry).collect::<Vec<_>>());
        found
    }

    fn objects(&self, kind: ObjectKind) -> Vec<String> {
        let catalog = self.catalog();
        let facts = catalog.facts.iter().filter(|fact| fact.id.kind == kind);
        facts.map(|fact| fact.id.to_string()).collect()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let script = format!("DROP USER {}@localhost", self.name);
        let _ = self.database.server.try_run("mysql", &script);
    }
}

#[test]
fn with_every_right_everything_is_known() {
    for rights in [
        &["SELECT, SHOW VIEW, TRIGGER, EVENT ON *.*"][..],
        &["SELECT, SHOW VIEW, TRIGGER, EVENT ON `{}`.*", "SELECT ON mysql.*"],
        &["SELECT, SHOW VIEW, TRIGGER, EVENT ON `{}`.*", "SELECT ON mysql.proc"],
    ] {
        let account = Account::with(rights);
        assert_eq!(account.unknown(), [""; 0], "{rights:?}");
        let seen = account.catalog();
        assert_known(&seen, "with every right");
        assert_eq!(lines(&seen), lines(&catalog(&account.database)), "{rights:?}");
    }
}

#[test]
fn with_select_alone_triggers_routines_events_and_views_are_unknown() {
    let account = Account::with(&["SELECT ON `{}`.*"]);
    assert_eq!(account.unknown(), ["event *", "routine *", "triggers t", "triggers u", "view v"]);
    assert_eq!(account.objects(ObjectKind::Table), ["t", "u"]);
    assert_eq!(account.objects(ObjectKind::Trigger), [""; 0]);
}

#[test]
fn a_right_on_one_table_says_nothing_of_the_others() {
    let account = Account::with(&["SELECT, TRIGGER ON `{}`.t", "EVENT ON `{}`.*"]);
    assert_eq!(account.objects(ObjectKind::Trigger), ["tr"]);
    let unknown = account.unknown();
    assert!(unknown.contains(&"table *".to_owned()), "{unknown:?}");
    assert!(!unknown.contains(&"triggers t".to_owned()), "{unknown:?}");
    assert_eq!(account.objects(ObjectKind::Event), ["e"]);
}

#[test]
fn a_right_on_some_columns_leaves_the_table_unknown() {
    let account = Account::with(&["SELECT (a) ON `{}`.t", "SELECT ON `{}`.u"]);
    let unknown = account.unknown();
    assert!(unknown.contains(&"table t".to_owned()), "{unknown:?}");
    assert_eq!(account.objects(ObjectKind::Table), ["u"]);
    assert_eq!(account.objects(ObjectKind::Column), ["u.a"]);
}

#[test]
fn a_table_that_may_be_written_and_not_read_is_unknown() {
    let account = Account::with(&["INSERT, TRIGGER ON `{}`.t", "SELECT ON `{}`.u"]);
    let unknown = account.unknown();
    assert!(unknown.contains(&"table t".to_owned()), "{unknown:?}");
}

#[test]
fn a_routine_that_is_listed_without_its_body_is_unknown_by_name() {
    let account = Account::with(&["SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON `{}`.*"]);
    assert_eq!(account.unknown(), ["function f"]);
    // The one who made it sees it.
    let script = format!("CREATE DEFINER={}@localhost PROCEDURE own() SELECT 1", account.name);
    account.database.sql(&script);
    assert_eq!(account.objects(ObjectKind::Routine), ["procedure own"]);
    assert_eq!(account.unknown(), ["function f"]);
}

#[test]
fn rights_that_come_through_a_role_count() {
    let account = Account::with(&[]);
    let (name, database) = (&account.name, &account.database);
    database.sql(&format!(
        "CREATE ROLE r_{name}; GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON *.* TO r_{name};
         GRANT r_{name} TO {name}@localhost; SET DEFAULT ROLE r_{name} FOR {name}@localhost"
    ));
    let unknown = account.unknown();
    database.sql(&format!("DROP ROLE r_{name}"));
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn no_secret_of_an_account_is_told() {
    let account = Account::with(&["SELECT ON `{}`.*"]);
    account.database.sql(&format!(
        "ALTER USER {}@localhost IDENTIFIED VIA unix_socket OR \
         mysql_native_password USING PASSWORD('geheim'); \
         ALTER USER {}@localhost IDENTIFIED BY ''",
        account.name, account.name
    ));
    let told = format!("{:?}", missing_rights(&account.database, &account.name));
    assert!(!told.contains("PASSWORD") && !told.contains("geheim"), "{told}");
}
