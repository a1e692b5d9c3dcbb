//! The transaction in which tables are built anew: what it puts off, and that it is set back.

use deepdiff_db::engine::{EngineError, OpenOptions, Session, Target};

use crate::sqlite_database::{TestDatabase, block_on};
use crate::sqlite_ddl::with;

#[test]
fn s18_nothing_is_built_anew_inside_a_transaction_that_is_open() {
    with("CREATE TABLE p(id INTEGER PRIMARY KEY, n TEXT)", |session| {
        session.begin().unwrap();
        let error = session.begin_rebuild().unwrap_err();
        assert!(matches!(error, EngineError::Unsupported { .. }), "{error}");
        assert!(error.to_string().contains("open already"), "{error}");
        session.rollback().unwrap();
        // Foreign keys are enforced as before.
        session.execute_script("CREATE TABLE c(p INT REFERENCES p(id))").unwrap();
        session.execute("INSERT INTO c VALUES (1)").unwrap_err();
    });
}

#[test]
fn settings_of_the_connection_are_set_back_however_it_ends() {
    let pragma = |session: &Session<'_>, name: &str| {
        session.execute("DELETE FROM seen").unwrap();
        session.execute(&format!("INSERT INTO seen SELECT * FROM pragma_{name}")).unwrap();
        session.execute("DELETE FROM seen WHERE x = 1").unwrap() == 1
    };
    let as_before = |session: &Session<'_>, what: &str| {
        assert!(pragma(session, "foreign_keys"), "{what}: foreign keys are off");
        assert!(!renames_blindly(session), "{what}: legacy");
    };
    with(
        "CREATE TABLE seen(x); CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p INT REFERENCES p(id))",
        |session| {
            as_before(session, "before");
            session.begin_rebuild().unwrap();
            assert!(!pragma(session, "foreign_keys"));
            assert!(renames_blindly(session));
            session.execute("INSERT INTO c VALUES (1)").unwrap();
            session.execute("DELETE FROM c").unwrap();
            session.commit().unwrap();
            as_before(session, "after a commit");
            session.begin_rebuild().unwrap();
            session.rollback().unwrap();
            as_before(session, "after a rollback");
            session.begin_rebuild().unwrap();
            session.execute("nonsense").unwrap_err();
            // Something ends the transaction by itself.
            session.execute("ROLLBACK").unwrap();
            session.rollback().unwrap();
            as_before(session, "after a transaction that ended by itself");
            session.begin_rebuild().unwrap();
            session.execute("COMMIT").unwrap();
            session.begin().unwrap();
            session.rollback().unwrap();
            as_before(session, "after another begin");
        },
    );
}

/// Whether ALTER TABLE … RENAME looks at no view, which is what `legacy_alter_table` is for.
fn renames_blindly(session: &Session<'_>) -> bool {
    session.execute("SAVEPOINT look").unwrap();
    session
        .execute_script("CREATE TABLE look1(a); CREATE VIEW look2 AS SELECT gone FROM nowhere")
        .unwrap();
    let is_on = session.execute("ALTER TABLE look1 RENAME TO look3").is_ok();
    session.execute("ROLLBACK TO look").unwrap();
    session.execute("RELEASE look").unwrap();
    is_on
}

#[test]
fn a_lock_that_never_comes_leaves_the_connection_as_it_was() {
    let database = TestDatabase::new(
        "CREATE TABLE seen(x); CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(p INT REFERENCES p(id))",
    );
    block_on(async {
        let mut holder = database.target().await;
        let options = OpenOptions {
            busy_timeout: std::time::Duration::from_millis(20),
            ..OpenOptions::default()
        };
        let mut target = Target::open(&database.url(), &options).await.unwrap();
        let held = holder.session().await.unwrap();
        let session = target.session().await.unwrap();
        held.begin().unwrap();
        let error = session.begin_rebuild().unwrap_err();
        assert!(matches!(error, EngineError::Locked { .. }), "{error}");
        held.rollback().unwrap();
        session.execute("INSERT INTO c VALUES (1)").unwrap_err();
    });
}
