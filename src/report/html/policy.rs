//! The page around the data, and the policy that a browser holds it to.
//!
//! The policy names the one script and the one style sheet by their hashes, lets nothing be
//! fetched, and forbids the functions that would read markup out of text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = concat!(
    "'use strict';\n(() => {\n",
    include_str!("script/data.js"),
    include_str!("script/values.js"),
    include_str!("script/ddl.js"),
    include_str!("script/sections.js"),
    include_str!("script/page.js"),
    "})();\n"
);

/// Where the data stand in the template.
const DATA: &str = "{{data}}";

fn source(text: &str) -> String {
    format!("'sha256-{}'", BASE64.encode(Sha256::digest(text.as_bytes())))
}

fn policy() -> String {
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; \
         form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        source(SCRIPT),
        source(STYLE)
    )
}

/// Text as it stands in an element or in an attribute in double quotes.
fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn parts() -> (&'static str, &'static str) {
    PAGE.split_once(DATA).expect("the template says where the data stand")
}

/// Everything before the data.
pub(super) fn page_head(title: &str) -> String {
    let title = markup(&super::super::value::visible(title));
    parts()
        .0
        .replace("{{policy}}", &policy())
        .replace("{{style}}", STYLE)
        // Last: what a title says is no part of the template.
        .replace("{{title}}", &title)
}

/// Everything after the data.
pub(super) fn page_tail() -> String {
    parts().1.replace("{{script}}", SCRIPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_and_the_style_cannot_end_themselves() {
        for text in [SCRIPT, STYLE] {
            let lower = text.to_lowercase();
            assert!(!lower.contains("</") && !lower.contains("<!--") && !text.contains('\r'));
        }
    }

    #[test]
    fn the_script_makes_no_markup_of_data_and_asks_for_nothing() {
        for word in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("]
        {
            assert!(!SCRIPT.contains(word), "{word}");
        }
        for word in ["fetch(", "XMLHttpRequest", "WebSocket", "sendBeacon", "import(", "http"] {
            assert!(!SCRIPT.contains(word), "{word}");
            assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
        }
    }

    #[test]
    fn a_title_is_text() {
        let head = page_head("</title><script>alert(1)</script> {{data}} {{style}} \u{202e}");
        assert!(head.contains(
            "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt; {{data}} {{style}} \\u{202e}"
        ));
        assert!(!head.contains("<script>"), "the script stands in the tail");
        assert_eq!(head.matches("{{").count(), 4, "only the two of the title, twice");
        assert!(!page_tail().contains("{{"));
    }
}
