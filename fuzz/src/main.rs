//! libFuzzer over the target that `LEDGERSTONE_FUZZ_TARGET` names. Started by `npm run fuzz`.

#![no_main]
#![allow(clippy::disallowed_methods, reason = "the macro of libFuzzer writes files")]

use std::sync::OnceLock;

use ledgerstone_fuzz_targets::{Target, find};
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<Target> = OnceLock::new();

fuzz_target!(init: {
    let name = std::env::var("LEDGERSTONE_FUZZ_TARGET").unwrap_or_default();
    let target = find(&name).unwrap_or_else(|| panic!("there is no target `{name}`"));
    TARGET.set(target).unwrap_or_else(|_| panic!("begun twice"));
}, |bytes: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(bytes);
    }
});
