//! The `pycore` program.
fn main() {}
