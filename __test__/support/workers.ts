// What scenes with worker threads wait for.
import type { Worker } from 'node:worker_threads'

/** The next message of a worker. */
export function told(worker: Worker): Promise<unknown> {
  return new Promise((resolve) => worker.once('message', resolve))
}

/** The exit code of a worker, once it has ended. */
export function ended(worker: Worker): Promise<number> {
  return new Promise((resolve) => worker.once('exit', resolve))
}
