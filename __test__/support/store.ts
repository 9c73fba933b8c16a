// A store in a separate folder, closed and removed with the test.
import { join } from 'node:path'
import { open, type CanonicalStore, type Json, type OpenOptions } from '../../src/index.ts'
import { temporaryFolder, type Ends } from './temporary-folder.ts'

/** Opens a store that the test may also close itself. Levels are `applied` unless said otherwise: few tests are about the disk. */
export async function openStore<E = Json, In = E>(t: Ends, options?: OpenOptions<E, In>, path: string = storePath(t)): Promise<CanonicalStore<E, In>> {
  const store = await open<E, In>(path, { durability: 'applied', ...options })
  t.teardown(() => store.close().catch(() => {}))
  return store
}

/** Where a store could be. */
export function storePath(t: Ends): string {
  return join(temporaryFolder(t), 'store')
}

/** The code of what `call` throws or rejects with; `undefined` when it does neither. */
export async function codeOf(call: () => unknown): Promise<unknown> {
  try {
    await call()
  } catch (error) {
    return (error as { code?: unknown }).code ?? error
  }
  return undefined
}
