//! The journal as its users see it, over the simulated disk and over the real one.

mod damage;
mod endings;
//mod faults;
mod flush_counts;
//mod model;
//mod recycling;
mod rig;
mod saboteur;
mod simulation;
//mod space;
//mod threads;
