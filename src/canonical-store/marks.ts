// What native code says of a store at a moment: an array of numbers, one of which is flags. The flags that forbid writing are kept current in a word too.

/** Where the marks stand in the array that native code fills; a `Level` is its own index. */
export const APPLIED = 0
export const FLAGS = 4
export const EVENTS = 5
/** Crowded or paused: new writes have to queue. */
export const HAS_NO_ROOM: number = 1 | 16
export const HAS_FAILED = 2
export const IS_SEALED = 8
export const IS_FULL = 4
/** Crowded, and let in by and by: nobody wakes us for that. */
export const IS_PACED = 32
/** Snapshots and iterations hold what there is no room beside. */
export const WAITS_FOR_READERS = 64
/** Writers are kept out for a while. */
export const IS_PAUSED = 16
export const CROWDED_AND_FULL: number = 1 | IS_FULL
