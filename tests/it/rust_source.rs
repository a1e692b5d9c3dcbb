//! Rust source as the house rules see it: identifiers and punctuation, without comments, strings
//! and character literals, and the crate paths among them.
//!
//! It understands as much of the language as the rules need: `use` trees, paths in expressions,
//! `super` from inline modules. It does not expand macros.

use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every `.rs` file below a folder of the repository, with its path from that folder.
pub fn rust_files(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = root().join(folder);
    let mut files: Vec<_> = walkdir::WalkDir::new(&folder)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(&folder).unwrap().to_owned(), text)
        })
        .collect();
    files.sort();
    files
}

/// A token with the line it begins on. Punctuation is one character, but for `::`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// The tokens of a source text.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: source, line: 1 };
    let mut tokens = Vec::new();
    while let Some(first) = lexer.rest.chars().next() {
        let line = lexer.line;
        if let Some(len) = lexer.ignored() {
            lexer.advance(len);
            continue;
        }
        let len = if first.is_alphabetic() || first == '_' {
            identifier_len(lexer.rest)
        } else if lexer.rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let text = &lexer.rest[..len];
        if !text.trim().is_empty() {
            tokens.push(Token { text: text.to_owned(), line });
        }
        lexer.advance(len);
    }
    tokens
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
}

impl Lexer<'_> {
    fn advance(&mut self, len: usize) {
        self.line += self.rest[..len].matches('\n').count();
        self.rest = &self.rest[len..];
    }

    /// The length of the comment, string or character literal that begins here.
    fn ignored(&self) -> Option<usize> {
        let rest = self.rest;
        if rest.starts_with("//") {
            return Some(rest.find('\n').unwrap_or(rest.len()));
        }
        if rest.starts_with("/*") {
            return Some(block_comment_len(rest));
        }
        for prefix in ["br", "cr", "r"] {
            if let Some(raw) = rest.strip_prefix(prefix) {
                let hashes = raw.len() - raw.trim_start_matches('#').len();
                if raw[hashes..].starts_with('"') {
                    let end = format!("\"{}", "#".repeat(hashes));
                    let body = &raw[hashes + 1..];
                    let close = body.find(&end).map_or(body.len(), |at| at + end.len());
                    return Some(prefix.len() + hashes + 1 + close);
                }
            }
        }
        let literal = ["b", "c", ""].into_iter().find_map(|prefix| {
            let quoted = rest.strip_prefix(prefix)?;
            quoted.starts_with(['"', '\'']).then_some((prefix.len(), quoted))
        });
        let (prefix, quoted) = literal?;
        if quoted.starts_with('"') {
            return Some(prefix + quoted_len(quoted, '"'));
        }
        // `'a'` is a character, `'a` a lifetime.
        let mut chars = quoted.chars().skip(1);
        match (chars.next(), chars.next()) {
            (Some('\\'), _) | (Some(_), Some('\'')) => Some(prefix + quoted_len(quoted, '\'')),
            _ if prefix == 0 => Some(1),
            _ => None,
        }
    }
}

fn identifier_len(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

fn block_comment_len(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < text.len() {
        let step = if text[at..].starts_with("/*") {
            depth += 1;
            2
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            2
        } else {
            text[at..].chars().next().map_or(1, char::len_utf8)
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted_len(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// A path that starts at the crate's root, without the `crate` itself: `["store", "Objects"]`.
/// The last segment is `*` for a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CratePath {
    pub segments: Vec<String>,
    pub line: usize,
}

/// Every path in `source` that leads to the crate's root, by `crate::`, by the crate's own name,
/// or by enough of `super::`. `file` is the path below `src`.
pub fn crate_paths(file: &Path, source: &str) -> Vec<CratePath> {
    let tokens = tokens(source);
    let mut module = module_path(file);
    // For each open brace, whether it opened an inline module.
    let mut braces = Vec::new();
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let text = tokens[at].text.as_str();
        let next = tokens.get(at + 1).map_or("", |t| t.text.as_str());
        let starts_path = at == 0 || tokens[at - 1].text != "::";
        match text {
            "{" => {
                let is_module = at >= 2 && tokens[at - 2].text == "mod";
                if is_module {
                    module.push(tokens[at - 1].text.clone());
                }
                braces.push(is_module);
            }
            "}" => {
                let was_module = braces.pop().unwrap_or(false);
                if was_module {
                    module.pop();
                }
            }
            "crate" | "deepdiff_db" if next == "::" => {
                collect(&tokens, at + 2, &[], &mut paths);
            }
            "super" if starts_path && next == "::" => {
                let mut supers = 1;
                let mut after = at + 2;
                while tokens.get(after).is_some_and(|t| t.text == "super") {
                    supers += 1;
                    after += 2;
                }
                let kept = module.len().saturating_sub(supers);
                collect(&tokens, after, &module[..kept], &mut paths);
            }
            _ => {}
        }
        at += 1;
    }
    paths
}

fn module_path(file: &Path) -> Vec<String> {
    let mut path: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if matches!(path.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        path.pop();
    }
    path
}

/// Collects the paths of the use tree at `at`; gives where it ends.
fn collect(tokens: &[Token], at: usize, prefix: &[String], paths: &mut Vec<CratePath>) -> usize {
    let Some(token) = tokens.get(at) else { return at };
    if token.text == "{" {
        let mut at = at + 1;
        while tokens.get(at).is_some_and(|t| t.text != "}") {
            let end = collect(tokens, at, prefix, paths);
            at = end.max(at + 1);
            while tokens.get(at).is_some_and(|t| t.text != "," && t.text != "}") {
                at += 1;
            }
            if tokens.get(at).is_some_and(|t| t.text == ",") {
                at += 1;
            }
        }
        return at + 1;
    }
    let mut segments = prefix.to_vec();
    segments.push(token.text.clone());
    let continues = tokens.get(at + 1).is_some_and(|t| t.text == "::")
        && tokens.get(at + 2).is_some_and(|t| t.text != "<");
    if continues {
        return collect(tokens, at + 2, &segments, paths);
    }
    paths.push(CratePath { segments, line: token.line });
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(file: &str, source: &str) -> Vec<String> {
        crate_paths(Path::new(file), source).iter().map(|p| p.segments.join("::")).collect()
    }

    #[test]
    fn use_trees_are_taken_apart() {
        let source = "use crate::{model::{id::ObjectId, Value as V}, store::*};\nuse crate::codec;";
        let expected = ["model::id::ObjectId", "model::Value", "store::*", "codec"];
        assert_eq!(paths("tree/mod.rs", source), expected);
    }

    #[test]
    fn paths_in_expressions_count() {
        let source = "fn f() { crate::diff::run::<u8>(deepdiff_db::cli::main()) }";
        assert_eq!(paths("tree/mod.rs", source), ["diff::run", "cli::main"]);
    }

    #[test]
    fn comments_strings_and_characters_do_not_count() {
        let source = r####"
            // crate::a::b
            /* crate::a /* nested */ crate::b */
            const T: &str = "crate::a \" crate::b";
            const R: &str = r#"crate::a " crate::b"#;
            const C: [char; 3] = ['"', '\'', '{'];
            fn f<'a>(x: &'a str) -> &'a crate::model::Value { x }
        "####;
        assert_eq!(paths("tree/mod.rs", source), ["model::Value"]);
    }

    #[test]
    fn super_reaches_the_root_only_with_enough_steps() {
        let source = "use super::super::store::Objects;\nuse super::key;\n\
                      mod tests { use super::super::cursor; use super::super::super::store; }";
        let expected = ["store::Objects", "tree::key", "tree::cursor", "store"];
        assert_eq!(paths("tree/chunk.rs", source), expected);
    }
}
