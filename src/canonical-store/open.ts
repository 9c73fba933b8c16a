// Opening a store: the options are checked here, before anything happens; the engine knows what they mean.
import { resolve } from 'node:path'
import type { Json } from '../codecs/codec.ts'
import { json } from '../codecs/json.ts'
import { PayloadCodec } from '../codecs/payload-codec.ts'
import { rankOf } from '../compare-durability.ts'
import { invalidArgument } from '../errors.ts'
import { AbortWatch } from '../internal/abort.ts'
import { throwIfAborted } from '../internal/platform.ts'
import { checkBoolean, checkedPath, checkInteger, checkOptions, checkPowerOfTwo, checkSignal } from '../internal/validate.ts'
import type { NativeOptions } from '../native/binding.ts'
import { Environment } from '../native/environment.ts'
import type { CanonicalStore } from './api/canonical-store.ts'
import type { OpenOptions } from './api/open-options.ts'
import { EmbeddedStore } from './embedded-store.ts'
import { SharedStore } from './shared-store.ts'
import { StoreHandle } from './store-handle.ts'
import { recoveries } from './watching/diagnostics.ts'

const OPTIONS: ReadonlySet<string> = new Set([
  'events',
  'durability',
  'create',
  'limits',
  'flush',
  'inlineFlush',
  'mapSizeBytes',
  'segmentBytes',
  'eventCompression',
  'retention',
  'stripes',
  'readers',
  'allowNetworkFileSystem',
  'signal',
])
const LIMITS: ReadonlySet<string> = new Set(['keyBytes', 'valueBytes', 'eventBytes', 'transactionBytes'])
const FLUSH: ReadonlySet<string> = new Set(['bytes', 'intervalMs'])
const RETENTION: ReadonlySet<string> = new Set(['maxEvents', 'maxAgeMs', 'maxBytes'])
const COMPRESSIONS: ReadonlySet<unknown> = new Set([undefined, 'none', 'lz4', 'zstd'])
const READERS: ReadonlySet<string> = new Set(['warnAfterMs'])
const MIN_FLUSH_BYTES = 64 * 1024
const MIN_SEGMENT_BYTES = 64 * 1024

/**
 * Opens the store in a folder, and makes it if there is none.
 *
 * A second open of the same path in this process, from any thread, is another handle of the same store. `durability` belongs to the handle, `create` and
 * `signal` to the call, all other options to the store: a second open that contradicts them is `ERR_OPTIONS_MISMATCH`; one that leaves them out never is.
 *
 * Rejects with `ERR_INVALID_ARGUMENT`; `ERR_NOT_FOUND` (`create: false`); `ERR_LOCKED` (another process has it open, with its `pid`); `ERR_FILE_SYSTEM` (a
 * network file system that was not allowed, with its `path` and `type`); `ERR_CODEC_MISMATCH` (its events have another codec); `ERR_FORMAT`, `ERR_CORRUPT`,
 * `ERR_IO`, `ERR_NO_SPACE`, `ERR_POISONED` (it failed in this process and is not closed yet); `ERR_NATIVE_MISSING`, `ERR_VERSION_MISMATCH`; the signal's
 * reason.
 *
 * @example
 * ```ts
 * const store = await open('./bank')
 * await store.state.put('answer', 42)
 * await store.close()
 * ```
 */
export async function open<E = Json, In = E>(path: string | URL, options?: OpenOptions<E, In>): Promise<CanonicalStore<E, In>> {
  const folder = resolve(checkedPath(path, 'path'))
  checkOptions(options, OPTIONS, 'options')
  const { events = json(), durability = 'durable', signal } = (options ?? {}) as OpenOptions<unknown>
  const eventCodec = new PayloadCodec(events, 'events', undefined)
  const rank = rankOf(durability, 'durability')
  const native = nativeOptions(options ?? {}, eventCodec.name)
  checkSignal(signal, 'signal')
  throwIfAborted(signal)

  const environment = Environment.current()
  const opening = environment.callAsync((cold) => cold.openStore(folder, native))
  const opened =
    signal === undefined
      ? await opening
      : await new AbortWatch().race(opening, signal).catch((error: unknown) => {
          // The opening cannot be called back: its store is closed when it comes, and an error of it has no caller.
          opening.then(({ store }) => environment.cold.closeStore(store)).catch(() => {})
          throw error
        })
  const shared = (environment.store(opened.storeKey) as SharedStore | undefined) ?? new SharedStore(environment, opened.storeKey, folder)
  const handle = new StoreHandle(environment, shared, {
    id: opened.store,
    path: folder,
    limits: opened.limits,
    readersWarnAfterMs: opened.readersWarnAfterMs,
    events: eventCodec,
    rank,
  })
  if (opened.isFirst && recoveries.hasSubscribers) {
    recoveries.publish({ path: folder, ...environment.call((cold) => cold.storeStats(opened.store)).recovery })
  }
  return new EmbeddedStore<E, In>(folder, handle)
}

function nativeOptions(options: Omit<OpenOptions<never>, 'events'>, eventCodec: string): NativeOptions {
  const { create, inlineFlush, mapSizeBytes, segmentBytes, eventCompression, stripes, allowNetworkFileSystem } = options
  const limits = checkedCopy(options.limits, LIMITS, 'limits')
  const flush = checkedCopy(options.flush, FLUSH, 'flush')
  const retention = checkedCopy(options.retention, RETENTION, 'retention')
  const readers = checkedCopy(options.readers, READERS, 'readers')
  checkBoolean(create, 'create')
  for (const name of LIMITS) checkInteger((limits as Record<string, unknown>)[name], 1, `limits.${name}`)
  checkInteger(flush.bytes, MIN_FLUSH_BYTES, 'flush.bytes')
  checkInteger(flush.intervalMs, 1, 'flush.intervalMs')
  if (inlineFlush !== undefined && inlineFlush !== 'auto' && inlineFlush !== 'never') throw invalidArgument('inlineFlush', "'auto' or 'never' is needed")
  checkInteger(mapSizeBytes, 1, 'mapSizeBytes')
  checkInteger(segmentBytes, MIN_SEGMENT_BYTES, 'segmentBytes')
  if (!COMPRESSIONS.has(eventCompression)) throw invalidArgument('eventCompression', "'none', 'lz4' or 'zstd' is needed")
  for (const name of RETENTION) checkInteger((retention as Record<string, unknown>)[name], 0, `retention.${name}`)
  checkInteger(readers.warnAfterMs, 1, 'readers.warnAfterMs')
  checkBoolean(allowNetworkFileSystem, 'allowNetworkFileSystem')
  checkPowerOfTwo(stripes, 'stripes')
  return {
    create: create ?? true,
    eventCodec,
    ...present({
      keyBytes: limits.keyBytes,
      valueBytes: limits.valueBytes,
      eventBytes: limits.eventBytes,
      transactionBytes: limits.transactionBytes,
      flushBytes: flush.bytes,
      flushIntervalMs: flush.intervalMs,
      inlineFlush: inlineFlush === undefined ? undefined : inlineFlush === 'auto',
      mapSizeBytes,
      segmentBytes,
      eventCompression,
      retentionMaxEvents: retention.maxEvents,
      retentionMaxAgeMs: retention.maxAgeMs,
      retentionMaxBytes: retention.maxBytes,
      readersWarnAfterMs: readers.warnAfterMs,
      allowNetworkFileSystem,
      stripes,
    }),
  }
}

/** Nested options, read once, so that the checked values are the ones used. */
function checkedCopy<T extends object>(options: T | undefined, known: ReadonlySet<string>, argument: string): Partial<T> {
  checkOptions(options, known, argument)
  return { ...options }
}

/** Without the options that are undefined. */
function present<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
