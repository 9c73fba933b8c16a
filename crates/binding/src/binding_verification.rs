//! The cold calls that look a store through. An open one on a thread of the engine, of which JavaScript asks again and again
//! for a short while: so an environment that ends waits no longer than one asking.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::{path::Path, sync::Arc, time::Duration};

use ledgerstone_canonical_store::{Report, Verification, verify_closed};
use ledgerstone_event_log::{LogReport, LogVerification};
use napi::{Env, bindgen_prelude::Object};
use napi_derive::napi;

use crate::{
    binding_env::{number, on_state},
    binding_error::Failure,
    env_state::EnvState,
    off_thread::{promised, promised_of},
    slab::Handle,
};

/// How long one asking takes, at most.
const ASKING: Duration = Duration::from_millis(50);

/// What is looked through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verified {
    Store(Handle),
    Log(Handle),
}

/// A verification that somebody asked for. Dropping it ends it.
pub(crate) struct RunningVerification {
    pub(crate) of: Verified,
    asked: Asked,
}

/// Who knows the outcome.
#[derive(Clone)]
enum Asked {
    Store(Arc<Verification>),
    Log(Arc<LogVerification>),
}

impl Drop for RunningVerification {
    fn drop(&mut self) {
        match &self.asked {
            Asked::Store(verification) => verification.cancel(),
            Asked::Log(verification) => verification.end(),
        }
    }
}

impl Asked {
    fn wait(&self, limit: Duration) -> Result<Option<NativeReport>, Failure> {
        Ok(match self {
            Self::Store(verification) => verification.wait(limit).transpose()?.map(NativeReport::from),
            Self::Log(verification) => verification.wait(limit).transpose()?.map(NativeReport::from),
        })
    }
}

/// What is wrong where.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeProblem {
    pub kind: String,
    pub file: String,
    pub offset: Option<f64>,
    pub message: String,
}

/// How much was looked at.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeChecked {
    pub files: f64,
    pub bytes: f64,
    pub entries: f64,
    pub events: f64,
}

/// What a verification has found; `omitted` problems are not listed.
#[napi(object)]
#[allow(missing_docs, reason = "each field is described in the public API")]
pub struct NativeReport {
    pub problems: Vec<NativeProblem>,
    pub omitted: f64,
    pub checked: NativeChecked,
}

impl From<Report> for NativeReport {
    fn from(report: Report) -> Self {
        let problems = report.problems.into_iter().map(|problem| NativeProblem {
            kind: problem.kind.as_str().to_owned(),
            file: problem.file.to_string_lossy().into_owned(),
            offset: problem.offset.map(number),
            message: problem.what,
        });
        let checked = report.checked;
        Self {
            problems: problems.collect(),
            omitted: number(report.omitted),
            checked: NativeChecked {
                files: number(checked.files),
                bytes: number(checked.bytes),
                entries: number(checked.entries),
                events: number(checked.events),
            },
        }
    }
}

impl From<LogReport> for NativeReport {
    fn from(report: LogReport) -> Self {
        let mut problems = Report { omitted: report.omitted, ..Report::default() };
        report.damages.into_iter().for_each(|damage| problems.problem(damage));
        problems.checked.files = report.verified.files;
        problems.checked.bytes = report.verified.bytes;
        problems.checked.events = report.verified.events;
        problems.into()
    }
}

/// Begins to look an open store through.
#[napi(catch_unwind)]
pub fn start_verification(env: &Env, store: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        let store = Handle::from_number(store);
        let verification = state.with_store(store, |entry| Ok(entry.handle().start_verification()?))?;
        let running = RunningVerification { of: Verified::Store(store), asked: Asked::Store(verification) };
        Ok(state.add_verification(running)?.as_number())
    })
}

/// Begins to look an open event log through.
#[napi(catch_unwind)]
pub fn start_log_verification(env: &Env, log: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        let id = Handle::from_number(log);
        let verification = Arc::new(state.log(id)?.start_verification()?);
        let running = RunningVerification { of: Verified::Log(id), asked: Asked::Log(verification) };
        Ok(state.add_verification(running)?.as_number())
    })
}

/// The report, or null while there is none yet: then it is asked for again.
#[napi(catch_unwind, ts_return_type = "Promise<NativeReport | null>")]
pub fn await_verification(env: &Env, verification: f64) -> napi::Result<Object<'_>> {
    let find = |state: &EnvState| state.with_verification(Handle::from_number(verification), |it| it.asked.clone());
    promised_of(env, find, |asked| asked.wait(ASKING))
}

/// Nobody asks for it any more.
#[napi(catch_unwind)]
pub fn end_verification(env: &Env, verification: f64) -> napi::Result<()> {
    on_state(env, |state| {
        state.end_verification(Handle::from_number(verification));
        Ok(())
    })
}

/// Looks a store through that nobody has open, without opening it.
#[napi(catch_unwind, ts_return_type = "Promise<NativeReport>")]
pub fn verify_closed_store(env: &Env, path: String) -> napi::Result<Object<'_>> {
    promised(env, move || Ok(verify_closed(Path::new(&path), &|| false)?), |_, report| Ok(NativeReport::from(report?)))
}
