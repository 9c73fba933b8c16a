//! The write-coordinator room.
