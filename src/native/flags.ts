// What native code tells of a store: where its marks stand in the array that `poll` fills, and the bits of the flags among them, which the word of
// `storeCondition` and the head of a commit have too.

/** Where the marks stand; the level of a waiter is its own index. */
export const APPLIED = 0
export const FLAGS = 4
export const EVENTS = 5

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
/** New writes have to queue. */
export const HAS_NO_ROOM: number = IS_CROWDED | IS_PAUSED
export const CROWDED_AND_FULL: number = IS_CROWDED | IS_FULL
