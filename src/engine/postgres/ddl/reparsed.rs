//! Expressions that the server writes in a way that it does not read as the same again.
//!
//! `status IN ('a', 'b')` over a `varchar` is kept as a comparison of texts, in which the array as a
//! whole is taken for one of texts: `(status)::text = ANY ((ARRAY['a'::character varying,
//! 'b'::character varying])::text[])`. Read again, the cast goes to the elements, and the expression
//! is another one. Without the cast the server finds it by itself.

use super::spelling::quoted_end;
use crate::engine::ddl::Statement;

/// What stands before an array that is compared with.
const OPERATORS: [&str; 2] = ["ANY ", "ALL "];

const OPENS: &str = "((ARRAY[";
const CLOSES: &str = ")::text[])";

/// The statement, so that the server reads from it what it had written.
pub(super) fn as_written(statement: Statement) -> Statement {
    match statement {
        Statement::Whole(sql) if sql.contains(OPENS) => Statement::Whole(without_casts(&sql)),
        Statement::Clause { table, clause } if clause.contains(OPENS) => {
            Statement::Clause { table, clause: without_casts(&clause) }
        }
        other => other,
    }
}

fn without_casts(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut at = 0;
    while let Some(first) = sql[at..].chars().next() {
        if let Some(end) = quoted_end(sql, at) {
            out.push_str(&sql[at..end]);
            at = end;
        } else if let Some(end) = sql[at..]
            .starts_with(OPENS)
            .then(|| array_end(sql, at + OPENS.len()))
            .flatten()
            .filter(|end| sql[*end..].starts_with(CLOSES))
            .filter(|_| OPERATORS.iter().any(|operator| sql[..at].ends_with(operator)))
        {
            out.push_str("(ARRAY[");
            out.push_str(&sql[at + OPENS.len()..end]);
            out.push(')');
            at = end + CLOSES.len();
        } else {
            out.push(first);
            at += first.len_utf8();
        }
    }
    out
}

/// Behind the bracket that closes the array whose elements begin here.
fn array_end(sql: &str, mut at: usize) -> Option<usize> {
    let mut depth = 1_usize;
    while let Some(first) = sql[at..].chars().next() {
        if let Some(end) = quoted_end(sql, at) {
            at = end;
            continue;
        }
        match first {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        at += first.len_utf8();
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_arrays_that_are_compared_with_lose_their_cast() {
        let check = "((status)::text = ANY ((ARRAY['a]'::character varying, 'it''s'::character varying])::text[]))";
        let written =
            "((status)::text = ANY (ARRAY['a]'::character varying, 'it''s'::character varying]))";
        assert_eq!(without_casts(check), written);
        assert_eq!(without_casts(&check.replace("ANY", "ALL")), written.replace("ANY", "ALL"));
        for kept in [
            "SELECT 'x = ANY ((ARRAY[1])::text[])'",
            "SELECT f((ARRAY['a'::character varying])::text[])",
            "CREATE FUNCTION f() AS $a$ x = ANY ((ARRAY['a'])::text[]) $a$",
            "x = ANY ((ARRAY[1, 2])::bigint[])",
            "x = ANY ((ARRAY['a'",
            "E'\\' = ANY ((ARRAY[1])::text[])' || \"ANY ((ARRAY[1])::text[])\"",
        ] {
            assert_eq!(without_casts(kept), kept);
        }
        assert_eq!(
            without_casts("'ü' = ANY ((ARRAY[b[1], \"]\"])::text[])"),
            "'ü' = ANY (ARRAY[b[1], \"]\"])"
        );
    }
}
