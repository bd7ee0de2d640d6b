//! The scripts: each is one step that no other call sees half done.
//!
//! All begin with `line.lua`, which knows how a line is kept. Redis keeps them by their digest; one
//! that has forgotten a script is told it again.

use std::sync::LazyLock;

/// A script and its digest.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) name: &'static str,
    pub(super) text: String,
    pub(super) digest: String,
}

macro_rules! scripts {
    ($($name:ident = $file:literal;)+) => {$(
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            let text = format!("{}\n{}", include_str!("line.lua"), include_str!($file));
            let digest = redis::Script::new(&text).get_hash().to_owned();
            Script { name: $file, text, digest }
        });
    )+};
}

scripts! {
    APPLY = "apply.lua";
    BEGIN = "begin.lua";
    DROP = "drop.lua";
    DUE = "due.lua";
    KNOWN = "known.lua";
    LANES = "lanes.lua";
    LOOK = "look.lua";
    PROMOTE = "promote.lua";
    PROPOSE = "propose.lua";
    PUT_BACK = "put_back.lua";
    SERVED = "served.lua";
    SIZES = "sizes.lua";
    STAGE = "stage.lua";
    STAGED = "staged.lua";
    SWAP = "swap.lua";
    UNSTAGE = "unstage.lua";
    VIEW = "view.lua";
}
