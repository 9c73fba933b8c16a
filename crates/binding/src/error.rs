//! How an error crosses into JavaScript: as a record `{ code, message, details, cause }`, which `src/errors.ts` turns into
//! its class. Hot calls leave the record to be taken, cold ones throw an `Error` whose message is the record as JSON.

use std::{any::Any, fmt::Write, path::Path};

use ledgerstone_canonical_store::{Detail, Error};
use ledgerstone_event_log::Error as LogError;
use ledgerstone_snapshot_set::Error as SetError;
use napi::{Env, Status, bindgen_prelude::Object};

use crate::number::number;

/// An error on its way into JavaScript. Boxed, so that the happy path returns a word.
pub(crate) type Failure = Box<ErrorRecord>;

#[derive(Debug)]
pub(crate) struct ErrorRecord {
    code: &'static str,
    message: String,
    details: Vec<(&'static str, Detail)>,
    cause: Option<Failure>,
}

#[allow(clippy::unnecessary_box_returns, reason = "records exist only as the failures of results")]
impl ErrorRecord {
    /// The call is wrong; nothing happened.
    pub(crate) fn invalid(argument: &'static str, what: &str) -> Failure {
        let message = format!("{what}: argument=`{argument}`");
        Self::with_details("ERR_INVALID_ARGUMENT", message, vec![("argument", Detail::Text(argument.to_owned()))])
    }

    /// The handle has been closed, or never was.
    pub(crate) fn closed(what: &str) -> Failure {
        Self::with_details("ERR_CLOSED", format!("{what} is closed"), Vec::new())
    }

    pub(crate) fn limit(what: &str, limit: &'static str, size: u64, max: u64) -> Failure {
        let details = vec![
            ("limit", Detail::Text(limit.to_owned())),
            ("size", Detail::Number(size)),
            ("max", Detail::Number(max)),
        ];
        Self::with_details("ERR_LIMIT", format!("{what}: limit=`{limit}` size={size} max={max}"), details)
    }

    /// A defect of ours was caught on its way into Node. What it left half done is not known, hence the code: only opening
    /// again heals.
    pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Failure {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        Self::with_details("ERR_POISONED", format!("a defect stopped the call: {text}"), Vec::new())
    }

    /// The system has no thread for it; nothing happened.
    pub(crate) fn no_thread(error: &std::io::Error) -> Failure {
        let errno = error.raw_os_error().and_then(|errno| u64::try_from(errno).ok());
        let mut details =
            vec![("syscall", Detail::Text("pthread_create".to_owned())), ("path", Detail::Text(String::new()))];
        details.extend(errno.map(|errno| ("errno", Detail::Number(errno))));
        Self::with_details("ERR_IO", format!("no thread could be started: {error}"), details)
    }

    fn with_details(code: &'static str, message: String, details: Vec<(&'static str, Detail)>) -> Failure {
        Box::new(Self { code, message, details, cause: None })
    }

    fn of(error: &Error) -> Failure {
        let cause = error.cause().map(Self::of);
        Box::new(Self { code: error.code(), message: error.to_string(), details: error.details(), cause })
    }

    /// An error of an event log outside of a store. A store does not meet the kinds listed here; the rest are like a store's.
    fn of_log(error: &LogError) -> Failure {
        let path = |path: &Path| ("path", Detail::Text(path.display().to_string()));
        let details = match error {
            LogError::EventIdGap { expected, actual } => {
                vec![("expected", Detail::Number(*expected)), ("actual", Detail::Number(*actual))]
            }
            LogError::NotFound { path: folder } => vec![path(folder)],
            LogError::FileSystem { path: folder, kind } => vec![path(folder), ("type", Detail::Text(kind.clone()))],
            LogError::Locked { path, by } => Error::Locked { path: path.clone(), by: by.clone() }.details(),
            LogError::Poisoned(cause) => {
                let cause = Some(Self::of_log(cause));
                return Box::new(Self { code: error.code(), message: error.to_string(), details: Vec::new(), cause });
            }
            other => Error::from(other.clone()).details(),
        };
        Self::with_details(error.code(), error.to_string(), details)
    }

    /// An error of a snapshot set.
    fn of_set(error: &SetError) -> Failure {
        let text = |name, value: &str| (name, Detail::Text(value.to_owned()));
        let path = |name, path: &Path| (name, Detail::Text(path.display().to_string()));
        let number = |name, value: u64| (name, Detail::Number(value));
        let details = match error {
            SetError::Io(failed) => {
                let errno = failed.errno().and_then(|errno| u64::try_from(errno).ok());
                let mut details = vec![text("syscall", failed.syscall), path("path", &failed.path)];
                details.extend(errno.map(|errno| number("errno", errno)));
                details
            }
            SetError::NoSpace(_) | SetError::Closed | SetError::Poisoned(_) => Vec::new(),
            SetError::Corrupt { file, offset, .. } => vec![path("file", file), number("offset", *offset)],
            SetError::Format { found, supported, .. } => {
                vec![number("found", u64::from(*found)), number("supported", u64::from(*supported))]
            }
            SetError::Foreign { found, expected, .. } => vec![text("found", found), text("supported", expected)],
            SetError::Limit { limit, size, max } => {
                vec![text("limit", limit), number("size", *size), number("max", *max)]
            }
            SetError::InvalidArgument { argument, .. } => vec![text("argument", argument)],
            SetError::Locked { path, by } => Error::Locked { path: path.clone(), by: by.clone() }.details(),
            SetError::NotFound { ordinal } => vec![number("ordinal", *ordinal)],
            SetError::FileSystem { path: folder, kind } => vec![path("path", folder), text("type", kind)],
        };
        let cause = if let SetError::Poisoned(cause) = error { Some(Self::of_set(cause)) } else { None };
        Box::new(Self { code: error.code(), message: error.to_string(), details, cause })
    }

    /// As JSON, for the message of a thrown `Error`.
    pub(crate) fn to_json(&self) -> String {
        let mut json = String::with_capacity(96);
        self.write_json(&mut json);
        json
    }

    fn write_json(&self, json: &mut String) {
        json.push_str("{\"code\":");
        write_text(json, self.code);
        json.push_str(",\"message\":");
        write_text(json, &self.message);
        json.push_str(",\"details\":{");
        for (place, (name, detail)) in self.details.iter().enumerate() {
            if place > 0 {
                json.push(',');
            }
            write_text(json, name);
            json.push(':');
            match detail {
                Detail::Number(detail) => json.push_str(&detail.to_string()),
                Detail::Text(text) => write_text(json, text),
            }
        }
        json.push('}');
        if let Some(cause) = &self.cause {
            json.push_str(",\"cause\":");
            cause.write_json(json);
        }
        json.push('}');
    }

    pub(crate) fn to_object<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let mut details = Object::new(env)?;
        for (name, detail) in &self.details {
            match detail {
                Detail::Number(detail) => details.set(*name, number(*detail))?,
                Detail::Text(text) => details.set(*name, text.as_str())?,
            }
        }
        let mut record = Object::new(env)?;
        record.set("code", self.code)?;
        record.set("message", self.message.as_str())?;
        record.set("details", details)?;
        if let Some(cause) = &self.cause {
            record.set("cause", cause.to_object(env)?)?;
        }
        Ok(record)
    }

    /// What a cold call throws.
    pub(crate) fn thrown(&self) -> napi::Error {
        napi::Error::new(Status::GenericFailure, self.to_json())
    }
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        ErrorRecord::of_log(&error)
    }
}

impl From<SetError> for Failure {
    fn from(error: SetError) -> Self {
        ErrorRecord::of_set(&error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        ErrorRecord::of(&error)
    }
}

fn write_text(json: &mut String, text: &str) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            control if u32::from(control) < 0x20 => {
                // Writing to a String cannot fail.
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ledgerstone_canonical_store::Error;

    use super::{ErrorRecord, Failure};

    #[test]
    fn a_record_is_json_with_its_details_and_cause() {
        let first = Error::Limit { what: "value is too large", limit: "valueBytes", size: 5, max: 4 };
        let record = Failure::from(Error::Poisoned(Arc::new(first)));
        let json = record.to_json();
        assert!(json.starts_with(r#"{"code":"ERR_POISONED","message":"#), "{json}");
        let cause = r#""details":{},"cause":{"code":"ERR_LIMIT","message":"value is too large: limit=`valueBytes` size=5 max=4","details":{"limit":"valueBytes","size":5,"max":4}}}"#;
        assert!(json.ends_with(cause), "{json}");
    }

    #[test]
    fn text_is_escaped_for_json() {
        let json = ErrorRecord::closed("a \"quoted\\\"\n\u{1} thing").to_json();
        assert!(json.contains(r#"a \"quoted\\\"\u000a\u0001 thing"#), "{json}");
    }
}
