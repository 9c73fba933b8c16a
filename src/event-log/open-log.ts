// Opening an event log: the options are checked here, before anything happens; the engine knows their ranges.
import { resolve } from 'node:path'
import { rankOf } from '../compare-durability.ts'
import { invalidArgument } from '../errors.ts'
import { checkBoolean, checkedPath, checkInteger, checkOptions } from '../internal/validate.ts'
import type { NativeLogOptions } from '../native/binding.ts'
import { Environment } from '../native/environment.ts'
import { LogHandle } from './log-handle.ts'
import type { EventLogOptions, EventLogRecovery } from './log-types.ts'

const OPTIONS: ReadonlySet<string> = new Set([
  'segmentBytes',
  'maxEventBytes',
  'firstEventId',
  'durability',
  'compression',
  'create',
  'readOnly',
  'allowNetworkFileSystem',
])
const COMPRESSIONS: ReadonlySet<unknown> = new Set(['none', 'lz4', 'zstd'])
const DEFAULT_MAX_EVENT_BYTES = 16 * 1024 * 1024

/** Opens the log in a folder. */
export async function openLog(dir: unknown, options: EventLogOptions | undefined): Promise<{ handle: LogHandle; recovery: EventLogRecovery; path: string }> {
  const folder = resolve(checkedPath(dir, 'dir'))
  const native = nativeOptions(options)
  const environment = Environment.current()
  const opened = await environment.callAsync((cold) => cold.openEventLog(folder, native))
  const { log, wasClosed, tornFile: file, tornOffset: offset, tornBytes: bytes } = opened
  const recovery: EventLogRecovery = { wasClosed }
  if (file !== undefined && offset !== undefined && bytes !== undefined) recovery.tornTail = { file, offset, bytes }
  return { handle: new LogHandle(environment, log, native.maxEventBytes), recovery, path: folder }
}

function nativeOptions(options: EventLogOptions | undefined): NativeLogOptions {
  checkOptions(options, OPTIONS, 'options')
  const { segmentBytes, maxEventBytes, firstEventId, durability = 'written', compression = 'none', create, readOnly, allowNetworkFileSystem } = options ?? {}
  checkInteger(segmentBytes, 1, 'segmentBytes')
  checkInteger(maxEventBytes, 1, 'maxEventBytes')
  checkInteger(firstEventId, 0, 'firstEventId')
  rankOf(durability, 'durability')
  if (!COMPRESSIONS.has(compression)) throw invalidArgument('compression', "a compression is 'none', 'lz4' or 'zstd'")
  checkBoolean(create, 'create')
  checkBoolean(readOnly, 'readOnly')
  checkBoolean(allowNetworkFileSystem, 'allowNetworkFileSystem')
  if (readOnly === true && create === true) throw invalidArgument('create', 'a log that is only read is not made')
  return {
    opening: readOnly === true ? 'readOnly' : create === false ? 'existing' : 'createOrOpen',
    durability,
    compression,
    maxEventBytes: maxEventBytes ?? DEFAULT_MAX_EVENT_BYTES,
    allowNetworkFileSystem: allowNetworkFileSystem ?? false,
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    ...(firstEventId === undefined ? {} : { firstEventId }),
  }
}
