//! The process's last moment: one C `atexit` handler for stores that only workers opened, since `process.exit()` on the main
//! thread runs no cleanup hook there.

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
