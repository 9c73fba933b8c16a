//! What takes long, away from the JavaScript thread. What it works on is held until the work has ended.
//!
//! Short work goes to Node's pool. Opening and closing go to threads of the engine: the pool has four threads for the files, names
//! and cryptography of the whole process, and a device that hangs would take them all.

#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::{
    Env, Task,
    bindgen_prelude::{AsyncTask, Object, ToNapiValue, TypeName},
};

use crate::{
    binding_env::on_state,
    binding_error::{ErrorRecord, Failure},
    env_state::EnvState,
    long_work,
};

/// A blocking call that neither unwinds into the thread it is on nor loses its error.
fn contained<R>(work: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(ErrorRecord::panicked(&*panic)))
}

/// Does `work` on a thread of the engine, then `finish` with what came of it on this one; a promise of that. When the environment
/// has ended meanwhile, what came of the work is dropped.
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

type Work<R> = Box<dyn Fn() -> Result<R, Failure> + Send>;

/// One call under way. When what it works on is not there that is a rejection, as whatever else goes wrong.
pub struct OffThread<R>(Result<Work<R>, Failure>);

impl<R: Send + 'static> OffThread<R> {
    /// Finds something now and works on it off this thread.
    pub(crate) fn on<T: Send + 'static>(
        env: Env,
        find: impl FnOnce(&EnvState) -> Result<T, Failure>,
        work: impl Fn(&T) -> Result<R, Failure> + Send + 'static,
    ) -> napi::Result<AsyncTask<Self>>
    where
        Self: Task,
    {
        on_state(&env, |state| {
            let found = find(state);
            Ok(AsyncTask::new(Self(found.map(|it| Box::new(move || work(&it)) as Work<R>))))
        })
    }
}

impl<R: ToNapiValue + TypeName + Send + 'static> Task for OffThread<R> {
    type Output = R;
    type JsValue = R;

    fn compute(&mut self) -> napi::Result<R> {
        let work = self.0.as_ref().map_err(|failure| failure.thrown())?;
        contained(work).map_err(|failure| failure.thrown())
    }

    fn resolve(&mut self, _env: Env, outcome: R) -> napi::Result<R> {
        Ok(outcome)
    }
}
