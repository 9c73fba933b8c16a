//! Random commits and random use compared with a `Vec`, shrunk by proptest when they differ.

use std::sync::Arc;

use ledgerstone_format::Durability;
use ledgerstone_journal::{FrameKind, OpKind};
use ledgerstone_vfs::{Vfs, sim::SimDisk};
use proptest::{collection::vec, prelude::*};

use crate::rig::{Commit, Rig, TestOp};

#[derive(Clone, Debug)]
enum Step {
    Append(Commit),
    Written,
    Durable,
    Lead,
    Checkpoint,
    Close,
    Kill,
    PowerCut,
}

/// All zeros, all ones, or anything, decided by one byte: generating each byte would cost more than the test.
fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    (0..max, any::<u8>()).prop_map(|(len, of)| match of {
        0..40 => vec![0; len],
        40..80 => vec![0xff; len],
        _ => (0..=u8::MAX).cycle().map(|n| n.wrapping_mul(of)).take(len).collect(),
    })
}

fn op() -> impl Strategy<Value = TestOp> {
    let kind = prop_oneof![
        6 => Just(OpKind::Put),
        2 => Just(OpKind::Delete),
        1 => Just(OpKind::CreateCollection),
        1 => Just(OpKind::DropCollection),
        1 => Just(OpKind::SetMeta),
    ];
    (kind, any::<u32>(), bytes(40), bytes(300))
}

fn commit() -> impl Strategy<Value = Commit> {
    let kind = prop_oneof![
        9 => Just(FrameKind::Commit),
        1 => Just(FrameKind::Seal),
        1 => Just(FrameKind::Unseal),
        1 => Just(FrameKind::Trim),
    ];
    (kind, any::<u64>(), vec(bytes(200), 0..5), vec(op(), 0..6)).prop_map(|(kind, timestamp_ms, events, ops)| Commit {
        kind,
        timestamp_ms,
        events,
        ops,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => commit().prop_map(Step::Append),
        2 => Just(Step::Written),
        3 => Just(Step::Durable),
        2 => Just(Step::Lead),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Close),
        1 => Just(Step::Kill),
        1 => Just(Step::PowerCut),
    ]
}

fn bare(disk: &SimDisk) -> Arc<dyn Vfs> {
    Arc::new(disk.clone())
}

fn run(seed: u64, steps: Vec<Step>) {
    let mut rig = Rig::new(seed);
    for step in steps {
        let last = rig.next_seq() - 1;
        match step {
            Step::Append(commit) => rig.append(commit).unwrap(),
            Step::Written => rig.journal.wait(Durability::Written, last).unwrap(),
            Step::Durable => rig.durable().unwrap(),
            Step::Lead => drop(rig.journal.try_lead(last).unwrap()),
            Step::Checkpoint => rig.checkpoint().unwrap(),
            Step::Close => {
                rig.journal.close().unwrap();
                rig.move_to(rig.disk.power_cut(), bare);
                rig.reopen(last).unwrap();
            }
            Step::Kill => {
                let written = rig.journal.written();
                rig.move_to(rig.disk.crash(), bare);
                rig.reopen(written).unwrap();
            }
            Step::PowerCut => {
                let durable = rig.journal.durable();
                rig.move_to(rig.disk.power_cut(), bare);
                rig.reopen(durable).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_is_a_list_of_commits(seed in 0_u64..1000, steps in vec(step(), 0..40)) {
        run(seed, steps);
    }
}
