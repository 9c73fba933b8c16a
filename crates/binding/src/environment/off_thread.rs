//! Work that waits or touches a device, away from the JavaScript thread. What it works on is held until it has ended.
//!
//! It runs on engine threads, never on Node's pool: four threads there serve the files, names and cryptography of the whole process,
//! and a device that hangs would take them all.

use napi::{
    Env,
    bindgen_prelude::{Object, ToNapiValue},
};

use crate::{
    contain::contained,
    environment::{
        long_work,
        state::{EnvState, on_state},
    },
    error::Failure,
};

/// Does `work` on a thread of the engine, then `finish` with what came of it on this one; a promise of that. When the environment
/// has ended before, what came of the work is dropped.
pub(crate) fn promised<T, R>(
    env: &Env,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    finish: impl FnOnce(Env, Result<T, Failure>) -> Result<R, Failure> + Send + 'static,
) -> napi::Result<Object<'_>>
where
    T: Send + 'static,
    R: ToNapiValue + 'static,
{
    let (deferred, promise) = env.create_deferred()?;
    long_work::begin(Box::new(move |refused| {
        let outcome = match refused {
            None => contained(work),
            Some(failure) => Err(failure),
        };
        deferred.resolve(move |env| finish(env, outcome).map_err(|failure| failure.thrown()));
    }));
    Ok(promise)
}

/// The same for something that is found now. When it is not there that is a rejection, as whatever else goes wrong.
pub(crate) fn promised_of<T, R>(
    env: &Env,
    find: impl FnOnce(&EnvState) -> Result<T, Failure>,
    work: impl FnOnce(&T) -> Result<R, Failure> + Send + 'static,
) -> napi::Result<Object<'_>>
where
    T: Send + 'static,
    R: ToNapiValue + Send + 'static,
{
    let found = on_state(env, |state| Ok(find(state)))?;
    promised(env, move || work(&found?), |_, outcome| outcome)
}
