//! Folders that are made, and their names: below one that may be entered and not read, as homes of ordinary users below a folder of 0711; and at a path that is too long.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test")]

use std::{
    env, fs,
    io::ErrorKind,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use ledgerstone_vfs::{OsVfs, Vfs};

const FOLDER: &str = "LEDGERSTONE_TEST_FOLDER";
const NOBODY: u32 = 65_534;

/// Bug: a store could not be made below a folder of 0711: `ERR_IO`. Mechanism: the name of a new folder was flushed by opening the one around it, which needs the right to read that.
/// Fix: where that is refused, the file system is flushed by the folder's own handle.
#[test]
fn the_name_of_a_folder_is_flushed_where_the_one_around_it_may_not_be_read() {
    if let Some(folder) = env::var_os(FOLDER) {
        let folder = Path::new(&folder);
        fs::read_dir(folder).unwrap_err();
        OsVfs.sync_dir(folder).unwrap_err();
        OsVfs.sync_name(&folder.join("there")).unwrap();
        OsVfs.create_dir_all(&folder.join("there/a/b")).unwrap();
        OsVfs.create_dir_all(&folder.join("new/a")).unwrap();
        return;
    }
    let folder = env::temp_dir().join(format!("ledgerstone-unreadable-{}", std::process::id()));
    fs::create_dir_all(folder.join("there")).unwrap();
    let is_root = fs::metadata(&folder).unwrap().uid() == 0;
    // Enough rights to enter it and to make something in it.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o300)).unwrap();
    // A copy of this program: the folder of the build may be closed to others.
    let program = folder.with_extension("program");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    let mut child = Command::new(&program);
    child
        .args(["--exact", "the_name_of_a_folder_is_flushed_where_the_one_around_it_may_not_be_read"])
        .env(FOLDER, &folder);
    if is_root {
        // Nothing is refused to root.
        for path in [&folder, &folder.join("there")] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        child.uid(NOBODY).gid(NOBODY);
    }
    let output = child.output();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    fs::remove_file(&program).unwrap();
    let output = match output {
        Err(error) if is_root && error.kind() == ErrorKind::PermissionDenied => {
            println!("skipped: a user without rights cannot run a program in {}", env::temp_dir().display());
            return;
        }
        output => output.unwrap(),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

/// Bug: opening a path that is too long took seconds and left thousands of folders. Mechanism: whatever kept the system from looking at a folder counted as "it is missing", so the
/// folders above were made, one after the other. Fix: only what is missing is made.
#[test]
fn a_path_that_is_too_long_makes_nothing() {
    let folder = env::temp_dir().join(format!("ledgerstone-long-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    OsVfs.create_dir_all(&folder.join("x/".repeat(3_000))).unwrap_err();
    OsVfs.create_dir_all(&folder.join("z".repeat(300)).join("y")).unwrap_err();
    let left = fs::read_dir(&folder).unwrap().count();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(left, 0);
}
