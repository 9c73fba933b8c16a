//! What takes long, on a thread of Node's pool. What it works on is held until the work has ended.

#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::{
    Env, Task,
    bindgen_prelude::{AsyncTask, ToNapiValue, TypeName},
};

use crate::{
    binding_env::on_state,
    binding_error::{ErrorRecord, Failure},
    env_state::EnvState,
};

/// A blocking call that neither unwinds into Node's thread pool nor loses its error.
pub(crate) fn off_thread<R>(work: impl FnOnce() -> Result<R, Failure>) -> napi::Result<R> {
    let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(ErrorRecord::panicked(&*panic)));
    outcome.map_err(|failure| failure.thrown())
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

    /// Work that needs nothing of the environment.
    pub(crate) fn of(work: impl Fn() -> Result<R, Failure> + Send + 'static) -> AsyncTask<Self>
    where
        Self: Task,
    {
        AsyncTask::new(Self(Ok(Box::new(work))))
    }
}

impl<R: ToNapiValue + TypeName + Send + 'static> Task for OffThread<R> {
    type Output = R;
    type JsValue = R;

    fn compute(&mut self) -> napi::Result<R> {
        let work = self.0.as_ref().map_err(|failure| failure.thrown())?;
        off_thread(work)
    }

    fn resolve(&mut self, _env: Env, outcome: R) -> napi::Result<R> {
        Ok(outcome)
    }
}
