// How a store is opened: interfaces only.
import type { Codec, Json } from '../../codecs/codec.ts'
import type { Durability } from '../../durability.ts'

/** How to open a store. The options beside `durability`, `create` and `signal` belong to the store: see {@link open}. */
export interface OpenOptions<E = Json, In = E> {
  /** How event payloads become bytes. Its name is stored by the first commit with events. @default json() */
  events?: Codec<E, In> | undefined
  /** What `transact`, `append`, `put` and `delete` of this handle wait for. @default 'durable' */
  durability?: Durability | undefined
  /** `false`: a missing store is `ERR_NOT_FOUND`. @default true */
  create?: boolean | undefined
  /** Bytes at most; what is larger is `ERR_LIMIT`. */
  limits?:
    | {
        /** A key. @default 1024 */
        keyBytes?: number | undefined
        /** A value. @default 16 MiB */
        valueBytes?: number | undefined
        /** An event. @default 4 MiB */
        eventBytes?: number | undefined
        /** What one transaction writes. @default 64 MiB */
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
  /** Whether a few awaited commits, or a lone one, may flush on this thread when the device is fast. @default 'auto' */
  inlineFlush?: 'auto' | 'never' | undefined
  /** LMDB's address space, in bytes; it grows by itself when it is full. @default 64 GiB */
  mapSizeBytes?: number | undefined
  /** The size of an event-log segment, in bytes: at least 64 KiB. @default 64 MiB */
  segmentBytes?: number | undefined
  /** How events are stored where it makes them smaller. Any log may hold all three. @default 'none' */
  eventCompression?: 'none' | 'lz4' | 'zstd' | undefined
  /**
   * Which of the oldest events go by themselves, at the next flush. By whole segments, and as soon as one of these allows it: the newest
   * `maxEvents` stay, those younger than `maxAgeMs` stay, the log's files take about `maxBytes`. Not while sealed or paused.
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
  /** What is told of those who read for long. */
  readers?:
    | {
        /** A snapshot or an iteration open for so many ms gets one process warning, `LEDGERSTONE_LONG_READER`. @default 60000 */
        warnAfterMs?: number | undefined
      }
    | undefined
  /**
   * `true`: the folder may be on a file system that other machines share (NFS, SMB, a virtual machine's shared folder, an unknown program behind
   * FUSE), which is `ERR_FILE_SYSTEM` otherwise. There, nobody else may open the store, and `durable` is what that file system makes of a flush.
   *
   * @default false
   */
  allowNetworkFileSystem?: boolean | undefined
  /** Lock stripes: a power of two up to 1,048,576. See {@link CanonicalStore.locks}. @default 16384 */
  stripes?: number | undefined
  /** Gives up waiting for the opening. @default none */
  signal?: AbortSignal | undefined
}
