//! The `deepdiff-db` program.

fn main() {}
