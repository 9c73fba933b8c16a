//! Writes the seeds of a target, which are made of real files: `seeds TARGET FOLDER`. Without arguments it lists the targets.

#![allow(clippy::disallowed_methods, reason = "a tool that writes files for another one")]

use std::{env, fs, io, path::Path};

use ledgerstone_fuzz_targets::{TARGETS, find};

fn main() -> io::Result<()> {
    let Ok([name, folder]) = <[String; 2]>::try_from(env::args().skip(1).collect::<Vec<_>>()) else {
        for target in TARGETS {
            println!("{}\t{}", target.name, target.about);
        }
        return Ok(());
    };
    let target = find(&name).ok_or_else(|| io::Error::other(format!("there is no target `{name}`")))?;
    fs::create_dir_all(&folder)?;
    for (n, seed) in (target.seeds)().iter().enumerate() {
        fs::write(Path::new(&folder).join(format!("seed-{n:03}")), seed)?;
    }
    Ok(())
}
