// Sending to a real server that fails in every way: each batch arrives, under one key however often it is sent.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import type { LedgerstoneError } from '../../src/index.ts'
import { http, type HttpOptions, type HttpSnapshot, listDelta, type ListDeltaTypes, WriteCoordinator } from '../../src/write-coordinator/index.ts'

interface Numbers extends ListDeltaTypes<number> {
  Snapshot: HttpSnapshot | undefined
}
interface Request {
  readonly key: string
  readonly items: readonly number[]
  readonly headers: IncomingMessage['headers']
}
type Answer = (response: ServerResponse, request: Request) => void

const { signal } = new AbortController()
const QUICK: HttpOptions<number> = { minDelayMs: 1, maxDelayMs: 2 }
const status =
  (code: number, headers = {}): Answer =>
  (response) =>
    void response.writeHead(code, headers).end('x'.repeat(100_000))
const hangUp: Answer = (response) => void response.destroy()

async function endpoint(t: ExecutionContext, answer: (request: Request, n: number) => Answer): Promise<{ url: string; requests: Request[] }> {
  const requests: Request[] = []
  const server = createServer((incoming, response) => {
    let body = ''
    incoming
      .setEncoding('utf8')
      .on('data', (chunk: string) => void (body += chunk))
      .on('end', () => {
        const request = { key: String(incoming.headers['idempotency-key']), items: JSON.parse(body) as number[], headers: incoming.headers }
        answer(request, requests.push(request))(response, request)
      })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => (server.closeAllConnections(), server.close()))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/numbers?secret=1`, requests }
}

test('batches are sent in order, each again under its key until it is accepted', async (t) => {
  const odd: readonly Answer[] = [status(500), status(503), status(429), status(408), hangUp, () => {}]
  const tries = new Map<string, number>()
  const { url, requests } = await endpoint(t, ({ key }, n) => {
    const tried = (tries.get(key) ?? 0) + 1
    tries.set(key, tried)
    return tried < 3 ? (odd[n % odd.length] as Answer) : status(200)
  })
  const flusher = http<number>(url, { ...QUICK, batch: 10, timeoutMs: 200, headers: { authorization: 'me' } })
  const coordinator = new WriteCoordinator<Numbers>({ init: listDelta(), context: undefined, snapshot: undefined, flusher, flush: { writes: 25 } })
  for (let n = 0; n < 60; n++) await coordinator.write(n)
  await coordinator.close()
  const accepted = [...new Map(requests.map(({ key, items }) => [key, items])).values()]
  t.deepEqual(
    accepted.map((items) => items.length),
    [10, 10, 5, 10, 10, 5, 10],
  )
  t.deepEqual(
    accepted.flat(),
    Array.from({ length: 60 }, (_, n) => n),
  )
  for (const { key, items, headers } of requests) {
    t.deepEqual(items, requests.find((request) => request.key === key)?.items)
    t.like(headers, { authorization: 'me', 'content-type': 'application/json' })
  }
  t.deepEqual(coordinator.view().snapshot, { requests: 7, items: 60 })
})

test('an answer that will not change ends it, and says nothing of what stands in the address', async (t) => {
  for (const code of [400, 401, 301, 307, 501 + 1000]) {
    const { url, requests } = await endpoint(t, () => (code > 1000 ? status(501) : status(code, { location: '/' })))
    const error = (await t.throwsAsync(http<number>(url, { ...QUICK, attempts: 2 }).flushDelta([1], { start: 1, end: 2 }, { signal }), {
      code: 'ERR_IO',
    })) as LedgerstoneError
    t.is(error.retryable, code > 1000)
    t.is(requests.length, code > 1000 ? 2 : 1)
    t.false(error.message.includes('secret'))
  }
})

test('the coordinator may go on where the tries have ended, after what was accepted', async (t) => {
  let isUp = true
  const { url, requests } = await endpoint(t, ({ items }) => {
    if (items[0] === 2 && requests.length < 8) isUp = false
    return isUp || requests.length >= 8 ? status(204) : status(503)
  })
  const coordinator = new WriteCoordinator<Numbers>({
    init: listDelta(),
    context: undefined,
    snapshot: undefined,
    flusher: http<number>(url, { ...QUICK, batch: 2, attempts: 2 }),
    retry: { attempts: 10, minDelayMs: 1 },
  })
  for (let n = 0; n < 6; n++) coordinator.tryWrite(n)
  await coordinator.close()
  t.deepEqual([requests.filter(({ items }) => items[0] === 0).length, requests.at(-1)?.items], [1, [4, 5]])
  t.is(new Set(requests.map(({ key }) => key)).size, 3)
})

// Bug: a flusher that served a second coordinator left out the first batches, and the service took the others for known ones. Mechanism: a delta was known
// by its epochs, which begin at 1 in each coordinator. Fix: a delta is known by its identity, and its keys are random.
test('a flusher that serves one coordinator after another, or two at once, sends everything', async (t) => {
  const { url, requests } = await endpoint(t, () => status(200))
  const flusher = http<number>(url, { ...QUICK, batch: 2 })
  const make = (): WriteCoordinator<Numbers> => new WriteCoordinator<Numbers>({ init: listDelta(), context: undefined, snapshot: undefined, flusher })
  for (const run of [0, 1]) {
    const coordinators = [make(), make()]
    for (const [which, coordinator] of coordinators.entries()) for (let n = 0; n < 5; n++) coordinator.tryWrite(run * 100 + which * 10 + n)
    await Promise.all(coordinators.map((coordinator) => coordinator.close()))
  }
  t.is(new Set(requests.map(({ key }) => key)).size, 12)
  t.deepEqual(
    requests.flatMap(({ items }) => items),
    [0, 10, 100, 110].flatMap((from) => [0, 1, 2, 3, 4].map((n) => from + n)),
  )
})

test('closing that is given up ends a request that hangs, also where nobody listens to its signal', async (t) => {
  for (const fetch of [undefined, () => new Promise<never>(() => {})]) {
    const { url } = await endpoint(t, () => () => {})
    const coordinator = new WriteCoordinator<Numbers>({ init: listDelta(), context: undefined, snapshot: undefined, flusher: http<number>(url, { fetch }) })
    coordinator.tryWrite(1)
    const error: unknown = await coordinator.close({ signal: AbortSignal.timeout(50) }).catch((error: unknown) => error)
    t.is((error as DOMException).name, 'TimeoutError')
    t.is(coordinator.failure?.code, 'ERR_POISONED')
  }
  const deaf = http<number>('http://a', { fetch: () => new Promise<never>(() => {}), timeoutMs: 5, attempts: 2, minDelayMs: 1 })
  await t.throwsAsync(deaf.flushDelta([1], { start: 1, end: 2 }, { signal }), { code: 'ERR_IO', message: /no answer/ })
})

test('items without a text are refused with their key', async (t) => {
  await t.throwsAsync(http('http://a').flushDelta([1n], { start: 1, end: 2 }, { signal }), { code: 'ERR_CODEC' })
  for (const encode of [() => undefined as never, () => '["\ud800"]']) {
    await t.throwsAsync(http('http://a', { encode }).flushDelta([1], { start: 1, end: 2 }, { signal }), { code: 'ERR_CODEC' })
  }
})

test('by default a request is a POST of at most 1,000 items, and is sent five times', async (t) => {
  const sent: string[] = []
  const fetch: HttpOptions<number>['fetch'] = async (_, { method, headers, body }) => {
    const { length } = JSON.parse(body) as number[]
    sent.push(`${method} ${headers['content-type']} ${length}`)
    return { ok: length === 1000, status: 503 }
  }
  const items = Array.from({ length: 1001 }, (_, n) => n)
  await t.throwsAsync(http('http://a', { fetch, minDelayMs: 0 }).flushDelta(items, { start: 1, end: 1002 }, { signal }), { code: 'ERR_IO' })
  t.deepEqual(sent, ['POST application/json 1000', ...Array.from({ length: 5 }, () => 'POST application/json 1')])
})

// Bug: a batch that the endpoint had accepted ended the coordinator. Mechanism: its answer was let go by calling a method that answers of other makes do not have. Fix: what becomes
// of an answer's body is nobody's concern; what is no answer at all is "no answer".
test('answers of other makes', async (t) => {
  const bodies: unknown[] = ['text', {}, null, undefined, { cancel: () => Promise.reject(new Error('locked')) }, { cancel: 5 }]
  for (const body of bodies) {
    const flusher = http<number>('http://a', { attempts: 1, fetch: async () => ({ ok: true, status: 200, body }) as never })
    t.deepEqual(await flusher.flushDelta([1], { start: 1, end: 2 }, { signal }), { requests: 1, items: 1 })
  }
  for (const answer of [undefined, null]) {
    const flusher = http<number>('http://a', { attempts: 1, fetch: async () => answer as never })
    await t.throwsAsync(flusher.flushDelta([1], { start: 1, end: 2 }, { signal }), { code: 'ERR_IO', message: /no answer/ })
  }
})

test('a request that takes too long says so', async (t) => {
  const flusher = http<number>('http://a', { attempts: 1, timeoutMs: 5, fetch: () => new Promise(() => {}) })
  const error = (await t.throwsAsync(flusher.flushDelta([1], { start: 1, end: 2 }, { signal }), { code: 'ERR_IO' })) as LedgerstoneError
  t.like(error.cause, { code: 'ERR_TIMEOUT', waitedMs: 5 })
  t.true(error.retryable)
})
