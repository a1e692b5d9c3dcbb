//! Data in a page: elements that hold JSON and nothing that could end them.
//!
//! Within `<script type="application/json">` a browser looks for `</script` and `<!--` only, and
//! decodes nothing. In JSON, `<` can only stand in a string, where `\u003c` means the same; so no
//! value and no name gets out, and what is parsed is what was written.

use std::io::{self, Write};

use serde_json::Value as Json;

/// A block is written when it has so many items …
const MOST_ITEMS: usize = 1_000;

/// … or so many bytes.
const MOST_BYTES: usize = 256 << 10;

/// Writes an element that holds JSON.
pub(super) fn write_element(out: &mut dyn Write, id: &str, json: &str) -> io::Result<()> {
    write!(out, "<script type=\"application/json\" id=\"{id}\">")?;
    out.write_all(harmless(json).as_bytes())?;
    out.write_all(b"</script>\n")
}

/// JSON that means the same, without `<`, `>`, `&` and the two characters that end a line in
/// scripts and in nothing else.
pub(super) fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 16);
    let mut rest = json;
    let is_risky = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
    while let Some(at) = rest.find(is_risky) {
        out.push_str(&rest[..at]);
        let character = rest[at..].chars().next().expect("one was found here");
        out.push_str(match character {
            '<' => "\\u003c",
            '>' => "\\u003e",
            '&' => "\\u0026",
            '\u{2028}' => "\\u2028",
            _ => "\\u2029",
        });
        rest = &rest[at + character.len_utf8()..];
    }
    out.push_str(rest);
    out
}

/// Items in the order they come, in blocks `PREFIX0`, `PREFIX1`, …
#[derive(Debug)]
pub(super) struct Blocks {
    prefix: String,
    text: String,
    items: usize,
    sizes: Vec<usize>,
}

impl Blocks {
    /// Blocks whose ids begin so.
    pub(super) fn new(prefix: String) -> Blocks {
        Blocks { prefix, text: String::new(), items: 0, sizes: Vec::new() }
    }

    /// Adds an item, and writes a block when there is enough for one. Gives the item's bytes.
    pub(super) fn push(&mut self, item: &Json, out: &mut dyn Write) -> io::Result<u64> {
        let before = self.text.len();
        self.text.push(if self.items == 0 { '[' } else { ',' });
        self.text.push_str(&item.to_string());
        self.items += 1;
        let bytes = u64::try_from(self.text.len() - before).unwrap_or(u64::MAX);
        if self.items >= MOST_ITEMS || self.text.len() >= MOST_BYTES {
            self.write(out)?;
        }
        Ok(bytes)
    }

    fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.items == 0 {
            return Ok(());
        }
        self.text.push(']');
        write_element(out, &format!("{}{}", self.prefix, self.sizes.len()), &self.text)?;
        self.sizes.push(std::mem::take(&mut self.items));
        self.text.clear();
        Ok(())
    }

    /// Writes what is left, and gives the number of items of each block.
    pub(super) fn finish(mut self, out: &mut dyn Write) -> io::Result<Vec<usize>> {
        self.write(out)?;
        Ok(self.sizes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_ends_the_element_or_begins_another() {
        let hostile = json!({ "</script><script>": "<!--\u{2028}</SCRIPT >&lt;\u{0}\n\r]]>" });
        let text = harmless(&hostile.to_string());
        assert!(!text.contains(['<', '>', '&', '\n', '\r', '\u{0}', '\u{2028}']), "{text}");
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), hostile);
    }

    #[test]
    fn blocks_are_cut_by_items_and_by_bytes() {
        let mut out = Vec::new();
        let mut blocks = Blocks::new("t0-".to_owned());
        for number in 0..2_500 {
            blocks.push(&json!(number), &mut out).unwrap();
        }
        blocks.push(&json!("x".repeat(MOST_BYTES)), &mut out).unwrap();
        blocks.push(&json!(1), &mut out).unwrap();
        assert_eq!(blocks.finish(&mut out).unwrap(), [1_000, 1_000, 501, 1]);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches("</script>").count(), 4);
        assert!(text.contains("id=\"t0-3\">[1]</script>"), "{}", &text[text.len() - 80..]);
        assert!(Blocks::new("s".to_owned()).finish(&mut Vec::new()).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn what_is_parsed_is_what_was_written(text in any::<String>()) {
            let harmless = harmless(&json!([text.clone()]).to_string());
            prop_assert!(!harmless.contains('<'));
            prop_assert_eq!(serde_json::from_str::<Json>(&harmless).unwrap(), json!([text]));
        }
    }
}
