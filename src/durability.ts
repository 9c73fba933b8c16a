// The three levels a commit passes through: interfaces only.

/**
 * How far a commit has come, in order: `applied` (in memory, every reader of this process sees it), `written` (handed to the operating
 * system, survives the process being killed), `durable` (flushed to the device, survives power loss).
 */
export type Durability = 'applied' | 'written' | 'durable'
