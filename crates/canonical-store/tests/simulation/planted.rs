//! The simulation is worth something only if it notices: each planted defect must be found within 1,000 lives.

use crate::simulation::{COMPACT_FROM, On, live, open_a_mixture};
use ledgerstone_format::{PlantedFault, plant};

const SEEDS: u64 = 1_000;

/// The first life in which the defect shows.
fn find(fault: PlantedFault) -> (u64, String) {
    find_on(On::SimulatedDisk, fault, SEEDS)
}

fn find_on(on: On, fault: PlantedFault, seeds: u64) -> (u64, String) {
    find_among(0..seeds, on, fault)
}

fn find_among(mut seeds: impl Iterator<Item = u64>, on: On, fault: PlantedFault) -> (u64, String) {
    plant(Some(fault));
    let found = seeds.find_map(|seed| live(seed, on).err().map(|what| (seed, what)));
    plant(None);
    let (seed, what) = found.unwrap_or_else(|| panic!("{fault:?} was not found"));
    live(seed, on).unwrap_or_else(|what| panic!("the life shows something without the defect too: {what}"));
    println!("{fault:?}: {}", what.trim());
    (seed, what)
}

#[test]
fn a_checkpoint_ahead_of_the_journal_is_found() {
    find(PlantedFault::JournalNotFlushed);
}

#[test]
fn an_account_before_its_state_is_found() {
    find(PlantedFault::MetaInFirstPart);
}

#[test]
fn durable_before_the_flush_is_found() {
    find(PlantedFault::DurableBeforeFlush);
}

#[test]
fn a_chain_that_nobody_checks_is_found() {
    // While clocks advance, no frame of a lost future verifies where it could be met (its salt differs): this check is against
    // files of another history.
    plant(Some(PlantedFault::ChainUnchecked));
    let found = (0..SEEDS).find(|seed| open_a_mixture(*seed).is_some_and(|opened| opened.is_ok()));
    plant(None);
    println!("ChainUnchecked: seed {found:?}");
    assert_eq!(open_a_mixture(found.unwrap()).unwrap().unwrap_err().code(), "ERR_CORRUPT");
}

#[test]
fn a_failed_flush_that_is_tried_again_is_found() {
    find(PlantedFault::FlushRetried);
}

#[test]
fn a_torn_tail_that_stays_is_found() {
    find(PlantedFault::TornTailKept);
}

#[test]
fn a_flipped_bit_that_is_believed_is_found() {
    find(PlantedFault::ChecksumUnchecked);
}

#[test]
fn a_checkpoint_ahead_of_the_event_log_is_found() {
    find(PlantedFault::EventsNotFlushed);
}

#[test]
fn a_journal_file_given_up_too_early_is_found() {
    find(PlantedFault::RecycledTooEarly);
}

#[test]
fn a_flush_that_is_acknowledged_after_a_failure_is_found() {
    find(PlantedFault::PublishedAfterFailure);
}

#[test]
fn segments_unlinked_before_their_trim_is_durable_are_found() {
    find(PlantedFault::UnlinkedBeforeDurable);
}

#[test]
fn segments_unlinked_before_the_checkpoint_has_their_events_are_found() {
    find(PlantedFault::UnlinkedBeforeCheckpoint);
}

#[test]
fn a_seal_that_is_not_replayed_is_found() {
    find(PlantedFault::SealNotReplayed);
}

#[test]
fn a_flush_that_does_not_record_how_far_it_goes_is_found() {
    find(PlantedFault::FlushNotWitnessed);
}

/// Some show only if several troubles come in one operation, or if a process dies in the middle of an opening.
fn find_compact(fault: PlantedFault) -> (u64, String) {
    find_among((0..SEEDS).map(|number| COMPACT_FROM + 2 + 3 * number), On::SimulatedDisk, fault)
}

#[test]
fn names_that_are_built_on_and_not_flushed_are_found() {
    find_compact(PlantedFault::NamesNotFlushed);
}

#[test]
fn a_retired_file_that_may_come_back_is_found() {
    find_compact(PlantedFault::RetiredNotFlushed);
}

#[test]
fn a_copied_tail_that_is_not_flushed_is_found() {
    find_compact(PlantedFault::TailNotFlushed);
}

#[test]
fn the_lives_with_lmdb_find_defects_too() {
    for fault in [PlantedFault::JournalNotFlushed, PlantedFault::EventsNotFlushed, PlantedFault::RecycledTooEarly] {
        find_on(On::Lmdb, fault, SEEDS);
    }
}
