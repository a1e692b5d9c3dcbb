//! MariaDB: the table, and snapshots of it beside `mariadb-dump`.

use crate::report::{Line, Target, float, number};
use crate::run::{Job, Watch, in_turn};
use crate::{Bench, COLUMNS, DATABASE, Server, Snapshots, line, peer, with_password};

/// Runs a statement to its end.
pub fn run(server: &Server, sql: &str) {
    let command = ["--no-defaults", "-S", &server.socket, "-u", "tester", "-e", sql];
    Job::new("mariadb", &command).run(Watch::Wall);
}

/// Makes the table.
pub fn fill(bench: &Bench, server: &Server) {
    let rows = bench.rows;
    let fill = format!(
        "DROP DATABASE IF EXISTS {DATABASE}; CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4; \
         USE {DATABASE}; CREATE TABLE items ({COLUMNS}); SET time_zone = '+00:00'; \
         INSERT INTO items SELECT seq, crc32(seq) & 255, upper(substr(md5(seq), 1, 12)), \
         (crc32(seq + 7) % 9999999) / 100, \
         concat(elt(1 + (crc32(seq) & 3), 'Stainless', 'Foldable', 'Compact', 'Insulated'), ' ', \
         elt(1 + (crc32(seq + 1) & 3), 'kettle', 'lantern', 'backpack', 'grinder'), ', ', \
         elt(1 + (crc32(seq + 2) & 3), 'black', 'navy', 'forest green', 'sand'), ' #', seq % 10000), \
         from_unixtime(1767225600 + (crc32(seq + 3) & 16777215)), \
         if(seq % 2 = 0, json_object('weight', crc32(seq) & 4095, 'tags', \
         json_array(concat('a', seq & 15), 'b'), 'origin', elt(1 + (seq & 3), 'DE', 'FR', 'PL', 'CN')), NULL), \
         crc32(seq + 4) & 1 FROM seq_1_to_{rows}; ANALYZE TABLE items"
    );
    run(server, &fill);
}

/// Drops what the phases made.
pub fn drop_all(server: &Server) {
    run(server, &format!("DROP DATABASE IF EXISTS {DATABASE}"));
}

/// Over the socket.
pub fn dumps(bench: &Bench, server: &Server) -> Vec<Line> {
    let to = ["-S", &server.socket];
    beside_dump(bench, &to, &server.url, "", Target::AtMost(0.8, "×"))
}

/// Over TCP with TLS.
pub fn tls(bench: &Bench, server: &Server) -> Vec<Line> {
    let port = &server.port;
    let url = format!("mysql://tester@127.0.0.1:{port}/{DATABASE}?ssl-mode=required");
    let to = ["--ssl", "-h", "127.0.0.1", "-P", port];
    beside_dump(bench, &to, &url, " over TCP with TLS", Target::None("×"))
}

fn beside_dump(bench: &Bench, to: &[&str], url: &str, how: &str, target: Target) -> Vec<Line> {
    let what = ["-u", "tester", "--single-transaction", DATABASE];
    let dump = Job::new("mariadb-dump", &[&["--no-defaults"][..], to, &what].concat());
    let dump = with_password(dump, url);
    let one = Snapshots::new(url, &bench.folder, "1");
    let two = Snapshots::new(url, &bench.folder, "2");
    let contestants = vec![peer(&dump), one.contestant(), two.contestant()];
    let runs = in_turn(bench.repeat, contestants);
    let rows = number(float(bench.rows));
    let job = |jobs| format!("MariaDB snapshot, {rows} rows{how}, --jobs {jobs}");
    let beside = match how {
        "" => "`mariadb-dump --single-transaction`".to_owned(),
        _ => "`mariadb-dump --single-transaction`, the same way".to_owned(),
    };
    vec![
        line(job(1), &beside, runs[0], runs[1], target),
        line(job(2), &beside, runs[0], runs[2], Target::None("×")),
    ]
}
