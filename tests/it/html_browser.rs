//! The page of `diff --format html` in a real browser: it shows any amount of rows with a bounded
//! number of nodes, does what its controls say, runs nothing of the data, and asks for nothing.

use std::path::PathBuf;

use serde_json::json;

use crate::html_report::{HOSTILE, hostile_lab};
use crate::lab::{Lab, lab};
use crate::webdriver::{Browser, browser_or_skip};

/// So many elements a page may have, whatever it shows.
const MOST_NODES: u64 = 5_000;

fn page(lab: &Lab) -> PathBuf {
    let output = lab.run(&["diff", "prod", "dev", "--format", "html"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    let path = lab.path("page.html");
    std::fs::write(&path, output.stdout).unwrap();
    path
}

#[track_caller]
fn is_bounded(browser: &Browser) {
    let nodes = browser.value("document.getElementsByTagName('*').length").as_u64().unwrap();
    assert!(nodes < MOST_NODES, "{nodes} elements");
    let is_narrow = "document.documentElement.scrollWidth <= window.innerWidth";
    assert_eq!(browser.value(is_narrow), true, "the page is wider than the window");
}

/// Nothing but the page itself was asked for, and nothing was complained of.
#[track_caller]
fn is_quiet(browser: &Browser) {
    assert_eq!(browser.complaints(), [""; 0]);
    let foreign: Vec<String> = browser
        .requests()
        .into_iter()
        .filter(|url| !url.starts_with("data:") && !url.ends_with("/page.html"))
        .collect();
    assert_eq!(foreign, [""; 0]);
}

fn type_filter(browser: &Browser, text: &str) {
    browser.run(&format!(
        "delete document.documentElement.dataset.searched; const box = document.getElementById('filter');
         box.value = {}; box.dispatchEvent(new Event('input'));",
        json!(text)
    ));
    browser.wait("document.documentElement.dataset.searched");
}

fn status(browser: &Browser) -> String {
    browser.value("document.getElementById('status').textContent").as_str().unwrap().to_owned()
}

/// A table whose every row changes, a wide one, and many small ones.
fn large_lab() -> Lab {
    let wide: Vec<String> = (0..120).map(|n| format!("c{n}")).collect();
    let values = |text: &str| vec![format!("'{text} value'"); wide.len()].join(",");
    let script = |status: &str| {
        let small: String = (0..60)
            .map(|n| {
                format!(
                    "CREATE TABLE small_{n:02}(id INTEGER PRIMARY KEY, v);
                    INSERT INTO small_{n:02} VALUES(1,'{status}');"
                )
            })
            .collect();
        format!(
            "CREATE TABLE orders(id INTEGER PRIMARY KEY, customer, status, note);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                INSERT INTO orders SELECT i, 'customer ' || i, '{status}', 'note' FROM n;
             CREATE TABLE wide(id INTEGER PRIMARY KEY, {});
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
                INSERT INTO wide SELECT i, {} FROM n; {small}",
            wide.join(","),
            values(status),
        )
    };
    let lab = lab(&script("open"), &script("shipped"));
    lab.snapshot("prod.db", "prod");
    lab.snapshot("dev.db", "dev");
    lab
}

#[test]
fn a_hundred_thousand_rows() {
    let browser = browser_or_skip!(1300, 900);
    let lab = large_lab();
    browser.open(&page(&lab));
    assert_eq!(browser.value("document.querySelectorAll('#totals .tilde').length"), 1);
    assert!(
        browser
            .value("document.getElementById('totals').textContent")
            .to_string()
            .contains("100,110")
    );
    is_bounded(&browser);

    // Paging: each page has other rows, and the number can be typed.
    browser.click("#side a[href='#t0']");
    browser.wait("document.querySelector('#t0 .rows')");
    let first = "document.querySelector('#t0 .rows td.key').textContent";
    assert_eq!(browser.value(first), "1");
    let cells = browser.value("[...document.querySelectorAll('#t0 tbody tr:first-child .side .value')].map(n => n.textContent)");
    assert_eq!(cells, json!(["open", "shipped"]));
    browser.click_until("#t0 .pager [data-act='Next page']", &format!("{first} === '51'"));
    browser.run("const box = document.querySelector('#t0 .pager input'); box.value = 2000; box.dispatchEvent(new Event('change'));");
    assert_eq!(browser.value(first), "99951");
    assert_eq!(
        browser.value("document.querySelector('#t0 [data-act=\"Next page\"]').disabled"),
        true
    );
    is_bounded(&browser);

    // A wide table scrolls in its own box.
    browser.click("#side a[href$='wide'], #side a[title='wide']");
    browser.wait("document.querySelector('section[aria-labelledby] .box') && [...document.querySelectorAll('.box')].some(b => b.scrollWidth > b.clientWidth)");
    is_bounded(&browser);

    // All sections, from the first to the last, never bring all rows into the page.
    browser.run("window.scrollTo(0, document.body.scrollHeight);");
    is_bounded(&browser);

    // What is filled above a section does not push it away.
    browser.run("window.scrollTo(0, 0);");
    browser.click("#side a[title='small_20']");
    browser.wait("document.querySelector('#side a[title=\"small_20\"]').getAttribute('aria-current') === 'true'");

    type_filter(&browser, "Customer 9999");
    assert_eq!(status(&browser), "11 of 100,110 rows match");
    assert_eq!(browser.value("document.querySelectorAll('main section').length"), 1);
    browser.wait("document.querySelectorAll('main tbody tr').length === 11");
    type_filter(&browser, "small_07");
    assert_eq!(status(&browser), "1 of 100,110 rows match");
    type_filter(&browser, "no row has this");
    assert_eq!(browser.value("document.querySelectorAll('main section').length"), 0);
    type_filter(&browser, "");
    assert_eq!(status(&browser), "");
    browser.run("delete document.documentElement.dataset.searched;");
    browser.click("#kinds [data-kind='~']");
    browser.wait("document.documentElement.dataset.searched");
    assert_eq!(status(&browser), "0 of 100,110 rows match");
    is_bounded(&browser);
    is_quiet(&browser);
}

#[test]
fn sections_themes_and_keys() {
    let browser = browser_or_skip!(1300, 900);
    let lab = hostile_lab();
    browser.open(&page(&lab));
    let is_open = "document.querySelector('#t0 .toggle').getAttribute('aria-expanded')";
    assert_eq!(browser.value(is_open), "true");
    browser.click("#collapse");
    assert_eq!(browser.value(is_open), "false");
    assert_eq!(browser.value("document.getElementById('t0-body').hidden"), true);
    browser.click("#t0 .toggle");
    assert_eq!(browser.value(is_open), "true");
    browser.wait("document.querySelector('#t0 .rows')");
    browser.click("#expand");
    assert_eq!(
        browser.value("document.querySelectorAll('[aria-expanded=\"false\"].toggle').length"),
        0
    );

    let background = "getComputedStyle(document.body).backgroundColor";
    browser.click("#theme");
    let light = browser.value(background);
    browser.keys("t");
    assert_eq!(browser.value("document.documentElement.dataset.theme"), "dark");
    assert_ne!(browser.value(background), light);
    browser.keys("?");
    assert_eq!(browser.value("document.getElementById('keys').open"), true);
    browser.run("document.getElementById('keys').close();");
    browser.keys("jx");
    assert_eq!(
        browser.value("document.querySelector('#schema .toggle').getAttribute('aria-expanded')"),
        "false"
    );
    browser.keys("/");
    assert_eq!(browser.value("document.activeElement.id"), "filter");

    browser.resize(420, 800);
    is_bounded(&browser);
    assert_eq!(browser.value("getComputedStyle(document.getElementById('side')).display"), "none");
    browser.click("#menu");
    assert_eq!(browser.value("getComputedStyle(document.getElementById('side')).display"), "block");
    is_quiet(&browser);
}

#[test]
fn hostile_values_are_shown_and_not_run() {
    let browser = browser_or_skip!(1300, 900);
    let lab = hostile_lab();
    browser.open(&page(&lab));
    browser.click("#side a[href='#t0']");
    browser.wait("document.querySelector('#t0 .rows')");
    assert_eq!(browser.value("window.hacked === undefined"), true);
    assert_eq!(browser.value("document.querySelectorAll('img, b, #main script').length"), 0);
    assert_eq!(browser.value("document.querySelector('#t0 .toggle').textContent"), HOSTILE);
    let values = browser.value(
        "[...document.querySelectorAll('#t0 ins .value, #t0 del .value')].map(n => n.textContent)",
    );
    let values: Vec<&str> =
        values.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
    for expected in [
        &format!("{HOSTILE}a"),
        "<!--<script>b",
        "a\\u{2028}b\\u{2029}c\\u{202e}da",
        "tab\\t↵\n\\r\\u{0}\\u{1b}\\u{7f}a",
        "UTF-8 x'ff3c2f7363726970743e41'",
        "x'00ff3c42'",
        "&lt;&#60;\\u003c\"'`b",
        "{{data}}{{script}}a",
        "9223372036854775807",
        "'9223372036854775807'",
        "1.0",
    ] {
        assert!(values.contains(&expected), "{expected}: {values:#?}");
    }
    let column = browser.value("document.querySelector('#t0 thead th:nth-child(3)').textContent");
    assert_eq!(column, "<b>\\u{2028}");
    browser.click("#side a[href='#schema']");
    browser.wait("document.querySelector('#schema .ddl')");
    let view = browser.value("document.querySelector('#schema .ddl').textContent");
    assert!(
        view.as_str().unwrap().contains("</script><script>window.hacked=1</script>b"),
        "{view}"
    );
    is_quiet(&browser);
}
