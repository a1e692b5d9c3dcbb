//! Reasons without the names in them, so that they can be counted.

use std::collections::BTreeSet;

use super::outcome::Report;

/// The reasons of a report, each once, without names.
pub fn distinct(report: &Report) -> BTreeSet<String> {
    report.ending.why.iter().map(|why| without_names(why)).collect()
}

/// The refusals in the program's one-line error: `object: reason (hint); object: reason (hint)`.
pub fn split(error: &str) -> Vec<String> {
    let Some(list) = error.strip_prefix("no pack was made: ") else {
        return vec![error.to_owned()];
    };
    let mut parts = vec![String::new()];
    let mut depth = 0usize;
    for word in list.split_inclusive(' ') {
        // A hint in parentheses may hold a semicolon.
        depth += word.matches('(').count();
        depth = depth.saturating_sub(word.matches(')').count());
        let last = parts.last_mut().expect("because it is never empty");
        match word.strip_suffix("; ") {
            Some(word) if depth == 0 => {
                last.push_str(word);
                parts.push(String::new());
            }
            _ => last.push_str(word),
        }
    }
    parts
}

/// `OBJECT: reason (hint)` as `…: reason`, with quoted names, literals and numbers left out.
pub fn without_names(why: &str) -> String {
    let line = why.lines().next().unwrap_or_default();
    let (object, reason) = match end_of_object(line) {
        Some(end) if !line.starts_with("no pack was made") => (&line[..end], &line[end + 2..]),
        _ => ("", line),
    };
    let reason = reason.split(" (").next().unwrap_or_default();
    let mut text = if is_ours(object) { format!("{object}: ") } else { String::new() };
    text.push_str(&unquoted(reason, object));
    text.chars().take(160).collect()
}

/// Where the object of a refusal ends: names and conditions in it may hold a colon, too.
fn end_of_object(line: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, ':') if depth == 0 && line[at..].starts_with(": ") => return Some(at),
            _ => {}
        }
    }
    None
}

/// Words that the harness puts before a reason stay.
fn is_ours(object: &str) -> bool {
    ["left out", "apply", "drift", "schema", "rows", "state", "rollback", "snapshot", "pack"]
        .contains(&object)
}

/// The text without what stands in quotes, without numbers, and without the object's own names.
fn unquoted(text: &str, object: &str) -> String {
    let names: BTreeSet<&str> =
        object.split(['.', ' ', '(', ')', ',']).filter(|name| is_name(name)).collect();
    let mut words = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let closing = matches!(first, '`' | '"' | '\'')
            .then(|| rest[1..].find(first).map(|at| at + 2))
            .flatten();
        if let Some(end) = closing {
            words.push('…');
            rest = &rest[end..];
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || "_.$".contains(c)))
                .unwrap_or(rest.len());
            let word = rest[..end].trim_end_matches('.');
            let is_hidden = names.contains(word)
                || word.contains(['_', '.'])
                || word.chars().all(|c| c.is_ascii_digit());
            words.push_str(if is_hidden { "…" } else { word });
            rest = &rest[word.len().max(1)..];
        } else {
            words.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    words
}

/// Whether a word of an object's path is no kind of object.
fn is_name(word: &str) -> bool {
    let kinds = ["check", "column", "index", "key", "table", "trigger", "unique", "view"];
    word.len() > 1 && !kinds.contains(&word)
}

#[test]
fn reasons_have_no_names() {
    let why = "public.users.age: the type changes from `int` to `text` (change it by hand)";
    assert_eq!(without_names(why), "the type changes from … to …");
    assert_eq!(without_names("t.check (a <> ': '): check is gone"), "check is gone");
    assert_eq!(without_names("tab: column age_2 of tab has 17 rows"), "column … of … has … rows");
    let error = "no pack was made: a: x (h; g); b: y";
    assert_eq!(split(error), ["a: x (h; g)", "b: y"]);
}
