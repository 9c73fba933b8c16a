//! The store under failures: it reports the documented code, reads continue, nothing acknowledged is lost, and it heals as the
//! error table promises.

mod backpressure;
mod control;
mod damage;
mod file_system;
mod flush_count;
mod gate;
mod no_space;
mod opening;
mod poison;
mod process_lock;
mod retention;
mod rig;
mod shortage;
mod slow_device;
mod stalls;
mod verify;
