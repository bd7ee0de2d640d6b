//! The command line of nextlead.

fn main() {}
