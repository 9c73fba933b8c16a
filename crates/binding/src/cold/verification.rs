//! The cold calls that verify stores and event logs. What is open is verified on an engine thread; JavaScript polls it in short
//! waits, so the end of an environment blocks for at most one poll.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::{path::Path, sync::Arc, time::Duration};

use ledgerstone_canonical_store::verify_closed;
use napi::{Env, bindgen_prelude::Object};
use napi_derive::napi;

use crate::{
    cold::objects::verify_report::NativeReport,
    environment::{
        off_thread::{promised, promised_of},
        slab::Handle,
        state::{EnvState, on_state},
        verification::{Outcome, RunningVerification, Verified},
    },
};

/// How long one poll takes, at most.
const POLL: Duration = Duration::from_millis(50);

/// Begins to verify an open store.
#[napi(catch_unwind)]
pub fn start_verification(env: &Env, store: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        let store = Handle::from_number(store);
        let verification = state.with_store(store, |entry| Ok(entry.handle().start_verification()?))?;
        let running = RunningVerification { of: Verified::Store(store), outcome: Outcome::Store(verification) };
        Ok(state.add_verification(running)?.as_number())
    })
}

/// Begins to verify an open event log.
#[napi(catch_unwind)]
pub fn start_log_verification(env: &Env, log: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        let id = Handle::from_number(log);
        let verification = Arc::new(state.log(id)?.start_verification()?);
        let running = RunningVerification { of: Verified::Log(id), outcome: Outcome::Log(verification) };
        Ok(state.add_verification(running)?.as_number())
    })
}

/// The report, or null while there is none yet: then it is asked for again.
#[napi(catch_unwind, ts_return_type = "Promise<NativeReport | null>")]
pub fn await_verification(env: &Env, verification: f64) -> napi::Result<Object<'_>> {
    let find = |state: &EnvState| state.with_verification(Handle::from_number(verification), |it| it.outcome.clone());
    promised_of(env, find, |outcome| Ok(outcome.wait(POLL)?.map(NativeReport::from)))
}

/// Gives a verification up, or forgets it when it has ended.
#[napi(catch_unwind)]
pub fn end_verification(env: &Env, verification: f64) -> napi::Result<()> {
    on_state(env, |state| {
        state.end_verification(Handle::from_number(verification));
        Ok(())
    })
}

/// Verifies a store that nobody has open, without opening it.
#[napi(catch_unwind, ts_return_type = "Promise<NativeReport>")]
pub fn verify_closed_store(env: &Env, path: String) -> napi::Result<Object<'_>> {
    promised(env, move || Ok(verify_closed(Path::new(&path), &|| false)?), |_, report| Ok(NativeReport::from(report?)))
}
