//! The options of `open`, with their defaults and ranges.

use std::time::Duration;

use ledgerstone_event_log::RetentionPolicy;
use ledgerstone_format::compression::Compression;
use ledgerstone_lock_manager::MAX_STRIPES;

use crate::{Error, error::Result};

/// The options of [`open`](crate::open); `None` is left out, and a left-out option never conflicts.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Makes the store if there is none.
    pub create: bool,
    /// Name of the codec for event payloads.
    pub event_codec: String,
    /// Longest key, in bytes: 1 to 1,978; default 1,024.
    pub key_bytes: Option<u64>,
    /// Longest value, in bytes: 1 to 1 GiB; default 16 MiB.
    pub value_bytes: Option<u64>,
    /// Longest event, in bytes: 1 to 1 GiB; default 4 MiB.
    pub event_bytes: Option<u64>,
    /// Largest write set of one transaction, in bytes: 1 KiB to 2 GiB; default 64 MiB.
    pub transaction_bytes: Option<u64>,
    /// A delta of this size is flushed at once: at least 64 KiB; default 64 MiB.
    pub flush_bytes: Option<u64>,
    /// A delta of this age is flushed: at least 1 ms; default 1,000 ms.
    pub flush_interval_ms: Option<u64>,
    /// Whether a few awaited commits may flush on their own thread when the device is fast; default yes.
    pub inline_flush: Option<bool>,
    /// LMDB's address space: at least 1 MiB; grows by itself; default 64 GiB.
    pub map_size_bytes: Option<u64>,
    /// Size of an event-log segment: at least 64 KiB; default 64 MiB.
    pub segment_bytes: Option<u64>,
    /// Compression of the event log, for frames that become smaller by it; default none.
    pub event_compression: Option<Compression>,
    /// Which of the oldest events are removed automatically, in whole segments; default none.
    pub retention: RetentionPolicy,
    /// Age in ms at which a snapshot or an iteration causes a warning: 1 to 2^31 - 1; default 60,000.
    pub readers_warn_after_ms: Option<u64>,
    /// Whether the store may be on a file system that other machines share; default no.
    pub allow_network_file_system: Option<bool>,
    /// Lock stripes: a power of two up to 1,048,576; default 16,384.
    pub stripes: Option<u64>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            create: true,
            event_codec: "json".to_owned(),
            key_bytes: None,
            value_bytes: None,
            event_bytes: None,
            transaction_bytes: None,
            flush_bytes: None,
            flush_interval_ms: None,
            inline_flush: None,
            map_size_bytes: None,
            segment_bytes: None,
            event_compression: None,
            retention: RetentionPolicy::default(),
            readers_warn_after_ms: None,
            allow_network_file_system: None,
            stripes: None,
        }
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The maximum of Node's timers.
const MAX_TIMER_MS: u64 = (1 << 31) - 1;

/// LMDB accepts keys of 1,982 bytes; four of them are the collection's id.
pub(crate) const MAX_KEY_BYTES: u64 = 1_978;

/// The limits of a write, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_field_names, reason = "units stand last in names")]
pub struct Limits {
    /// Longest key.
    pub key_bytes: u64,
    /// Longest value.
    pub value_bytes: u64,
    /// Longest event.
    pub event_bytes: u64,
    /// Largest write set of one transaction.
    pub transaction_bytes: u64,
}

/// The options of an open store, with all defaults filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) flush_bytes: u64,
    pub(crate) flush_interval: Duration,
    pub(crate) inline_flush: bool,
    pub(crate) map_size_bytes: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) event_compression: Compression,
    pub(crate) retention: RetentionPolicy,
    pub(crate) readers_warn_after_ms: u64,
    pub(crate) allow_network_file_system: bool,
    pub(crate) stripes: u64,
}

fn within(argument: &'static str, value: Option<u64>, default: u64, min: u64, max: u64) -> Result<u64> {
    let value = value.unwrap_or(default);
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    let message = format!("an option is out of range: option={argument} value={value} min={min} max={max}");
    Err(Error::InvalidArgument { argument, message })
}

fn power_of_two(argument: &'static str, value: u64) -> Result<u64> {
    if value.is_power_of_two() {
        return Ok(value);
    }
    let message = format!("a power of two is needed: option={argument} value={value}");
    Err(Error::InvalidArgument { argument, message })
}

impl OpenOptions {
    pub(crate) fn settings(&self) -> Result<Settings> {
        Ok(Settings {
            limits: Limits {
                key_bytes: within("limits.keyBytes", self.key_bytes, 1_024, 1, MAX_KEY_BYTES)?,
                value_bytes: within("limits.valueBytes", self.value_bytes, 16 * MIB, 1, GIB)?,
                event_bytes: within("limits.eventBytes", self.event_bytes, 4 * MIB, 1, GIB)?,
                transaction_bytes: within("limits.transactionBytes", self.transaction_bytes, 64 * MIB, KIB, 2 * GIB)?,
            },
            flush_bytes: within("flush.bytes", self.flush_bytes, 64 * MIB, 64 * KIB, 4 * GIB)?,
            flush_interval: Duration::from_millis(within(
                "flush.intervalMs",
                self.flush_interval_ms,
                1_000,
                1,
                86_400_000,
            )?),
            inline_flush: self.inline_flush.unwrap_or(true),
            map_size_bytes: within("mapSizeBytes", self.map_size_bytes, 64 * GIB, MIB, 1 << 46)?,
            segment_bytes: within("segmentBytes", self.segment_bytes, 64 * MIB, 64 * KIB, 16 * GIB)?,
            event_compression: self.event_compression.unwrap_or(Compression::None),
            retention: self.retention,
            readers_warn_after_ms: within("readers.warnAfterMs", self.readers_warn_after_ms, 60_000, 1, MAX_TIMER_MS)?,
            allow_network_file_system: self.allow_network_file_system.unwrap_or(false),
            stripes: power_of_two("stripes", within("stripes", self.stripes, 16_384, 1, MAX_STRIPES)?)?,
        })
    }

    /// Checks that a second open in the process does not explicitly conflict with the first.
    pub(crate) fn agree_with(&self, open: &Settings) -> Result<()> {
        let limits = open.limits;
        let interval = u64::try_from(open.flush_interval.as_millis()).unwrap_or(u64::MAX);
        let kept = [open.retention.max_events, open.retention.max_age_ms, open.retention.max_bytes];
        let [max_events, max_age_ms, max_bytes] = kept.map(or_none);
        let pairs: [(&'static str, Option<String>, String); 16] = [
            ("limits.keyBytes", text(self.key_bytes), limits.key_bytes.to_string()),
            ("limits.valueBytes", text(self.value_bytes), limits.value_bytes.to_string()),
            ("limits.eventBytes", text(self.event_bytes), limits.event_bytes.to_string()),
            ("limits.transactionBytes", text(self.transaction_bytes), limits.transaction_bytes.to_string()),
            ("flush.bytes", text(self.flush_bytes), open.flush_bytes.to_string()),
            ("flush.intervalMs", text(self.flush_interval_ms), interval.to_string()),
            ("mapSizeBytes", text(self.map_size_bytes), open.map_size_bytes.to_string()),
            ("segmentBytes", text(self.segment_bytes), open.segment_bytes.to_string()),
            ("readers.warnAfterMs", text(self.readers_warn_after_ms), open.readers_warn_after_ms.to_string()),
            ("stripes", text(self.stripes), open.stripes.to_string()),
            ("inlineFlush", self.inline_flush.map(when), when(open.inline_flush)),
            (
                "allowNetworkFileSystem",
                text(self.allow_network_file_system),
                open.allow_network_file_system.to_string(),
            ),
            ("eventCompression", self.event_compression.map(name), name(open.event_compression)),
            ("retention.maxEvents", text(self.retention.max_events), max_events),
            ("retention.maxAgeMs", text(self.retention.max_age_ms), max_age_ms),
            ("retention.maxBytes", text(self.retention.max_bytes), max_bytes),
        ];
        self.settings()?;
        for (option, asked, in_force) in pairs {
            if let Some(actual) = asked.filter(|asked| *asked != in_force) {
                return Err(Error::OptionsMismatch { option, expected: in_force, actual });
            }
        }
        Ok(())
    }
}

fn text<T: ToString>(asked: Option<T>) -> Option<String> {
    asked.map(|value| value.to_string())
}

fn or_none(bound: Option<u64>) -> String {
    text(bound).unwrap_or_else(|| "none".into())
}

fn when(inline: bool) -> String {
    if inline { "auto" } else { "never" }.into()
}

fn name(compression: Compression) -> String {
    format!("{compression:?}").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::OpenOptions;

    #[test]
    fn options_out_of_range_are_refused_by_name() {
        let options = OpenOptions { flush_bytes: Some(1), ..OpenOptions::default() };
        let error = options.settings().unwrap_err();
        assert_eq!(error.code(), "ERR_INVALID_ARGUMENT");
        assert!(error.to_string().contains("flush.bytes"), "{error}");
        for stripes in [0, 3, 1 << 21] {
            let error = OpenOptions { stripes: Some(stripes), ..OpenOptions::default() }.settings().unwrap_err();
            assert_eq!((error.code(), error.to_string().contains("stripes")), ("ERR_INVALID_ARGUMENT", true));
        }
    }

    #[test]
    fn a_left_out_option_never_contradicts() {
        let open = OpenOptions { flush_bytes: Some(1 << 20), ..OpenOptions::default() }.settings().unwrap();
        OpenOptions::default().agree_with(&open).unwrap();
        let other = OpenOptions { flush_bytes: Some(1 << 21), ..OpenOptions::default() };
        let error = other.agree_with(&open).unwrap_err();
        assert_eq!(error.code(), "ERR_OPTIONS_MISMATCH");
        assert!(error.to_string().ends_with("option=flush.bytes expected=1048576 actual=2097152"), "{error}");
    }
}
