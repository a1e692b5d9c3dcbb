//! Patterns of table names: `*` stands for any characters, `?` for one.

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
