//! Two processes never have the same store open. The second one is this test program again.

use std::process::Command;

use ledgerstone_canonical_store::{OpenOptions, open};

use crate::support::TempDir;

const STORE: &str = "LEDGERSTONE_TEST_LOCKED_STORE";

/// In the child: tries to open the store and prints the result.
#[test]
fn the_other_process() {
    let Some(path) = std::env::var_os(STORE) else { return };
    match open(path.as_ref(), &OpenOptions::default()) {
        Ok(store) => {
            store.close().unwrap();
            println!("outcome: opened");
        }
        Err(error) => println!("outcome: {} {:?}", error.code(), error.details()),
    }
}

fn ask_another_process(dir: &TempDir) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["failures::process_lock::the_other_process", "--exact", "--nocapture"])
        .env(STORE, dir.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let outcome = told.lines().find_map(|line| line.split_once("outcome: "));
    outcome.unwrap_or_else(|| panic!("the child told nothing: {told}")).1.to_owned()
}

#[test]
fn a_second_process_is_told_who_has_the_store() {
    let dir = TempDir::new("process-lock");
    let store = open(dir.path(), &OpenOptions::default()).unwrap();
    let outcome = ask_another_process(&dir);
    assert!(outcome.starts_with("ERR_LOCKED"), "{outcome}");
    assert!(outcome.contains(&format!("(\"pid\", Number({}))", std::process::id())), "{outcome}");
    store.close().unwrap();
    assert_eq!(ask_another_process(&dir), "opened");
}
