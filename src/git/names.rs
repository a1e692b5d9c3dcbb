//! Names of tables and other objects as names of files that every file system keeps apart.
//!
//! Small letters, digits, `_` and `-` stand for themselves; a capital letter is `=` and the small one;
//! any other byte is `%` and two hexadecimal digits. So no name holds a `/`, a dot or a blank, and two
//! names never differ by case or by the form of a character only. A schema and a name are joined by a
//! dot. What a file system keeps for itself (`con`, `nul`, …) has its first letter spelled as a byte.
//! A name that grows too long is cut, and ends in `~` and the beginning of its hash: the files say the
//! whole name inside.

use std::fmt::Write as _;

use crate::codec::{HashAlgorithm, Hasher, Kind};
use crate::model::ObjectName;

/// The longest name that is written in full.
const LONGEST: usize = 120;
/// What is left of a longer one.
const CUT: usize = 80;

/// The name of the file or folder of an object.
pub(super) fn file_name(name: &ObjectName) -> String {
    let mut file = String::new();
    if !name.schema.is_empty() {
        encode(&name.schema, &mut file);
        file.push('.');
    }
    encode(&name.name, &mut file);
    if file.len() <= LONGEST {
        return file;
    }
    let whole = format!("{}\0{}", name.schema, name.name);
    // Always the same hash, whatever that of the store is: the name of a file depends on nothing else.
    let hash = Hasher::new(HashAlgorithm::Blake3).id(Kind::File, whole.as_bytes()).to_string();
    file.truncate(CUT);
    format!("{file}~{}", &hash[..32])
}

fn encode(part: &str, out: &mut String) {
    let is_reserved = is_reserved(part);
    for (index, byte) in part.bytes().enumerate() {
        match byte {
            _ if index == 0 && is_reserved => push_hex(byte, out),
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => out.push(char::from(byte)),
            b'A'..=b'Z' => {
                out.push('=');
                out.push(char::from(byte.to_ascii_lowercase()));
            }
            _ => push_hex(byte, out),
        }
    }
    if part.is_empty() {
        out.push('%');
    }
}

fn push_hex(byte: u8, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(out, "%{byte:02x}");
}

/// Whether Windows keeps the name for a device, whatever comes after a dot.
fn is_reserved(part: &str) -> bool {
    let is_port = |prefix: &str| {
        part.strip_prefix(prefix)
            .is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
    };
    matches!(part, "con" | "prn" | "aux" | "nul") || is_port("com") || is_port("lpt")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_safe_and_differ_by_more_than_case() {
        let long = "ä".repeat(100);
        let longer = "ä".repeat(101);
        let names = [
            "users", "Users", "USERS", "=users", "%75sers", "a/b", "..", ".", "a.", "a ", "con",
            "CON", "nul", "com1", "com10", "", "\u{e9}", "e\u{301}", "a\0b", "-x", "~", &long,
            &longer,
        ];
        let mut seen = HashSet::new();
        for name in names {
            let file = file_name(&ObjectName::bare(name));
            assert!(
                file.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b'\\'),
                "{file}"
            );
            assert!(!file.ends_with('.') && !is_reserved(&file), "{file}");
            assert!(file.len() <= LONGEST && !file.is_empty());
            assert!(seen.insert(file.to_ascii_lowercase()), "{name:?} has the file of another");
        }
    }

    #[test]
    fn schemas_are_part_of_the_name() {
        let name = |schema: &str, name: &str| {
            file_name(&ObjectName { schema: schema.into(), name: name.into() })
        };
        assert_eq!(name("public", "Orders"), "public.=orders");
        assert_eq!(name("a.b", "c"), "a%2eb.c");
        assert_eq!(name("a", "b.c"), "a.b%2ec");
        assert_eq!(name("con", "nul"), "%63on.%6eul");
    }
}
