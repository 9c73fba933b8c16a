//! The plain objects that cross: options, with their check, and reports.

pub(crate) mod backup;
pub(crate) mod event_log_options;
pub(crate) mod happenings;
mod option_values;
pub(crate) mod segment;
pub(crate) mod snapshot_set;
pub(crate) mod store_options;
pub(crate) mod store_report;
pub(crate) mod verify_report;
