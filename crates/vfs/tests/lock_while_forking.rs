//! Bug: a store that was closed and opened again at once was now and then `ERR_LOCKED`, by its own process.
//! Mechanism: another thread was starting a child process; between fork and exec the child has a copy of every handle, and a
//! lock lives as long as any copy of its handle.
//! Fix: the lock is released explicitly, which ends it even if others have copies.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use ledgerstone_vfs::{OsVfs, Vfs};

#[test]
fn a_lock_that_was_given_back_is_free_while_other_threads_start_processes() {
    let path = std::env::temp_dir().join(format!("ledgerstone-lock-while-forking-{}", std::process::id()));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..200 {
                Command::new("true").status().unwrap();
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            assert!(OsVfs.try_lock(&path).unwrap().is_some(), "given back, and still held");
        }
    });
    std::fs::remove_file(&path).unwrap();
}
