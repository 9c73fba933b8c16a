// The public surface of `ledgerstone/event-log`. The errors are those of `ledgerstone`: their classes exist once.
/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
export { EventLog } from './event-log.ts'

export type { EventLogOptions, EventLogRecovery, EventLogStats, EventSegment } from './log-types.ts'
