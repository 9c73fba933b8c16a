// A write-behind cache in front of an HTTP service that fails now and then. Writes are answered at once and sent in batches, the last of each key; reads see one's
// own writes. The service fails, or does what it was asked and says nothing: it knows by the key of a batch that it has it already.
//
//   node examples/write-behind/main.js [--writes N]
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { http, type HttpSnapshot, mapDelta, type MapDeltaTypes, WriteCoordinator } from 'ledgerstone/coordinator'

interface Profile {
  readonly name: string
  readonly visits: number
}
interface Profiles extends MapDeltaTypes<string, Profile> {
  Snapshot: HttpSnapshot | undefined
}

/** The service: a map behind HTTP. */
class Service {
  readonly profiles = new Map<string, Profile>()
  readonly #batches = new Set<string>()
  requests = 0
  failures = 0
  repeats = 0
  reads = 0

  readonly listen: RequestListener = (request, response) => {
    if (request.method === 'GET') {
      this.reads++
      response.end(JSON.stringify(this.profiles.get(decodeURIComponent((request.url ?? '').slice(1))) ?? null))
      return
    }
    const parts: Buffer[] = []
    request
      .on('data', (part: Buffer) => void parts.push(part))
      .on('end', () => {
        const n = ++this.requests
        if (n % 4 === 1) {
          this.failures++
          response.writeHead(503).end()
          return
        }
        this.#take(String(request.headers['idempotency-key']), JSON.parse(Buffer.concat(parts).toString()) as [string, Profile][])
        if (n % 4 === 2) {
          this.failures++
          response.destroy() // it is done, and nobody hears of it
        } else response.end()
      })
  }

  #take(batch: string, entries: readonly (readonly [string, Profile])[]): void {
    if (this.#batches.has(batch)) this.repeats++
    else for (const [key, profile] of entries) this.profiles.set(key, profile)
    this.#batches.add(batch)
  }
}

/** What the program uses. */
class ProfileCache {
  readonly #url: string
  readonly #coordinator: WriteCoordinator<Profiles>

  constructor(url: string) {
    this.#url = url
    this.#coordinator = new WriteCoordinator<Profiles>({
      init: mapDelta(),
      context: undefined,
      snapshot: undefined,
      flusher: http<readonly [string, Profile]>(url, { batch: 50, minDelayMs: 5, maxDelayMs: 50, attempts: 10 }),
      flush: { writes: 200, intervalMs: 20 },
      maxPendingBytes: 1 << 20,
    })
  }

  async put(key: string, profile: Profile): Promise<void> {
    await this.#coordinator.write({ key, value: profile })
  }

  async get(key: string): Promise<Profile | undefined> {
    const { current, frozen } = this.#coordinator.view()
    for (const layer of [current, ...frozen.map(({ value }) => value)]) if (layer.has(key)) return layer.get(key)
    const answer = await fetch(`${this.#url}/${encodeURIComponent(key)}`)
    return ((await answer.json()) as Profile | null) ?? undefined
  }

  async close(): Promise<HttpSnapshot | undefined> {
    await this.#coordinator.close({ signal: AbortSignal.timeout(60_000) })
    return this.#coordinator.view().snapshot
  }
}

const { values } = parseArgs({ options: { writes: { type: 'string', default: '5000' } } })
const writes = Number(values.writes)
const service = new Service()
const server = createServer(service.listen)
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const cache = new ProfileCache(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)

const model = new Map<string, Profile>()
let wrong = 0
for (let n = 0; n < writes; n++) {
  const key = `user ${n % 97}`
  const profile = { name: key, visits: (model.get(key)?.visits ?? 0) + 1 }
  await cache.put(key, profile)
  model.set(key, profile)
  if (n % 10 === 0 && (await cache.get(key))?.visits !== profile.visits) wrong++
}
console.log(`${writes} writes, ${wrong === 0 ? 'each was read as it was written' : `${wrong} were read wrong`}`)
const sent = await cache.close()
const isSame = model.size === service.profiles.size && [...model].every(([key, { visits }]) => service.profiles.get(key)?.visits === visits)
console.log(
  `the service failed ${service.failures} of ${service.requests} requests, knew ${service.repeats} batches again, and ${isSame ? 'has every profile' : 'has other profiles'}`,
)
console.log(`${sent?.items} items were sent in ${sent?.requests} batches`)
server.closeAllConnections()
server.close()
