// How a store is opened: interfaces only.
import type { Codec, Json } from '../../codecs/codec.ts'
import type { Durability } from '../../durability.ts'

/** How to open a store. The options other than `durability`, `create` and `signal` belong to the store: see {@link open}. */
export interface OpenOptions<E = Json, In = E> {
  /** How event payloads become bytes. The first commit with events stores its name. @default json() */
  events?: Codec<E, In> | undefined
  /** What `transact`, `append`, `put` and `delete` of this handle wait for. @default 'durable' */
  durability?: Durability | undefined
  /** `false`: a missing store is `ERR_NOT_FOUND`. @default true */
  create?: boolean | undefined
  /** Maxima in bytes; anything larger is `ERR_LIMIT`. */
  limits?:
    | {
        /** A key. @default 1024 */
        keyBytes?: number | undefined
        /** A value. @default 16 MiB */
        valueBytes?: number | undefined
        /** An event. @default 4 MiB */
        eventBytes?: number | undefined
        /** The writes of one transaction. @default 64 MiB */
        transactionBytes?: number | undefined
      }
    | undefined
  /** When memory is flushed: whichever comes first. */
  flush?:
    | {
        /** At so many bytes: at least 64 KiB. @default 64 MiB */
        bytes?: number | undefined
        /** So many ms after the first write. @default 1000 */
        intervalMs?: number | undefined
      }
    | undefined
  /** Whether a single awaited commit, or a few, may flush on this thread when the device is fast. @default 'auto' */
  inlineFlush?: 'auto' | 'never' | undefined
  /** LMDB's address space, in bytes; it grows by itself when it is full. @default 64 GiB */
  mapSizeBytes?: number | undefined
  /** The size of an event-log segment, in bytes: at least 64 KiB. @default 64 MiB */
  segmentBytes?: number | undefined
  /** How events are compressed; only those that become smaller are. A log may hold all three kinds. @default 'none' */
  eventCompression?: 'none' | 'lz4' | 'zstd' | undefined
  /**
   * Which of the oldest events are removed automatically, at the next flush. By whole segments, and as soon as one of these allows it: the newest `maxEvents`
   * stay, those younger than `maxAgeMs` stay, the log's files take about `maxBytes`. Not while sealed or paused.
   */
  retention?:
    | {
        /** @default none */
        maxEvents?: number | undefined
        /** @default none */
        maxAgeMs?: number | undefined
        /** @default none */
        maxBytes?: number | undefined
      }
    | undefined
  /** Warnings about long reads. */
  readers?:
    | {
        /** A snapshot or an iteration that is open for so many ms causes one process warning, `LEDGERSTONE_LONG_READER`. @default 60000 */
        warnAfterMs?: number | undefined
      }
    | undefined
  /**
   * `true`: the folder may be on a file system that other machines share (NFS, SMB, a virtual machine's shared folder, an unknown program behind FUSE), which
   * is `ERR_FILE_SYSTEM` otherwise. There, no other machine may open the store, and `durable` is what that file system makes of a flush.
   *
   * @default false
   */
  allowNetworkFileSystem?: boolean | undefined
  /** Lock stripes: a power of two up to 1,048,576. See {@link CanonicalStore.locks}. @default 16384 */
  stripes?: number | undefined
  /** Gives up waiting for the opening. @default none */
  signal?: AbortSignal | undefined
}
