// Every test gets a separate folder, with the package's name in it, and leaves nothing behind.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Whatever runs something at its end, an ava test for example. */
export interface Ends {
  teardown(fn: () => unknown): void
}

/** An empty folder that is removed when the test ends. */
export function temporaryFolder(t: Ends): string {
  const folder = makeTemporaryFolder()
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** An empty folder that the caller removes. */
export function makeTemporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'ledgerstone-test-'))
}
