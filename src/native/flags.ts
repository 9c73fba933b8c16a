// What native code tells of a store by single bits: in the marks of `poll`, in the word of `storeCondition`, and in the head of a commit.

/** Too much is waiting to be flushed. */
export const IS_CROWDED = 1
/** Writing has stopped for good. */
export const HAS_FAILED = 2
/** The device has no room. */
export const IS_FULL = 4
export const IS_SEALED = 8
export const IS_PAUSED = 16
/** Crowded, and let in by and by: nobody wakes us for that. */
export const IS_PACED = 32
/** Snapshots and iterations hold what there is no room beside. */
export const WAITS_FOR_READERS = 64
