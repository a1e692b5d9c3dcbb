//! Patterns of table names: `*` stands for any characters, `?` for one.

use crate::model::snapshot::Scope;
use crate::model::{Catalog, TableSpec};

/// Whether a name matches a pattern. Without regard to the case of ASCII letters where the engine
/// compares names so.
pub(crate) fn matches(pattern: &str, name: &str, ignores_case: bool) -> bool {
    let fold = |text: &str| -> Vec<char> {
        if ignores_case {
            text.chars().map(|character| character.to_ascii_lowercase()).collect()
        } else {
            text.chars().collect()
        }
    };
    let (pattern, name) = (fold(pattern), fold(name));
    let (mut p, mut n) = (0, 0);
    // Where the last `*` was, and how far the name was then: the only place to go back to.
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, n));
                p += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&character| character == '*')
}

/// The rules of a scope that have no effect on a catalog of a server, in words: patterns that match
/// nothing that was left out, keys of tables that are not read.
pub(crate) fn unused_rules(scope: &Scope, catalog: &Catalog) -> Vec<String> {
    let bare = |name: &str| name.rsplit_once('.').map_or(name, |(_, name)| name).to_owned();
    let mut unused = Vec::new();
    for pattern in &scope.excluded_tables {
        let is_used = catalog.not_captured.iter().any(|left_out| {
            matches(pattern, &left_out.name, true) || matches(pattern, &bare(&left_out.name), true)
        });
        if !is_used {
            unused.push(format!("exclude: no table matches `{pattern}`"));
        }
    }
    for (table, _) in &scope.key_overrides {
        let names = |spec: &TableSpec| [spec.name.to_string(), spec.name.name.clone()];
        let is_read = |spec: &TableSpec| names(spec).iter().any(|n| n.eq_ignore_ascii_case(table));
        if !catalog.tables.iter().any(is_read) {
            unused.push(format!("keys: there is no table `{table}` whose rows are captured"));
        }
    }
    unused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name, expected) in [
            ("log_*", "log_2024", true),
            ("log_*", "LOG_2024", true),
            ("log_*", "blog_2024", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*ab", "aab", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, name, true), expected, "{pattern} {name}");
        }
        assert!(!matches("Log", "log", false));
    }
}
