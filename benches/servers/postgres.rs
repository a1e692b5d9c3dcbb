//! PostgreSQL: the table, and snapshots of it beside `psql` COPY and `pg_dump`.

use crate::report::{Line, Target, float, number};
use crate::run::{Job, Watch, in_turn, text};
use crate::{Bench, COLUMNS, DATABASE, Server, Snapshots, line, peer, with_password};

/// Where the rows lie in random order.
const SCATTERED: &str = "deepdiff_bench_heap";

/// Every row in the order of the key, in binary: what a snapshot reads.
const COPY: &str = "COPY (SELECT * FROM items ORDER BY id) TO STDOUT (FORMAT binary)";

/// A command for the server over its socket.
pub fn psql(server: &Server, database: &str, sql: &str) -> Job {
    let command = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "tester", "-h", &server.socket];
    Job::new("psql", &[&command[..], &["-p", &server.port, "-d", database, "-c", sql]].concat())
}

/// Runs a statement to its end.
pub fn run(server: &Server, database: &str, sql: &str) {
    psql(server, database, sql).run(Watch::Wall);
}

/// Makes the table.
pub fn fill(bench: &Bench, server: &Server) {
    drop_all(server);
    run(server, "postgres", &format!("CREATE DATABASE {DATABASE}"));
    let rows = bench.rows;
    let fill = format!(
        "SET client_min_messages = warning; CREATE TABLE items ({COLUMNS}); \
         INSERT INTO items SELECT i, hashint8(i) & 255, \
         upper(substr(md5(i::text), 1, 12)), (hashint8(i + 7) & 9999999) / 100.0, \
         (ARRAY['Stainless','Foldable','Compact','Insulated'])[1 + (hashint8(i) & 3)] || ' ' || \
         (ARRAY['kettle','lantern','backpack','grinder'])[1 + (hashint8(i + 1) & 3)] || ', ' || \
         (ARRAY['black','navy','forest green','sand'])[1 + (hashint8(i + 2) & 3)] || ' #' || (i % 10000), \
         timestamp '2026-01-01' + (hashint8(i + 3) & 16777215) * interval '1 second', \
         CASE WHEN i % 2 = 0 THEN json_build_object('weight', hashint8(i) & 4095, 'tags', \
         json_build_array('a' || (i & 15), 'b'), 'origin', (ARRAY['DE','FR','PL','CN'])[1 + (i & 3)]) END, \
         hashint8(i + 4) & 1 = 0 FROM generate_series(1, {rows}) i"
    );
    run(server, DATABASE, &fill);
    run(server, DATABASE, "VACUUM (ANALYZE, FREEZE) items");
}

/// Drops what the phases made.
pub fn drop_all(server: &Server) {
    for database in [DATABASE, SCATTERED, crate::latency::WRITTEN] {
        run(server, "postgres", &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"));
    }
}

fn job(bench: &Bench, jobs: &str, how: &str) -> String {
    format!("PostgreSQL snapshot, {} rows{how}, --jobs {jobs}", number(float(bench.rows)))
}

/// Beside COPY and `pg_dump -Fc`.
pub fn dumps(bench: &Bench, server: &Server) -> Vec<Line> {
    let copy = psql(server, DATABASE, COPY);
    let dump_file = bench.folder.join("items.dump");
    let connection = ["-U", "tester", "-h", &server.socket, "-p", &server.port, "-d", DATABASE];
    let dump = Job::new("pg_dump", &[&connection[..], &["-Fc", "-f", text(&dump_file)]].concat());
    let one = Snapshots::new(&server.url, &bench.folder, "1");
    let two = Snapshots::new(&server.url, &bench.folder, "2");
    let contestants = vec![peer(&copy), peer(&dump), one.contestant(), two.contestant()];
    let runs = in_turn(bench.repeat, contestants);
    let dumped = float(std::fs::metadata(&dump_file).map_or(0, |file| file.len()).max(1));
    let beside = "`psql` COPY binary, ordered";
    vec![
        line(job(bench, "1", ""), beside, runs[0], runs[2], Target::AtMost(1.2, "×")),
        line(job(bench, "2", ""), beside, runs[0], runs[3], Target::AtMost(0.7, "×")),
        line(job(bench, "1", ""), "`pg_dump -Fc`", runs[1], runs[2], Target::AtMost(0.4, "×")),
        Line {
            job: "size of the store".to_owned(),
            beside: format!("`pg_dump -Fc` {} B a row", number(dumped / float(bench.rows))),
            ours: Some(format!("{} B a row", number(float(one.bytes.get()) / float(bench.rows)))),
            figure: Some(float(one.bytes.get()) / dumped),
            target: Target::AtMost(1.0, "×"),
            peak_kib: 0,
        },
    ]
}

/// The same rows in random physical order.
pub fn heap(bench: &Bench, server: &Server) -> Vec<Line> {
    run(server, "postgres", &format!("CREATE DATABASE {SCATTERED} TEMPLATE {DATABASE}"));
    let scatter = format!(
        "ALTER TABLE items RENAME TO in_order; CREATE TABLE items ({COLUMNS}); \
         INSERT INTO items SELECT * FROM in_order ORDER BY hashint8(id), id; DROP TABLE in_order"
    );
    run(server, SCATTERED, &scatter);
    run(server, SCATTERED, "VACUUM (ANALYZE, FREEZE) items");
    let copy = psql(server, SCATTERED, COPY);
    let url = server.url.replacen(DATABASE, SCATTERED, 1);
    let one = Snapshots::new(&url, &bench.folder, "1");
    let two = Snapshots::new(&url, &bench.folder, "2");
    let contestants = vec![peer(&copy), one.contestant(), two.contestant()];
    let runs = in_turn(bench.repeat, contestants);
    let (how, beside) = (" in random physical order", "`psql` COPY binary, ordered");
    vec![
        line(job(bench, "1", how), beside, runs[0], runs[1], Target::None("×")),
        line(job(bench, "2", how), beside, runs[0], runs[2], Target::None("×")),
    ]
}

/// Over TCP with TLS.
pub fn tls(bench: &Bench, server: &Server) -> Vec<Line> {
    let port = &server.port;
    let to = format!("host=127.0.0.1 port={port} user=tester dbname={DATABASE} sslmode=require");
    let copy = with_password(Job::new("psql", &["-X", "-q", "-d", &to, "-c", COPY]), &to);
    let url = format!("postgres://tester@127.0.0.1:{port}/{DATABASE}?sslmode=require");
    let one = Snapshots::new(&url, &bench.folder, "1");
    let two = Snapshots::new(&url, &bench.folder, "2");
    let contestants = vec![peer(&copy), one.contestant(), two.contestant()];
    let runs = in_turn(bench.repeat, contestants);
    let (how, beside) = (" over TCP with TLS", "`psql` COPY binary, ordered, the same way");
    vec![
        line(job(bench, "1", how), beside, runs[0], runs[1], Target::None("×")),
        line(job(bench, "2", how), beside, runs[0], runs[2], Target::None("×")),
    ]
}
