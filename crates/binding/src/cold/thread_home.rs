//! Where the copies of the package's JavaScript in a thread find each other.

#![allow(clippy::trivially_copy_pass_by_ref, reason = "a result may borrow from the `Env` that it is made in")]
#![allow(unreachable_pub, reason = "`#[napi]` asks for `pub`; the addon itself is the only caller")]

use napi::{Env, bindgen_prelude::Unknown};
use napi_derive::napi;

/// What all copies of the package's JavaScript in this thread find each other by: an object of the thread's main realm, which is
/// none of theirs. A copy may have been evaluated in another context, which is torn down long before the thread ends.
const THREAD_HOME: &str = "(() => {
  const key = Symbol.for('ledgerstone.thread')
  if (globalThis[key] === undefined) {
    // Not the global's: a test may fake that before the first store is opened.
    const { setImmediate } = globalThis.process?.getBuiltinModule?.('node:timers') ?? globalThis
    const home = {
      joined: undefined,
      wakes: new Set(),
      ends: new Set(),
      stores: new Map(),
      wake() { for (const wake of home.wakes) wake() },
    }
    Object.defineProperty(globalThis, key, { value: home })
    globalThis.process?.on?.('beforeExit', () => {
      home.joined?.cold.loopEnds(true)
      setImmediate?.(() => home.joined?.cold.loopEnds(false))?.unref?.()
    })
    globalThis.process?.on?.('exit', () => {
      home.joined?.cold.handOver()
      for (const end of home.ends) end()
    })
  }
  return globalThis[key]
})()";

/// The same object for every copy of this package in the thread, whichever file of native code each has loaded.
#[napi(catch_unwind, ts_return_type = "any")]
pub fn thread_home(env: &Env) -> napi::Result<Unknown<'_>> {
    env.run_script(THREAD_HOME)
}
