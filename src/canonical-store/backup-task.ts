// A backup or a restore under way in native code: its signal, its progress, its end.
import { AbortWatch } from '../internal/abort.ts'
import { sleep } from '../internal/platform.ts'
import { checkFunction, signalOf } from '../internal/validate.ts'
import type { ColdCalls } from '../native/binding.ts'
import type { Environment } from '../native/environment.ts'
import type { Progress, ProgressOptions } from './api/backup.ts'

/** The time between two looks at the progress. */
const LOOK_MS = 50

/** The signals of all backups and restores. */
const aborts = new AbortWatch()

/** The signal and the progress of a call that waits. */
export interface Watching {
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: Progress) => void) | undefined
}

export function watchingOf(options: (ProgressOptions & { signal?: AbortSignal | undefined }) | undefined): Watching {
  const signal = signalOf(options)
  const onProgress = options?.onProgress
  if (onProgress !== undefined) checkFunction(onProgress, 'onProgress')
  return { signal, onProgress }
}

/**
 * Has the work done; `null` when it was given up. It ends when native code says so, also when it is given up: then everything is as it was. Whether it was
 * too late for that, native code decides.
 */
export async function carryOut<T>(environment: Environment, backup: number, watching: Watching, work: (cold: ColdCalls) => Promise<T | null>): Promise<T | null> {
  const giveUp = (): void => environment.cold.endBackup(backup)
  const release = watching.signal === undefined ? undefined : aborts.add(watching.signal, giveUp)
  try {
    const outcome = environment.callAsync(work)
    if (watching.onProgress !== undefined) await tell(environment, backup, outcome, watching.onProgress, giveUp)
    return await outcome
  } finally {
    release?.()
    giveUp()
  }
}

/** Tells of progress until the work is over. */
async function tell(environment: Environment, backup: number, outcome: Promise<unknown>, onProgress: (progress: Progress) => void, giveUp: () => void): Promise<void> {
  let isOver = false
  const over = outcome.then(
    () => (isOver = true),
    () => (isOver = true),
  )
  let told: Progress | undefined
  try {
    for (;;) {
      const progress = progressOf(environment, backup)
      if (progress !== undefined && !isSame(progress, told)) onProgress((told = progress))
      if (isOver) return
      await Promise.race([over, sleep(LOOK_MS)])
    }
  } catch (thrown) {
    giveUp()
    await over
    throw thrown
  }
}

/** `undefined`: it has not begun, or was given up. */
function progressOf(environment: Environment, backup: number): Progress | undefined {
  try {
    const { phase, doneBytes, totalBytes } = environment.cold.backupProgress(backup)
    return phase === 'begun' ? undefined : { phase, doneBytes, totalBytes }
  } catch {
    return undefined
  }
}

function isSame(progress: Progress, told: Progress | undefined): boolean {
  return progress.phase === told?.phase && progress.doneBytes === told.doneBytes
}
