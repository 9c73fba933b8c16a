// How a store is opened: interfaces only.
import type { Codec, Json } from '../../codecs/codec.ts'
import type { Durability } from '../../durability.ts'

/** How to open a store. The options beside `durability`, `create` and `signal` belong to the store: see {@link open}. */
export interface OpenOptions<E = Json, In = E> {
  /** How event payloads become bytes; `json()` by default. Its name is stored by the first commit with events. */
  events?: Codec<E, In> | undefined
  /** What `transact`, `append`, `put` and `delete` of this handle wait for; `durable` by default. */
  durability?: Durability | undefined
  /** `false`: a missing store is `ERR_NOT_FOUND`; `true` by default. */
  create?: boolean | undefined
  /** Bytes at most: a key 1,024, a value 16 MiB, an event 4 MiB, what one transaction writes 64 MiB by default. */
  limits?: { keyBytes?: number | undefined; valueBytes?: number | undefined; eventBytes?: number | undefined; transactionBytes?: number | undefined } | undefined
  /** When memory is flushed: at so many bytes (at least 64 KiB; 64 MiB by default), or so many ms (1,000) after the first write. */
  flush?: { bytes?: number | undefined; intervalMs?: number | undefined } | undefined
  /** Whether a few awaited commits, or a lone one, may flush on this thread when the device is fast; `auto` by default. */
  inlineFlush?: 'auto' | 'never' | undefined
  /** LMDB's address space, in bytes; it grows by itself when it is full. */
  mapSizeBytes?: number | undefined
  /** The size of an event-log segment, in bytes: at least 64 KiB; 64 MiB by default. */
  segmentBytes?: number | undefined
  /** How events are stored where it makes them smaller; `none` by default. Any log may hold all three. */
  eventCompression?: 'none' | 'lz4' | 'zstd' | undefined
  /**
   * Which of the oldest events go by themselves, at the next flush; nothing by default. By whole segments, and as soon as one of these allows it: the newest
   * `maxEvents` stay, those younger than `maxAgeMs` stay, the log's files take about `maxBytes`. Not while sealed or paused.
   */
  retention?: { maxEvents?: number | undefined; maxAgeMs?: number | undefined; maxBytes?: number | undefined } | undefined
  /** A snapshot or an iteration open for so many ms (60,000 by default) gets one process warning, `LEDGERSTONE_LONG_READER`. */
  readers?: { warnAfterMs?: number | undefined } | undefined
  /**
   * `true`: the folder may be on a file system that other machines share (NFS, SMB, a virtual machine's shared folder, an unknown program behind
   * FUSE), which is `ERR_FILE_SYSTEM` otherwise. There, nobody else may open the store, and `durable` is what that file system makes of a flush.
   */
  allowNetworkFileSystem?: boolean | undefined
  /** Lock stripes: a power of two up to 1,048,576; default 16,384. See {@link LockManager}. */
  stripes?: number | undefined
  /** Gives up waiting for the opening. */
  signal?: AbortSignal | undefined
}
