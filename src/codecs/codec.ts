// What a codec is. Names of codecs are stored with the data; the codecs themselves are not.

/** What JSON can represent. An interface needs `json<I>()`: TypeScript gives an index signature to type aliases only. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined }

/**
 * Turns values (or events) into bytes and back. `name` is stored by the first commit that uses the codec: opening the data with a codec of
 * another name is `ERR_CODEC_MISMATCH`, so a codec whose bytes change must change its name.
 */
export interface Codec<T, In = T> {
  /** Stored with the data; at most 255 bytes. */
  readonly name: string
  /** A string is stored as UTF-8. What it throws becomes the `cause` of an `ERR_CODEC`. */
  encode(value: In): Uint8Array | string
  /** The codec may keep `bytes`: the store never writes to them again. Must not return `undefined`, which means missing. */
  decode(bytes: Buffer): T & ({} | null)
}

/** Turns keys into bytes whose order is the order of the keys. */
export interface KeyCodec<K, In = K> {
  /** Stored with the data; at most 255 bytes. */
  readonly name: string
  /** A promise: encoded keys compare, byte by byte, as the keys do. */
  readonly ordered: true
  /** A string is stored as UTF-8. */
  encode(key: In): Uint8Array | string
  /** The bytes with which exactly the keys with this prefix begin. Without this method `prefix` is refused. */
  encodePrefix?(prefix: KeyPrefix<K>): Uint8Array | string
  decode(bytes: Buffer): K
}

/** What the `prefix` of a range may be, by the type of the keys. */
export type KeyPrefix<K> = K extends string ? string : K extends Uint8Array ? Uint8Array : K extends readonly [unknown, ...unknown[]] ? TuplePrefix<K> : never
type TuplePrefix<T extends readonly unknown[]> = T extends readonly [...infer Head, unknown] ? Readonly<T> | TuplePrefix<Head> : readonly []
