//! The event-log room.
