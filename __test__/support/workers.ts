// Worker threads of tests and scenes. What a worker reports and how it ends is kept from its start: a test that asks later is not too late.
import { Worker, type WorkerOptions } from 'node:worker_threads'

const started = new WeakMap<Worker, Mailbox>()

/** Starts a worker thread from a file. Tests start workers in no other way. */
export function startWorker(file: URL | string, workerData: unknown, options: Omit<WorkerOptions, 'workerData'> = {}): Worker {
  const worker = new Worker(file, { ...options, workerData })
  started.set(worker, new Mailbox(worker))
  return worker
}

/** The next message of a worker that nobody has taken yet. Rejects when the worker ends without one. */
export function told(worker: Worker): Promise<unknown> {
  return mailboxOf(worker).next()
}

/** The exit code of a worker, once it has ended. */
export function ended(worker: Worker): Promise<number> {
  return mailboxOf(worker).ended
}

interface Waiting {
  resolve(message: unknown): void
  reject(reason: Error): void
}

class Mailbox {
  readonly ended: Promise<number>
  readonly #messages: unknown[] = []
  readonly #waiting: Waiting[] = []
  #silent: Error | undefined

  constructor(worker: Worker) {
    worker.on('message', (message: unknown) => this.#take(message))
    this.ended = new Promise((resolve) => {
      worker.once('exit', (code) => {
        this.#silent = new Error(`the worker ended with ${code} and told nothing more`)
        for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#silent)
        resolve(code)
      })
    })
  }

  next(): Promise<unknown> {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift())
    if (this.#silent !== undefined) return Promise.reject(this.#silent)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  #take(message: unknown): void {
    const first = this.#waiting.shift()
    if (first === undefined) this.#messages.push(message)
    else first.resolve(message)
  }
}

function mailboxOf(worker: Worker): Mailbox {
  const mailbox = started.get(worker)
  if (mailbox === undefined) throw new Error('start it with startWorker: what it has told already is lost')
  return mailbox
}
