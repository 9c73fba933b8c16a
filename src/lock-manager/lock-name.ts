// Names of locks besides strings and bytes: a key of a store's collection, named by the store.
import { brand } from '../internal/brand.ts'

/** The name of the lock of a key. Subclasses write it. */
export abstract class LockName {
  /** The number of the key's store in this process. */
  abstract readonly storeKey: number
  /** The number of bytes that {@link writeName} may need. */
  abstract readonly maxNameBytes: number
  /** Writes the name of the key's lock and returns its length. The caller has made room. */
  abstract writeName(to: Buffer, offset: number): number
}
brand(LockName, 'LockName')
