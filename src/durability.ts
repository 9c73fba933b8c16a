// The three levels that a commit reaches: interfaces only.

/**
 * How far a commit has come, in order: `applied` (in memory, every reader of this process sees it), `written` (handed to the operating system, survives a kill of the
 * process), `durable` (flushed to the device, survives power loss).
 */
export type Durability = 'applied' | 'written' | 'durable'
