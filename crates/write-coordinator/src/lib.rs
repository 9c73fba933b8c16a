//! How applied writes become flushed state. Writers fill the *active* delta; a flusher freezes it, writes it out and publishes
//! a new view. Generic: knows no journal, no log, no LMDB; the caller decides what a delta is and how it is written.
//!
//! Order of a flush: freeze (epoch + 1) → [`Flusher::flush`] → publish the view → raise the flushed mark → wake. A view is
//! published before the mark that promises it (I8), and a failed flush reaches every caller that waits.
//!
//! `ledgerstone/coordinator` (`src/write-coordinator`) is the same thing in TypeScript, for users' own storage. Its words and theirs here:
//!
//! | there | here |
//! | --- | --- |
//! | `Delta` | [`Delta`], filled under the caller's lock |
//! | `init(context)` | the empty delta that [`Flusher::freeze`] makes |
//! | context: what `freeze()` hands on to `init` | state of the [`Flusher`]'s implementor |
//! | frozen, `Flusher.flushDelta(frozen)` | the full delta, [`Flusher::flush`] |
//! | `Flusher.flushStorage()` | part of [`Flusher::flush`]: the journal has already made the writes durable |
//! | `View` | [`View`] |
//! | epoch: the number of a write, `EpochHandle.epoch` | the sequence number of a commit; [`View::epoch`] numbers the deltas |
//! | `EpochStamped`: a frozen view and its epochs | a delta knows its [`Delta::last_seq`] |
//! | `handle.wait('written')`, `flush()` | [`Coordinator::request`], [`Coordinator::wait_flushed`] |
//! | an error that is `retryable` | [`FlushFailure::Retry`] |

mod coordinator;
mod delta;
mod flusher;
mod pacing;
mod room;
mod thread;
mod throttle;
mod view;

pub use coordinator::{Coordinator, Step};
pub use delta::Delta;
pub use flusher::{FlushFailure, Flusher};
pub use pacing::Pacing;
pub use room::{Crowding, Full};
pub use view::View;
