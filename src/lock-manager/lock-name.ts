// What names a lock beside a string and bytes: a key of a store's collection, as the store names it.
import { brand } from '../internal/brand.ts'

/** The name of the lock of a key. Its subclasses say how a name is written. */
export abstract class LockName {
  /** The number of the key's store in this process. */
  abstract readonly storeKey: number
  /** How much room {@link writeName} may need. */
  abstract readonly maxNameBytes: number
  /** Writes the name of the key's lock and returns its length. The caller has made room. */
  abstract writeName(to: Buffer, offset: number): number
}
brand(LockName, 'LockName')
