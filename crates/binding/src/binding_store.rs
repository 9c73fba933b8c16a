//! The cold calls on stores, snapshots and cursors: ordinary generated functions with typed objects. What can block runs off the
//! JavaScript thread. Errors are thrown as `Error`s whose message is the error record as JSON.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    rc::Rc,
    sync::Arc,
};

use ledgerstone_canonical_store::{OpenOptions, StoreHandle, open};
use napi::{
    Env, Task,
    bindgen_prelude::{AsyncTask, BufferSlice, Object, Unknown},
};
use napi_derive::napi;

use crate::{
    binding_error::{ErrorRecord, Failure},
    counters::HotCall,
    env_state::EnvState,
    exit_hook,
    reader::Reader,
    slab::{Handle, safe_integer},
    store_report::{NativeMeta, NativeStats},
};

/// The options of a store; what is left out is absent.
#[napi(object)]
pub struct NativeOptions {
    /// Make the store when there is none.
    pub create: bool,
    /// Name of the codec of the event payloads.
    pub event_codec: String,
    /// Longest key.
    pub key_bytes: Option<f64>,
    /// Longest value.
    pub value_bytes: Option<f64>,
    /// Longest event.
    pub event_bytes: Option<f64>,
    /// Largest write set.
    pub transaction_bytes: Option<f64>,
    /// A delta of this size is flushed.
    pub flush_bytes: Option<f64>,
    /// A delta of this age is flushed.
    pub flush_interval_ms: Option<f64>,
    /// Whether a lone awaited commit may flush on its own thread.
    pub inline_flush: Option<bool>,
    /// LMDB's address space.
    pub map_size_bytes: Option<f64>,
    /// Size of an event-log segment.
    pub segment_bytes: Option<f64>,
}

/// What a write is checked against, in bytes.
#[napi(object)]
#[allow(clippy::struct_field_names, reason = "units stand last in names")]
pub struct NativeLimits {
    /// Longest key.
    pub key_bytes: f64,
    /// Longest value.
    pub value_bytes: f64,
    /// Longest event.
    pub event_bytes: f64,
    /// Largest write set.
    pub transaction_bytes: f64,
}

/// An open store.
#[napi(object)]
pub struct OpenedStore {
    /// Its handle.
    pub store: f64,
    /// The same for all handles of a store in this process.
    pub store_key: f64,
    /// The store's identity.
    pub store_id: String,
    /// The limits in force.
    pub limits: NativeLimits,
}

/// A point in time that is held until it is released.
#[napi(object)]
pub struct OpenedSnapshot {
    /// Its reader id.
    pub reader: f64,
    /// The newest commit in it.
    pub seq: f64,
    /// The id that the next event had.
    pub next_event_id: f64,
}

/// How often each hot call was made in this environment, and how often it was woken.
#[napi(object)]
#[allow(missing_docs, reason = "named after the calls")]
pub struct HotCallCounters {
    pub get: f64,
    pub has: f64,
    pub get_many: f64,
    pub range_open: f64,
    pub range_page: f64,
    pub events_page: f64,
    pub begin: f64,
    pub commit: f64,
    pub abort: f64,
    pub want: f64,
    pub poll: f64,
    pub wakes: f64,
}

#[allow(clippy::cast_precision_loss, reason = "seqs, ids and sizes are safe integers")]
pub(crate) fn number(value: u64) -> f64 {
    value as f64
}

fn no_state() -> napi::Error {
    ErrorRecord::invalid("onWake", "the hot calls of this environment are made first").thrown()
}

/// Runs `work` on the state of `env`; a failure is thrown.
fn on_state<R>(env: &Env, work: impl FnOnce(&EnvState) -> Result<R, Failure>) -> napi::Result<R> {
    let state = EnvState::of_env(env).ok_or_else(no_state)?;
    work(state).map_err(|failure| failure.thrown())
}

/// The version of this binary.
#[napi(catch_unwind)]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Makes the hot calls of this environment, once; `onWake` is called when what it waits for has happened.
#[napi(catch_unwind, ts_args_type = "onWake: () => void", ts_return_type = "unknown")]
pub fn hot_calls<'env>(env: &'env Env, on_wake: Unknown<'env>) -> napi::Result<Unknown<'env>> {
    crate::fast_path::hot_calls(env, on_wake).map_err(|failure| failure.thrown())
}

pub struct OpenStore {
    path: PathBuf,
    options: OpenOptions,
}

/// A blocking call that neither unwinds into Node's thread pool nor loses its error.
fn off_thread<R>(work: impl FnOnce() -> Result<R, Failure>) -> napi::Result<R> {
    let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(ErrorRecord::panicked(&*panic)));
    outcome.map_err(|failure| failure.thrown())
}

impl Task for OpenStore {
    type Output = Arc<StoreHandle>;
    type JsValue = OpenedStore;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        exit_hook::install();
        off_thread(|| Ok(Arc::new(open(&self.path, &self.options)?)))
    }

    fn resolve(&mut self, env: Env, handle: Self::Output) -> napi::Result<Self::JsValue> {
        // When the environment has ended meanwhile there is no state, and dropping the handle closes it.
        on_state(&env, |state| {
            let limits = handle.limits();
            let (store_key, store_id) = (number(handle.key()), handle.meta().store_id);
            let limits = NativeLimits {
                key_bytes: number(limits.key_bytes),
                value_bytes: number(limits.value_bytes),
                event_bytes: number(limits.event_bytes),
                transaction_bytes: number(limits.transaction_bytes),
            };
            Ok(OpenedStore { store: state.adopt(handle)?.as_number(), store_key, store_id, limits })
        })
    }
}

/// Opens a store, or another handle to one that is open in this process.
#[napi(catch_unwind, ts_return_type = "Promise<OpenedStore>")]
pub fn open_store(env: &Env, path: String, options: NativeOptions) -> napi::Result<AsyncTask<OpenStore>> {
    let size = |argument: &'static str, value: Option<f64>| -> Result<Option<u64>, Failure> {
        let Some(value) = value else { return Ok(None) };
        safe_integer(value)
            .map(Some)
            .ok_or_else(|| ErrorRecord::invalid(argument, "an integer from 0 to 2^53 - 1 is needed"))
    };
    on_state(env, |_| {
        let options = OpenOptions {
            create: options.create,
            event_codec: options.event_codec,
            key_bytes: size("limits.keyBytes", options.key_bytes)?,
            value_bytes: size("limits.valueBytes", options.value_bytes)?,
            event_bytes: size("limits.eventBytes", options.event_bytes)?,
            transaction_bytes: size("limits.transactionBytes", options.transaction_bytes)?,
            flush_bytes: size("flush.bytes", options.flush_bytes)?,
            flush_interval_ms: size("flush.intervalMs", options.flush_interval_ms)?,
            inline_flush: options.inline_flush,
            map_size_bytes: size("mapSizeBytes", options.map_size_bytes)?,
            segment_bytes: size("segmentBytes", options.segment_bytes)?,
        };
        Ok(AsyncTask::new(OpenStore { path: path.into(), options }))
    })
}

pub struct CloseStore {
    store: Handle,
    handle: Arc<StoreHandle>,
}

impl CloseStore {
    fn finish(&self, env: &Env) {
        if let Some(state) = EnvState::of_env(env) {
            state.finish_close(self.store);
        }
    }
}

impl Task for CloseStore {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> napi::Result<()> {
        off_thread(|| Ok(self.handle.close()?))
    }

    fn resolve(&mut self, env: Env, (): ()) -> napi::Result<()> {
        self.finish(&env);
        Ok(())
    }

    fn reject(&mut self, env: Env, error: napi::Error) -> napi::Result<()> {
        self.finish(&env);
        Err(error)
    }
}

/// Closes a handle. At once it takes no work any more and its snapshots and ranges are released; who waits is served until the
/// promise settles.
#[napi(catch_unwind, ts_return_type = "Promise<void>")]
pub fn close_store(env: &Env, store: f64) -> napi::Result<AsyncTask<CloseStore>> {
    on_state(env, |state| {
        let store = Handle::from_number(store);
        Ok(AsyncTask::new(CloseStore { store, handle: state.begin_close(store)? }))
    })
}

/// What the store says of itself.
#[napi(catch_unwind)]
pub fn store_meta(env: &Env, store: f64) -> napi::Result<NativeMeta> {
    on_state(env, |state| state.with_store(Handle::from_number(store), |entry| Ok(entry.handle().meta().into())))
}

/// Counts and sizes, as of now.
#[napi(catch_unwind)]
pub fn store_stats(env: &Env, store: f64) -> napi::Result<NativeStats> {
    on_state(env, |state| state.with_store(Handle::from_number(store), |entry| Ok(entry.handle().stats().into())))
}

/// The number of a collection with these codecs, for the hot calls; the same for the same names.
#[napi(catch_unwind)]
pub fn collection_slot(
    env: &Env,
    store: f64,
    name: String,
    key_codec: String,
    value_codec: String,
) -> napi::Result<u32> {
    on_state(env, |state| {
        state.with_store(Handle::from_number(store), |entry| {
            let slot = entry.slot(name, key_codec, value_codec)?;
            u32::try_from(slot).map_err(|_| ErrorRecord::invalid("name", "too many collections"))
        })
    })
}

/// The names of the collections.
#[napi(catch_unwind)]
pub fn collections(env: &Env, store: f64) -> napi::Result<Vec<String>> {
    on_state(env, |state| state.with_store(Handle::from_number(store), |entry| Ok(entry.handle().collections()?)))
}

/// Holds what is applied now.
#[napi(catch_unwind)]
pub fn open_snapshot(env: &Env, store: f64) -> napi::Result<OpenedSnapshot> {
    on_state(env, |state| {
        let entry = state.with_store(Handle::from_number(store), |entry| Ok(Rc::clone(entry)))?;
        let snapshot = entry.handle().snapshot()?;
        let (seq, next_event_id) = (number(snapshot.seq()), number(snapshot.next_event_id()));
        let reader = state.add_reader(Reader::Snapshot { entry, snapshot })?.as_number();
        Ok(OpenedSnapshot { reader, seq, next_event_id })
    })
}

/// Releases a snapshot and its ranges. Harmless when done before; a store is closed by `closeStore`.
#[napi(catch_unwind)]
pub fn release_reader(env: &Env, reader: f64) -> napi::Result<()> {
    on_state(env, |state| {
        state.release_snapshot(Handle::from_number(reader));
        Ok(())
    })
}

/// Closes a range. Harmless when done before.
#[napi(catch_unwind)]
pub fn close_cursor(env: &Env, cursor: f64) -> napi::Result<()> {
    on_state(env, |state| {
        let closed = state.cursors.borrow_mut().remove(Handle::from_number(cursor));
        drop(closed);
        Ok(())
    })
}

/// How many entries a range has; closes it.
#[napi(catch_unwind)]
pub fn range_count(env: &Env, cursor: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        let cursor = state.cursors.borrow_mut().remove(Handle::from_number(cursor));
        let mut cursor = cursor.ok_or_else(|| ErrorRecord::closed("the range"))?;
        Ok(number(cursor.range.count()?))
    })
}

/// The first event at or after a time; the next id when there is none.
#[napi(catch_unwind)]
pub fn first_event_at(env: &Env, reader: f64, timestamp_ms: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        // Times before the epoch and fractions are times, too.
        let timestamp_ms = safe_integer(timestamp_ms.max(0.0).ceil())
            .ok_or_else(|| ErrorRecord::invalid("timestampMs", "milliseconds since the epoch are needed"))?;
        state.with_reader(Handle::from_number(reader), |reader| Ok(number(reader.first_event_at(timestamp_ms)?)))
    })
}

/// The first event that is there; the next id when there is none.
#[napi(catch_unwind)]
pub fn oldest_event_id(env: &Env, reader: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        state.with_reader(Handle::from_number(reader), |reader| Ok(number(reader.entry().handle().oldest_event_id())))
    })
}

/// The id that the next event will get.
#[napi(catch_unwind)]
pub fn next_event_id(env: &Env, store: f64) -> napi::Result<f64> {
    on_state(env, |state| {
        state.with_store(Handle::from_number(store), |entry| Ok(number(entry.handle().next_event_id())))
    })
}

/// The error record that a hot call has left.
#[napi(
    catch_unwind,
    ts_return_type = "{ code: string; message: string; details: Record<string, number | string>; cause?: unknown }"
)]
pub fn take_error(env: &Env) -> napi::Result<Object<'_>> {
    let record = on_state(env, |state| Ok(state.error.take()))?;
    record.unwrap_or_else(|| ErrorRecord::invalid("call", "no hot call has failed")).to_object(env)
}

/// The value that was too big for its pool.
#[napi(catch_unwind)]
pub fn take_value(env: &Env) -> napi::Result<BufferSlice<'_>> {
    let value = on_state(env, |state| Ok(state.value.take()))?;
    let value = value.ok_or_else(|| ErrorRecord::invalid("call", "no value waits").thrown())?;
    BufferSlice::copy_from(env, value)
}

/// The process ends: what is applied goes to the operating system.
#[napi(catch_unwind)]
pub fn hand_over(env: &Env) -> napi::Result<()> {
    on_state(env, |state| {
        state.hand_over();
        Ok(())
    })
}

/// For tests that count instead of timing.
#[napi(catch_unwind)]
pub fn counters(env: &Env) -> napi::Result<HotCallCounters> {
    on_state(env, |state| {
        let of = |call| state.counters.of(call);
        Ok(HotCallCounters {
            get: of(HotCall::Get),
            has: of(HotCall::Has),
            get_many: of(HotCall::GetMany),
            range_open: of(HotCall::RangeOpen),
            range_page: of(HotCall::RangePage),
            events_page: of(HotCall::EventsPage),
            begin: of(HotCall::Begin),
            commit: of(HotCall::Commit),
            abort: of(HotCall::Abort),
            want: of(HotCall::Want),
            poll: of(HotCall::Poll),
            wakes: number(state.completion().wakes()),
        })
    })
}
