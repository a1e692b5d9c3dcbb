//! Applying a pack of row changes, there and back.

use crate::report::{Line, Target, duration, float, number};
use crate::run::{Contestant, Run, Watch, in_turn, text};
use crate::{Bench, Server, fresh_store, mariadb, postgres};

/// How many rows change.
const CHANGES: u64 = 20_000;

/// On PostgreSQL.
pub fn on_postgres(bench: &Bench, server: &Server) -> Vec<Line> {
    let target = Target::AtLeast(20_000.0, " a second");
    changes(bench, server, "PostgreSQL", target, &|sql| postgres::run(server, crate::DATABASE, sql))
}

/// On MariaDB.
pub fn on_mariadb(bench: &Bench, server: &Server) -> Vec<Line> {
    let target = Target::None(" a second");
    changes(bench, server, "MariaDB", target, &|sql| {
        mariadb::run(server, &format!("USE {}; {sql}", crate::DATABASE));
    })
}

/// Of twenty rows that change, one is inserted and one deleted.
fn changes(
    bench: &Bench,
    server: &Server,
    product: &str,
    target: Target,
    run: &dyn Fn(&str),
) -> Vec<Line> {
    let store = fresh_store(&bench.folder.join("apply"));
    let pack = bench.folder.join("apply").join("pack");
    let every = (bench.rows / CHANGES).max(1);
    let (updated, moved) = (CHANGES * 18 / 20, CHANGES / 20);
    store.job(&["snapshot", &server.url, "--ref", "prod"]).run(Watch::Wall);
    for sql in [
        format!(
            "UPDATE items SET amount = amount + 1 WHERE id % {every} = 1 AND id / {every} < {updated}"
        ),
        format!("DELETE FROM items WHERE id % {every} = 2 AND id / {every} < {moved}"),
        format!(
            "INSERT INTO items SELECT id + 1000000000, warehouse, code, amount, title, updated_at, \
             attributes, active FROM items WHERE id % {every} = 3 AND id / {every} < {moved}"
        ),
    ] {
        run(&sql);
    }
    store.job(&["snapshot", &server.url, "--ref", "dev"]).run(Watch::Wall);
    let making = ["pack", "prod", "dev", "-o", text(&pack), "--allow", "all"];
    store.job(&making).run(Watch::All);
    let apply = ["apply", text(&pack), "--to", &server.url];
    // The table is as it shall become: the way back comes first.
    let back: Contestant<'_> =
        Box::new(|| store.job(&[&apply[..], &["--rollback"]].concat()).run(Watch::All));
    let forth: Contestant<'_> = Box::new(|| store.job(&apply).run(Watch::All));
    let runs = in_turn(bench.repeat, vec![back, forth]);
    store.job(&[&apply[..], &["--rollback"]].concat()).run(Watch::Wall);
    let line = |how: &str, run: Run, target| Line {
        job: format!("{product} {how}, {} guarded changes", number(float(CHANGES))),
        beside: String::new(),
        ours: Some(duration(run.wall)),
        figure: Some(float(CHANGES) / run.wall.as_secs_f64()),
        target,
        peak_kib: run.peak_kib,
    };
    vec![
        line("apply", runs[1], target),
        line("apply --rollback", runs[0], Target::None(" a second")),
    ]
}
