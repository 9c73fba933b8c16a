// What native code says about a store: the places of its marks in the array that `poll` fills, and the bits of the flags among them. The word of `storeCondition` and
// the head of a commit have the same bits.

/** The places of the marks; the level of a waiter is its own index. */
export const APPLIED = 0
export const FLAGS = 4
export const EVENTS = 5

/** Too much waits to be flushed. */
export const IS_CROWDED = 1
/** Writing has stopped for good. */
export const HAS_FAILED = 2
/** The device has no room. */
export const IS_FULL = 4
export const IS_SEALED = 8
export const IS_PAUSED = 16
/** Crowded, but writers are let in gradually: native code does not wake for that. */
export const IS_PACED = 32
/** Snapshots and iterations hold memory that leaves no room. */
export const WAITS_FOR_READERS = 64
/** New writes have to queue. */
export const HAS_NO_ROOM: number = IS_CROWDED | IS_PAUSED
export const CROWDED_AND_FULL: number = IS_CROWDED | IS_FULL
