//! The text of a view as servers of 16 and later write it.
//!
//! Before 16 the server wrote the name of its one table before every column of a simple view; from
//! 16 on it does not. The qualifiers are taken away here where that is safe: the query reads one
//! relation, and no name it gives to a column is one it also reads. Every other text stays as it is, and then differs
//! from that of a newer server, which is said and not guessed away.

/// A piece of SQL text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'t> {
    /// A name, a keyword or a number, with its quotes.
    Word(&'t str),
    /// A string, white space, or a character of its own.
    Other(&'t str),
}

impl<'t> Piece<'t> {
    fn text(self) -> &'t str {
        match self {
            Piece::Word(text) | Piece::Other(text) => text,
        }
    }

    fn is(self, text: &str) -> bool {
        self.text() == text
    }
}

/// The query without the qualifiers that a server from 16 on would not write.
pub(super) fn unqualified(query: &str) -> String {
    let pieces = pieces(query);
    shortened(&pieces).unwrap_or_else(|| query.to_owned())
}

fn shortened(pieces: &[Piece<'_>]) -> Option<String> {
    let is_top = top_level(pieces);
    let relation = only_relation(pieces, &is_top)?;
    let (mut text, mut read, mut named) = (String::new(), Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        let next = |ahead: usize| pieces.get(at + ahead).copied();
        if is_top[at] && piece.is("AS") {
            named.extend(next(2).map(Piece::text));
        }
        let is_column = is_top[at]
            && piece.is(relation)
            && next(1).is_some_and(|dot| dot.is("."))
            && matches!(next(2), Some(Piece::Word(_)))
            && !next(3).is_some_and(|after| after.is("(") || after.is("."))
            && !preceded_by(pieces, at, &["FROM", ":", "."]);
        if is_column {
            let column = next(2)?.text();
            read.push(column);
            text.push_str(column);
            at += 3;
        } else {
            text.push_str(piece.text());
            at += 1;
        }
    }
    let is_clear = named.iter().all(|name| !read.contains(name));
    is_clear.then_some(text)
}

/// What columns are qualified with, where the query reads one relation and nothing else.
fn only_relation<'t>(pieces: &[Piece<'t>], is_top: &[bool]) -> Option<&'t str> {
    let tops = || pieces.iter().zip(is_top).filter(|(_, is_top)| **is_top).map(|(piece, _)| *piece);
    if tops().any(|piece| ["UNION", "INTERSECT", "EXCEPT"].contains(&piece.text())) {
        return None;
    }
    let from: Vec<Piece<'t>> = tops()
        .skip_while(|piece| !piece.is("FROM"))
        .skip(1)
        .filter(|piece| !piece.text().trim().is_empty())
        .take_while(|piece| !ENDS.contains(&piece.text()))
        .collect();
    match from.as_slice() {
        [Piece::Word(name)] => Some(name),
        [Piece::Word(_), dot, Piece::Word(name)] if dot.is(".") => Some(name),
        [Piece::Word(_), dot, Piece::Word(_), Piece::Word(alias)] if dot.is(".") => Some(alias),
        [Piece::Word(name), Piece::Word(alias)] if *name != "ONLY" => Some(alias),
        _ => None,
    }
}

/// What may follow the tables of a query.
const ENDS: [&str; 9] =
    ["WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR"];

/// For each piece, whether it stands in no query within the query.
fn top_level(pieces: &[Piece<'_>]) -> Vec<bool> {
    let mut open: Vec<bool> = Vec::new();
    let mut is_top = Vec::with_capacity(pieces.len());
    for (at, piece) in pieces.iter().enumerate() {
        if piece.is(")") {
            open.pop();
        }
        is_top.push(!open.contains(&true));
        if piece.is("(") {
            let mut rest = pieces[at + 1..].iter().filter(|piece| !piece.text().trim().is_empty());
            let first = rest.next().map_or("", |piece| piece.text());
            open.push(["SELECT", "WITH", "VALUES"].contains(&first));
        }
    }
    is_top
}

fn preceded_by(pieces: &[Piece<'_>], at: usize, texts: &[&str]) -> bool {
    let before = pieces[..at].iter().rev().find(|piece| !piece.text().trim().is_empty());
    before.is_some_and(|piece| texts.contains(&piece.text()))
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let length = match first {
            '\'' | '"' => quoted(rest, first),
            c if is_part(c) => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            c if c.is_whitespace() => rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        pieces.push(match first == '"' || is_part(first) {
            true => Piece::Word(piece),
            false => Piece::Other(piece),
        });
        rest = after;
    }
    pieces
}

/// How long a quoted text is; a doubled quote is part of it. A backslash is too: the server writes
/// strings with one as `E'…'`, and doubles it.
fn quoted(text: &str, quote: char) -> usize {
    let mut end = 1;
    loop {
        let Some(found) = text[end..].find(quote) else { return text.len() };
        end += found + 1;
        if !text[end..].starts_with(quote) {
            return end;
        }
        end += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::unqualified;

    #[test]
    fn a_simple_view_loses_its_qualifiers() {
        for (query, expected) in [
            (
                "SELECT c.id,\n    c.name AS who\n   FROM shop.customer c\n  WHERE (c.total > 1)",
                "SELECT id,\n    name AS who\n   FROM shop.customer c\n  WHERE (total > 1)",
            ),
            ("SELECT t.a FROM public.t ORDER BY t.a", "SELECT a FROM public.t ORDER BY a"),
            ("SELECT \"T\".\"a.b\" FROM public.\"T\"", "SELECT \"a.b\" FROM public.\"T\""),
            (
                "WITH n AS ( SELECT t.a FROM t) SELECT n.a FROM n",
                "WITH n AS ( SELECT t.a FROM t) SELECT a FROM n",
            ),
            (
                "SELECT public.f(public.a), 'x'::public.mood FROM s.public",
                "SELECT public.f(a), 'x'::public.mood FROM s.public",
            ),
            (
                "SELECT t.a, 't.b' AS x FROM public.t WHERE (EXISTS ( SELECT 1 FROM u WHERE (u.a = t.a)))",
                "SELECT a, 't.b' AS x FROM public.t WHERE (EXISTS ( SELECT 1 FROM u WHERE (u.a = t.a)))",
            ),
        ] {
            assert_eq!(unqualified(query), expected);
            assert_eq!(unqualified(expected), expected);
        }
    }

    #[test]
    fn what_is_not_clear_stays_as_it_is() {
        for query in [
            "SELECT c.a, d.b FROM (public.c JOIN public.d ON ((c.id = d.id)))",
            "SELECT c.a FROM public.c, public.d",
            "SELECT c.a AS b, c.b AS a FROM public.c ORDER BY c.a",
            "SELECT t.a FROM t UNION SELECT u.a FROM u",
            "SELECT f.a FROM public.f() f(a)",
            "SELECT t.* FROM public.t",
            "SELECT 1",
            "SELECT 'it''s FROM t', E'\\\\'",
        ] {
            assert_eq!(unqualified(query), query);
        }
    }
}
