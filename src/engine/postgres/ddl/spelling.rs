//! How names, texts and lists are spelled in statements, and how what the catalog wrote is read.
//!
//! Names are always quoted and texts always escaped, so nothing that a database holds can end a
//! statement. What the server wrote as SQL (types, expressions, names with their schema) is used
//! as it stands.

use crate::engine::postgres::declared::object_name;
pub(super) use crate::engine::postgres::sql::quoted;
use crate::model::ObjectName;

/// The name of an object, with its schema where it is in one.
pub(super) fn qualified(name: &ObjectName) -> String {
    match name.schema.is_empty() {
        true => quoted(&name.name),
        false => format!("{}.{}", quoted(&name.schema), quoted(&name.name)),
    }
}

/// A string literal, under `standard_conforming_strings`.
pub(super) fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Quoted names in a row.
pub(super) fn names(list: &[String]) -> String {
    let names: Vec<String> = list.iter().map(|name| quoted(name)).collect();
    names.join(", ")
}

/// A role, or everybody.
pub(super) fn role(name: &str) -> String {
    if name == "PUBLIC" { name.to_owned() } else { quoted(name) }
}

/// The name of a storage option: words, and the table it is of in front of a dot.
pub(super) fn option_name(name: &str) -> String {
    let is_plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let parts: Vec<String> = name
        .splitn(2, '.')
        .map(|part| if is_plain(part) { part.to_owned() } else { quoted(part) })
        .collect();
    parts.join(".")
}

/// Storage options, `name=value` each.
pub(super) fn options(items: &[String]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| {
            let (name, value) = item.split_once('=').unwrap_or((item, ""));
            let is_number = !value.is_empty() && value.chars().all(|c| c.is_ascii_digit());
            let value = if is_number { value.to_owned() } else { string(value) };
            format!("{} = {value}", option_name(name))
        })
        .collect();
    items.join(", ")
}

/// What turns storage options into others: those to set and those to reset, either may be empty.
pub(super) fn option_changes(before: &[String], after: &[String]) -> (String, String) {
    let set: Vec<String> = after.iter().filter(|item| !before.contains(item)).cloned().collect();
    let name =
        |item: &String| item.split_once('=').map_or(item.as_str(), |(name, _)| name).to_owned();
    let kept: Vec<String> = after.iter().map(name).collect();
    let reset: Vec<String> = before
        .iter()
        .map(name)
        .filter(|name| !kept.contains(name))
        .map(|name| option_name(&name))
        .collect();
    (options(&set), reset.join(", "))
}

/// The name that stands in SQL, quoted or not.
pub(super) fn parsed(sql: &str) -> Option<ObjectName> {
    object_name(sql)
}

/// The name of a routine or an operator without the list of its arguments.
pub(super) fn without_arguments(signature: &str) -> &str {
    split_signature(signature).map_or(signature, |(name, _)| name)
}

/// The name of a routine and what stands between its parentheses. Parentheses may be part of the
/// name, and of quoted names within the list.
pub(super) fn split_signature(signature: &str) -> Option<(&str, &str)> {
    let inner = signature.strip_suffix(')')?;
    let mut is_quoted = false;
    for (at, character) in inner.char_indices().rev() {
        match character {
            '"' => is_quoted = !is_quoted,
            '(' if !is_quoted => return Some((&inner[..at], &inner[at + 1..])),
            _ => {}
        }
    }
    None
}

/// The routine or operator that the server writes as `schema.name(type,type)`; none for its own.
pub(super) fn signed(signature: &str) -> Option<ObjectName> {
    let (name, arguments) = split_signature(signature)?;
    let (schema, name) = match parsed(name) {
        Some(found) => (found.schema, found.name),
        // The symbol of an operator stands after the last dot.
        None => {
            let (schema, symbol) = name.rsplit_once('.')?;
            (parsed(schema)?.name, symbol.to_owned())
        }
    };
    let mut list = String::new();
    let mut is_quoted = false;
    for character in arguments.chars() {
        is_quoted ^= character == '"';
        list.push(character);
        if character == ',' && !is_quoted {
            list.push(' ');
        }
    }
    (!schema.is_empty()).then(|| ObjectName { schema, name: format!("{name}({list})") })
}

/// Whether a piece of SQL has this name in it, quoted or not. Texts are looked through as well: a
/// name too many does no harm.
pub(super) fn mentions(sql: &str, name: &str) -> bool {
    let quoted = quoted(name);
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut rest = sql;
    while let Some(found) = rest.find(name) {
        let (before, after) = (&rest[..found], &rest[found + name.len()..]);
        let stands_alone = !before.chars().next_back().is_some_and(is_part)
            && !after.chars().next().is_some_and(is_part);
        if stands_alone {
            return true;
        }
        let step = rest[found..].chars().next().map_or(1, char::len_utf8);
        rest = &rest[found + step..];
    }
    sql.contains(&quoted)
}

/// The end of the text or the quoted name that begins here; `None` where none does.
pub(super) fn quoted_end(sql: &str, at: usize) -> Option<usize> {
    let rest = &sql[at..];
    let before = &sql[..at];
    match rest.as_bytes().first()? {
        quote @ (b'\'' | b'"') => {
            let quote = char::from(*quote);
            let escapes = quote == '\'' && before.ends_with(['E', 'e']);
            let mut is_escaped = false;
            // A doubled quote ends one text and begins another.
            for (place, character) in rest.char_indices().skip(1) {
                match character {
                    _ if is_escaped => is_escaped = false,
                    '\\' if escapes => is_escaped = true,
                    character if character == quote => return Some(at + place + 1),
                    _ => {}
                }
            }
            Some(sql.len())
        }
        b'$' if !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') => {
            let tag = rest[1..].find('$').map(|end| &rest[..end + 2])?;
            let name = &tag[1..tag.len() - 1];
            let is_tag = name.chars().all(|c| c.is_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit());
            let end = rest[tag.len()..].find(tag).filter(|_| is_tag)?;
            Some(at + end + 2 * tag.len())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_split_at_their_last_list() {
        for (signature, name, arguments) in [
            ("f()", "f", ""),
            ("f(integer, text[])", "f", "integer, text[]"),
            ("odd (x)(integer)", "odd (x)", "integer"),
            ("f(public.\"a(b)\")", "f", "public.\"a(b)\""),
            ("f(public.\"a\"\"(\")", "f", "public.\"a\"\"(\""),
        ] {
            assert_eq!(split_signature(signature), Some((name, arguments)));
        }
        assert_eq!(split_signature("f"), None);
    }

    #[test]
    fn signatures_name_objects() {
        let name = |signature: &str| signed(signature).map(|name| name.to_string());
        assert_eq!(name("shop.f(integer,text)").as_deref(), Some("shop.f(integer, text)"));
        assert_eq!(
            name("shop.===(integer,integer)").as_deref(),
            Some("shop.===(integer, integer)")
        );
        assert_eq!(
            name("\"a.b\".=(s.\"x,y\",text)").as_deref(),
            Some("\"a.b\".\"=(s.\"\"x,y\"\", text)\"")
        );
        assert_eq!(name("eqsel(internal)"), None);
        assert_eq!(name("<(integer,integer)"), None);
    }

    #[test]
    fn names_are_found_as_words() {
        assert!(mentions("(total > 0)", "total"));
        assert!(mentions("(\"odd \"\"name\" > 0)", "odd \"name"));
        assert!(!mentions("(subtotal > 0)", "total"));
        assert!(!mentions("(totals > 0)", "total"));
        assert!(mentions("subtotal + total", "total"));
    }

    #[test]
    fn options_are_set_and_reset() {
        let list = |items: &[&str]| items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            options(&list(&["fillfactor=80", "toast.autovacuum_enabled=false"])),
            "fillfactor = 80, toast.autovacuum_enabled = 'false'"
        );
        assert_eq!(
            option_changes(&list(&["a=1", "b=2"]), &list(&["a=3"])),
            ("a = 3".to_owned(), "b".to_owned())
        );
        assert_eq!(options(&list(&["it's=o'k"])), "\"it's\" = 'o''k'");
    }
}
