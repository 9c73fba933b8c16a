// Events with a type, a version and metadata, as a thin layer over another codec: the core stores bytes. Events of an older version are brought up to the current one
// when they are read; nothing is ever rewritten.
import { errorOf, invalidArgument, type LedgerstoneError } from '../errors.ts'
import { isBytes, owned } from '../internal/bytes.ts'
import { isThenable, leaveUnheard } from '../internal/thenable.ts'
import { checkFunction, checkInteger, checkOptions } from '../internal/validate.ts'
import { nameOfCodec } from './check-codec.ts'
import type { Codec } from './codec.ts'
import type { Envelope, EnvelopeInput, EnvelopeOptions, EventMetadata, EventTypeOptions } from './envelope-types.ts'
import { checkSchema, json, validate } from './json.ts'
import { refusal } from './refusal.ts'
import { TextCodec } from './text-codec.ts'

const OPTIONS: ReadonlySet<string> = new Set(['types', 'codec'])
const TYPE_OPTIONS: ReadonlySet<string> = new Set(['version', 'upcast', 'schema'])
const PARTS: ReadonlySet<string> = new Set(['type', 'version', 'data', 'metadata'])

/** What the inner codec gets: plain objects. */
interface Sealed {
  readonly type: string
  readonly version: number
  readonly data: unknown
  readonly metadata?: EventMetadata
}
type Inside = Codec<unknown>
type Upcaster = (data: unknown) => unknown

/** One type of events, checked. */
interface EventType {
  readonly version: number
  /** The JSON that an event of it begins with. */
  readonly head: string
  /** From version 1 on. */
  readonly upcasters: readonly Upcaster[]
  readonly schema: EventTypeOptions<unknown>['schema']
}

/**
 * Events as `{ type, data, version?, metadata? }`; the codec's name is that of the inner codec in `envelope()`, `envelope(json)` by default.
 *
 * Each type has a current version, by default 1. Writing stores it with the event; reading runs the upcasters from the stored version up to it, in order, and gives the
 * current version, so code knows only the newest shape of the data. With a schema the data is validated when it is written, and the schema's output is stored.
 * Upcasters are pure, synchronous functions: they run at every read, on data that they may change.
 *
 * Writing and reading raise `ERR_CODEC` for a type that is not listed, for a version newer than the current one (newer code wrote the event), for anything that is no
 * such event, and for an upcaster that throws (its error is the `cause`); writing also for a version that is not the current one, and `ERR_VALIDATION` with the
 * schema's issues.
 *
 * @example
 * ```ts
 * const events = envelope<{ opened: { owner: string }; deposited: { cents: number } }>({
 *   types: {
 *     opened: {},
 *     deposited: { version: 2, upcast: { 1: (data: { amount: number }) => ({ cents: Math.round(data.amount * 100) }) } },
 *   },
 * })
 * const store = await open('./bank', { events })
 * await store.append({ type: 'deposited', data: { cents: 500 }, metadata: { correlationId: 'request 17' } })
 * ```
 *
 * @throws {@link InvalidArgumentError} when a type is wrong, for example when the upcaster from an earlier version is missing
 */
export function envelope<Types extends object>(options: EnvelopeOptions<Types>): Codec<Envelope<Types>, EnvelopeInput<Types>> {
  if (options === undefined) throw invalidArgument('options', 'options are an object')
  checkOptions(options, OPTIONS, 'options')
  const { types, codec = json() } = options as EnvelopeOptions<Record<string, unknown>>
  if (typeof types !== 'object' || types === null || Array.isArray(types)) throw invalidArgument('types', 'the types of the events are an object')
  const name = `envelope(${nameOfCodec(codec, 'codec')})`
  const envelopes = new Envelopes(name, new Map(Object.entries(types).map(([type, of]) => [type, eventType(type, of, `types.${type}`)])))
  const made =
    (codec as unknown) === json()
      ? new JsonEnvelope(envelopes)
      : codec instanceof TextCodec
        ? new TextEnvelope(envelopes, codec as never)
        : new BytesEnvelope(envelopes, codec)
  nameOfCodec(made, 'codec')
  return Object.freeze(made) as never
}

function eventType(type: string, options: EventTypeOptions<unknown>, argument: string): EventType {
  if (options === undefined) throw invalidArgument(argument, 'the options of a type are an object')
  checkOptions(options, TYPE_OPTIONS, argument)
  const { version = 1, upcast = {}, schema } = options
  checkInteger(version, 1, `${argument}.version`)
  if (typeof upcast !== 'object' || upcast === null) throw invalidArgument(`${argument}.upcast`, 'upcasters are an object, by the version that they take')
  if (schema !== undefined) checkSchema(schema, `${argument}.schema`)
  const given = Object.keys(upcast)
  const upcasters = Array.from({ length: Math.min(version, given.length + 2) - 1 }, (_, i) => {
    const from = i + 1
    if (!Object.hasOwn(upcast, from)) throw invalidArgument(`${argument}.upcast`, `there is no upcaster from version ${from} to ${from + 1}`)
    const upcaster: unknown = upcast[from]
    checkFunction(upcaster, `${argument}.upcast.${from}`)
    return upcaster as Upcaster
  })
  const beyond = given.find((from) => !(Number(from) >= 1 && Number(from) < version && String(Math.trunc(Number(from))) === from))
  if (beyond !== undefined) throw invalidArgument(`${argument}.upcast.${beyond}`, `an upcaster takes a version from 1 up to the one before the current, ${version}`)
  return { version, head: `{"type":${JSON.stringify(type)},"version":${version},"data":`, upcasters, schema }
}

/** Converts events to what is stored, and back. */
class Envelopes {
  readonly name: string
  readonly #types: ReadonlyMap<string, EventType>

  constructor(name: string, types: ReadonlyMap<string, EventType>) {
    this.name = name
    this.#types = types
  }

  seal(event: unknown): Sealed {
    const { type, version, data, metadata, of } = this.#parts(event)
    if (version !== undefined && version !== of.version)
      throw this.#error('the event is not of the current version', type, `version=${typeof version === 'number' ? version : typeof version} current=${of.version}`)
    const stored = of.schema === undefined ? data : validate(of.schema, data)
    return metadata === undefined ? { type, version: of.version, data: stored } : { type, version: of.version, data: stored, metadata }
  }

  open(sealed: unknown): Sealed {
    leaveUnheard(sealed)
    const { type, version, data, metadata, of } = this.#parts(sealed)
    if (!Number.isSafeInteger(version) || (version as number) < 1) throw this.#error('the event has no version', type)
    if ((version as number) > of.version) throw this.#error('the event is of a newer version', type, `version=${String(version)} supported=${of.version}`)
    let current = data
    for (let from = version as number; from < of.version; from++) current = this.#upcast(of.upcasters[from - 1] as Upcaster, current, type, from)
    return metadata === undefined ? { type, version: of.version, data: current } : { type, version: of.version, data: current, metadata }
  }

  /** Whether an event, encoded and decoded again, is the same event. An encoder may change anything: it drops functions and makes strings of Dates. */
  check(sealed: Sealed, decode: () => unknown): void {
    let again: { type: string; version: unknown }
    try {
      again = this.#parts(decode())
    } catch (cause) {
      throw this.#error('what the event is encoded to cannot be read again', sealed.type, undefined, cause)
    }
    if (again.type !== sealed.type || again.version !== sealed.version) throw this.#error('the event is encoded to another one', sealed.type)
  }

  /** The same for JSON, without parsing it: its parts come in the order of the object, and only what JSON cannot represent can be missing. */
  checkedText(type: string, text: string): string {
    if (text.startsWith(this.#types.get(type)?.head as string)) return text
    throw this.#error('JSON has no such data', type)
  }

  checkedMetadata(type: string, text: string): string {
    if (text.startsWith('{"metadata":{')) return text
    throw this.#error('metadata is an object, in JSON too', type)
  }

  #upcast(upcaster: Upcaster, data: unknown, type: string, from: number): unknown {
    let next: unknown
    try {
      next = upcaster(data)
    } catch (cause) {
      throw this.#error('an upcaster has failed', type, `from=${from}`, cause)
    }
    leaveUnheard(next)
    if (next === undefined || isThenable(next)) throw this.#error('an upcaster gives data, at once', type, `from=${from}`)
    return next
  }

  #parts(event: unknown): { type: string; version: unknown; data: unknown; metadata: EventMetadata | undefined; of: EventType } {
    if (typeof event !== 'object' || event === null) throw this.#error('an event is an object with a type and data')
    const { type, version, data, metadata } = event as Record<string, unknown>
    if (typeof type !== 'string') throw this.#error('an event is an object with a type and data')
    const of = this.#types.get(type)
    if (of === undefined) throw this.#error('there is no such type of events', type)
    if (data === undefined) throw this.#error('the event has no data', type)
    if (metadata !== undefined && (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))) throw this.#error('metadata is an object', type)
    for (const part of Object.keys(event))
      if (!PARTS.has(part)) throw this.#error('an event has a type, data, a version and metadata, nothing else', type, `part=${part}`)
    return { type, version, data, metadata: metadata as EventMetadata | undefined, of }
  }

  #error(what: string, type?: string, variables?: string, cause?: unknown): LedgerstoneError {
    const parts = [type === undefined ? undefined : `type=${JSON.stringify(type)}`, variables, `codec=${this.name}`]
    return refusal(errorOf('ERR_CODEC', `${what}: ${parts.filter((part) => part !== undefined).join(' ')}`, { codec: this.name }, cause))
  }
}

/** Over plain JSON. */
class JsonEnvelope extends TextCodec<unknown> {
  override readonly name: string
  readonly #envelopes: Envelopes

  constructor(envelopes: Envelopes) {
    super()
    this.name = envelopes.name
    this.#envelopes = envelopes
  }

  encode(event: unknown): string {
    const sealed = this.#envelopes.seal(event)
    const { type, version, data, metadata } = sealed
    if (metadata === undefined) return this.#envelopes.checkedText(type, JSON.stringify(sealed))
    const text = this.#envelopes.checkedText(type, JSON.stringify({ type, version, data }))
    return `${text.slice(0, -1)},${this.#envelopes.checkedMetadata(type, JSON.stringify({ metadata })).slice(1)}`
  }

  override decodeText(text: string): unknown {
    return this.#envelopes.open(JSON.parse(text))
  }
}

/** Over another codec of text, which readers decode from a string. */
class TextEnvelope extends TextCodec<unknown> {
  override readonly name: string
  readonly #envelopes: Envelopes
  readonly #inside: TextCodec<unknown> & Inside

  constructor(envelopes: Envelopes, inside: TextCodec<unknown> & Inside) {
    super()
    this.name = envelopes.name
    this.#envelopes = envelopes
    this.#inside = inside
  }

  encode(event: unknown): Uint8Array | string {
    return encoded(this.#envelopes, this.#inside, event)
  }

  override decodeText(text: string): unknown {
    return this.#envelopes.open(this.#inside.decodeText(text))
  }
}

/** Over any other codec. */
class BytesEnvelope {
  readonly name: string
  readonly #envelopes: Envelopes
  readonly #inside: Inside

  constructor(envelopes: Envelopes, inside: Inside) {
    this.name = envelopes.name
    this.#envelopes = envelopes
    this.#inside = inside
  }

  encode(event: unknown): Uint8Array | string {
    return encoded(this.#envelopes, this.#inside, event)
  }

  decode(bytes: Buffer): unknown {
    return this.#envelopes.open(this.#inside.decode(bytes))
  }
}

/** What the codec makes of an event, checked by reading it again: from a copy, since a codec may use its memory again. */
function encoded(envelopes: Envelopes, inside: Inside, event: unknown): Uint8Array | string {
  const sealed = envelopes.seal(event)
  const made = inside.encode(sealed)
  const bytes = typeof made === 'string' || isBytes(made) ? owned(made) : made // the caller refuses what is neither
  if (typeof bytes === 'string' || isBytes(bytes)) envelopes.check(sealed, () => inside.decode(Buffer.from(bytes as Uint8Array)))
  return bytes
}
