//! The integration tests: one binary, a module for each area.
//!
//! `house` and `layers` hold the repository to its own rules, `shop` loads the bundled database;
//! the other modules drive the library and the program as a user would.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests set their own scene, and a panic is how they fail"
)]

mod house;
mod layers;
mod rust_source;
mod shop;
mod store_faults;
mod store_flips;
mod store_gc;
mod store_machine;
mod store_publish;
mod store_scene;
