// A ready flusher: items sent to an HTTP endpoint in batches. A batch whose answer was lost is sent again under the same key, by which the endpoint knows it.
import { randomUUID } from 'node:crypto'
import { errorOf, invalidArgument } from '../errors.ts'
import { Deferred } from '../internal/deferred.ts'
import { AbortController, clearTimeout, MAX_TIMER_MS, setTimeout, throwIfAborted, urlText } from '../internal/platform.ts'
import { checkFunction, checkInteger, checkOptions } from '../internal/validate.ts'
import { retry } from '../retry.ts'
import type { EpochRange } from './coordinator-types.ts'
import { timedOut } from './held-writes.ts'
import { encodedText, type ItemsFlusher } from './items-flusher.ts'
import { OneAtATime } from './one-at-a-time.ts'

const OPTIONS: ReadonlySet<string> = new Set(['method', 'headers', 'batch', 'timeoutMs', 'attempts', 'minDelayMs', 'maxDelayMs', 'encode', 'fetch'])
/** Besides 5xx: the request took too long, came too early, came too often. */
const RETRYABLE_STATUS: ReadonlySet<number> = new Set([408, 425, 429])

/** What `fetch` is called with. */
export interface HttpRequest {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
  readonly redirect: 'manual'
}

/** The parts of an answer that are used. */
export interface HttpAnswer {
  readonly ok: boolean
  readonly status: number
  readonly body?: { cancel(): Promise<void> } | null
}

/** How {@link http} sends. */
export interface HttpOptions<Item> {
  /** The method of each request; its requests have a body, so not `GET`. @default 'POST' */
  method?: string | undefined
  /** Besides `content-type: application/json` and `idempotency-key`, which cannot be set; names in lower case. @default none */
  headers?: Readonly<Record<string, string>> | undefined
  /** Items in a request at most, from 1. @default 1000 */
  batch?: number | undefined
  /** How long one request may take, in ms, up to 2^31-1. @default 30000 */
  timeoutMs?: number | undefined
  /** How often a request is sent at most, from 1. @default 5 */
  attempts?: number | undefined
  /** The longest wait before the second attempt, in ms, doubled before each further one. @default 100 */
  minDelayMs?: number | undefined
  /** No wait is longer, in ms. @default 10000 */
  maxDelayMs?: number | undefined
  /** Makes the body of a request of its items; by default a JSON array. @default JSON.stringify */
  encode?: ((items: readonly Item[]) => string) | undefined
  /** Sends a request. @default the global `fetch` */
  fetch?: ((url: string, request: HttpRequest) => Promise<HttpAnswer>) | undefined
}

/** How far {@link http} has come. */
export interface HttpSnapshot {
  /** Requests accepted since the flusher was made. */
  readonly requests: number
  /** Items in them. */
  readonly items: number
}

/**
 * A flusher that sends items to an HTTP endpoint, in order, one request at a time. What the endpoint has accepted (2xx) is `written`; whether it is also `durable`
 * is up to the endpoint.
 *
 * A request that gets 408, 425, 429 or 5xx, or no answer in time, is sent again. Its `idempotency-key` is the same in every attempt, so the endpoint can recognise
 * what it has already. Any other answer, redirections included, ends the coordinator. Each delta arrives at least once.
 *
 * Its calls reject with `ERR_IO` when all attempts have failed. If its `retryable` is true, {@link CoordinatorOptions.retry} may repeat the call, which goes on after
 * the batches that were accepted. They reject with `ERR_CODEC` for items without a text.
 *
 * @throws `ERR_INVALID_ARGUMENT`
 * @example
 * ```ts
 * interface User { name: string }
 * interface Users extends MapDeltaTypes<string, User> { Snapshot: HttpSnapshot | undefined }
 *
 * const flusher = http<readonly [id: string, user: User]>('https://example.com/users', { headers: { authorization: 'Bearer a-token' }, batch: 100 })
 * const coordinator = new WriteCoordinator<Users>({ init: mapDelta(), context: undefined, snapshot: undefined, flusher })
 * ```
 */
export function http<Item = unknown>(endpoint: string | URL, options?: HttpOptions<Item>): ItemsFlusher<Item, HttpSnapshot> {
  checkOptions(options, OPTIONS, 'options')
  const { method = 'POST', headers = {}, batch = 1_000, timeoutMs = 30_000, encode = (items: readonly Item[]) => JSON.stringify(items) } = options ?? {}
  const { attempts = 5, minDelayMs = 100, maxDelayMs = 10_000, fetch: send = globalThis.fetch } = options ?? {}
  if (typeof method !== 'string' || !/^[a-z-]+$/i.test(method) || /^(get|head|connect|trace|track)$/i.test(method)) {
    throw invalidArgument('method', 'a method whose request has a body is needed')
  }
  checkInteger(batch, 1, 'batch')
  for (const [name, value, min] of [
    ['timeoutMs', timeoutMs, 1],
    ['minDelayMs', minDelayMs, 0],
    ['maxDelayMs', maxDelayMs, 0],
  ] as const) {
    checkInteger(value, min, name)
    if (value > MAX_TIMER_MS) throw invalidArgument(name, `an integer up to ${MAX_TIMER_MS} is needed`)
  }
  checkInteger(attempts, 1, 'attempts')
  checkFunction(encode, 'encode')
  checkFunction(send, 'fetch')
  return new Http({
    url: checkedUrl(endpoint),
    method,
    headers: { 'content-type': 'application/json', ...checkedHeaders(headers) },
    batch,
    timeoutMs,
    attempts,
    minDelayMs,
    maxDelayMs,
    encode,
    send,
  })
}

interface HttpPlan<Item> {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly batch: number
  readonly timeoutMs: number
  readonly attempts: number
  readonly minDelayMs: number
  readonly maxDelayMs: number
  readonly encode: (items: readonly Item[]) => string
  readonly send: NonNullable<HttpOptions<Item>['fetch']>
}

/** A delta that is being sent, if necessary over several calls. */
interface Delivery {
  readonly of: object
  /** What the keys of all its batches begin with. */
  readonly key: string
  /** How many batches were accepted. */
  accepted: number
}

class Http<Item> implements ItemsFlusher<Item, HttpSnapshot> {
  readonly #plan: HttpPlan<Item>
  readonly #calls = new OneAtATime()
  #snapshot: HttpSnapshot = { requests: 0, items: 0 }
  #delivery: Delivery | undefined

  constructor(plan: HttpPlan<Item>) {
    this.#plan = plan
  }

  flushDelta(frozen: Iterable<Item>, _: EpochRange, { signal }: { signal: AbortSignal }): Promise<HttpSnapshot> {
    return this.#calls.run(() => this.#flush(frozen, signal))
  }

  async flushStorage(): Promise<void> {}

  async #flush(frozen: Iterable<Item>, signal: AbortSignal): Promise<HttpSnapshot> {
    // Known by its identity: another coordinator, and the next run, use the same epochs.
    if (this.#delivery?.of !== frozen) this.#delivery = { of: frozen, key: randomUUID(), accepted: 0 }
    const delivery = this.#delivery
    let n = 0
    for (const items of batchesOf(frozen, this.#plan.batch)) {
      if (n++ < delivery.accepted) continue
      await this.#deliver(items, `${delivery.key}-${n}`, signal)
      delivery.accepted = n
      this.#snapshot = { requests: this.#snapshot.requests + 1, items: this.#snapshot.items + items.length }
    }
    this.#delivery = undefined
    return this.#snapshot
  }

  async #deliver(items: readonly Item[], key: string, signal: AbortSignal): Promise<void> {
    const { attempts, minDelayMs, maxDelayMs, encode } = this.#plan
    const body = encodedText(encode, items, `batch ${key}`)
    await retry(() => this.#send(body, key, signal), { attempts, minDelayMs, maxDelayMs, signal })
  }

  async #send(body: string, key: string, signal: AbortSignal): Promise<void> {
    const { url, method, headers, timeoutMs, send } = this.#plan
    const limited = new LimitedSignal(signal, timeoutMs)
    let answer: HttpAnswer
    try {
      const request: HttpRequest = { method, headers: { ...headers, 'idempotency-key': key }, body, signal: limited.signal, redirect: 'manual' }
      const { ok, status, body: unread } = await Promise.race([send(url, request), limited.aborted])
      answer = { ok, status, body: unread ?? null }
    } catch (cause) {
      throwIfAborted(signal)
      throw notTaken(url, 'no answer', true, cause)
    } finally {
      limited.end()
    }
    const { ok, status, body: unread } = answer
    void discard(unread)
    if (!ok) throw notTaken(url, `status=${status}`, status >= 500 || RETRYABLE_STATUS.has(status), undefined)
  }
}

/** A signal that aborts with another one, or after `timeoutMs`. */
class LimitedSignal {
  readonly #controller = new AbortController()
  readonly #aborted = new Deferred<never>()
  readonly #outer: AbortSignal
  readonly #timer: NodeJS.Timeout

  constructor(outer: AbortSignal, timeoutMs: number) {
    this.#outer = outer
    this.#aborted.promise.catch(() => {})
    outer.addEventListener('abort', this.#abort)
    this.#timer = setTimeout(() => this.#end(timedOut('the endpoint did not answer in time', timeoutMs)), timeoutMs)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Rejects when it aborts, even if `fetch` ignores the signal. */
  get aborted(): Promise<never> {
    return this.#aborted.promise
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#outer.removeEventListener('abort', this.#abort)
  }

  readonly #abort = (): void => this.#end(this.#outer.reason)

  #end(reason: unknown): void {
    this.#controller.abort(reason)
    this.#aborted.reject(reason)
  }
}

/** An answer that is not read would keep its connection. What becomes of it says nothing of the batch, which has its answer. */
async function discard(body: HttpAnswer['body']): Promise<void> {
  try {
    await body?.cancel()
  } catch {
    // a body of another implementation, or one that the sender has read
  }
}

function* batchesOf<Item>(items: Iterable<Item>, size: number): Generator<Item[]> {
  let batch: Item[] = []
  for (const item of items) {
    if (batch.push(item) < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function notTaken(url: string, why: string, retryable: boolean, cause: unknown): Error {
  const { origin, pathname } = new URL(url) // the rest of the URL may be secret
  return errorOf('ERR_IO', `the endpoint did not take the batch: ${why} endpoint=${origin}${pathname}`, { retryable }, cause)
}

function checkedUrl(endpoint: unknown): string {
  const text = urlText(endpoint) ?? endpoint
  if (typeof text !== 'string' || !/^https?:\/\//i.test(text) || !URL.canParse(text)) throw invalidArgument('endpoint', 'an http: or https: URL is needed')
  const { username, password } = new URL(text)
  if (username !== '' || password !== '') throw invalidArgument('endpoint', 'a name and a password cannot be in the URL; send them as the header `authorization`')
  return text
}

/** A copy: what was checked is what is sent. Two spellings of a name would be sent as one header with both values. */
function checkedHeaders(headers: unknown): Record<string, string> {
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers) throw invalidArgument('headers', 'an object with a string for each name is needed')
  const entries: [string, unknown][] = Object.entries(headers)
  for (const [name, value] of entries) {
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) throw invalidArgument(`headers.${name}`, 'the name of a header, in lower case, is needed')
    if (name === 'idempotency-key') throw invalidArgument(`headers.${name}`, 'each request has its own')
    if (typeof value !== 'string' || /[^\t -~\x80-\xff]/.test(value)) throw invalidArgument(`headers.${name}`, 'a string that a header can hold is needed')
  }
  return Object.fromEntries(entries) as Record<string, string>
}
