//! The end of the process: one C `atexit` handler hands over what stores have applied that only workers opened. When the main thread
//! calls `process.exit()`, workers run no cleanup hooks.

#![allow(unsafe_code, reason = "registering a C exit handler")]

use std::sync::Once;

/// Registers the handler, once per process.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // On Windows a library's exit handlers run after all other threads were killed, maybe while they held a lock.
        #[cfg(not(windows))]
        // SAFETY: a static function that catches its panics. The library is never unloaded (`-z nodelete`). When the handler
        // cannot be registered the `exit` listeners still hand over.
        unsafe {
            libc::atexit(hand_over_all)
        };
    });
}

#[cfg(not(windows))]
extern "C" fn hand_over_all() {
    crate::contain::contain(ledgerstone_canonical_store::hand_over_all);
}
