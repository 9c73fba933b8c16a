//! What takes long with an event log, on a thread of Node's pool. The log is held until the work has ended.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::sync::Arc;

use ledgerstone_event_log::OwnedLog;
use napi::{
    Env, Task,
    bindgen_prelude::{AsyncTask, ToNapiValue, TypeName},
};

use crate::{binding_env::on_state, binding_error::Failure, binding_store::off_thread, env_state::EnvState};

type Work<R> = Box<dyn Fn(&OwnedLog) -> Result<R, Failure> + Send>;

/// One call under way. A log that is not there is a rejection, as whatever else goes wrong.
pub struct LogTask<R> {
    log: Result<Arc<OwnedLog>, Failure>,
    work: Work<R>,
}

impl<R: Send + 'static> LogTask<R> {
    pub(crate) fn on(
        env: &Env,
        find: impl FnOnce(&EnvState) -> Result<Arc<OwnedLog>, Failure>,
        work: impl Fn(&OwnedLog) -> Result<R, Failure> + Send + 'static,
    ) -> napi::Result<AsyncTask<Self>>
    where
        Self: Task,
    {
        on_state(env, |state| Ok(AsyncTask::new(Self { log: find(state), work: Box::new(work) })))
    }
}

impl<R: ToNapiValue + TypeName + Send + 'static> Task for LogTask<R> {
    type Output = R;
    type JsValue = R;

    fn compute(&mut self) -> napi::Result<R> {
        let log = self.log.as_ref().map_err(|failure| failure.thrown())?;
        off_thread(|| (self.work)(log))
    }

    fn resolve(&mut self, _env: Env, outcome: R) -> napi::Result<R> {
        Ok(outcome)
    }
}
