// Envelopes as users write them. Nothing here runs: the type check proves what compiles and, by each `@ts-expect-error`, what must not.
import {
  envelope,
  json,
  open,
  type Codec,
  type Envelope,
  type EnvelopeInput,
  type EnvelopeOptions,
  type EventMetadata,
  type EventTypeOptions,
  type StandardSchemaV1,
} from '../../src/index.ts'

interface Types {
  opened: { owner: string }
  deposited: { cents: number }
}
declare const deposit: StandardSchemaV1<{ cents: number | string }, { cents: number }>
declare const dates: StandardSchemaV1<unknown, { at: Date }>

export async function bank(): Promise<number> {
  const deposited: EventTypeOptions<Types['deposited']> = {
    version: 3,
    upcast: { 1: (data) => ({ cents: data.amount }), 2: (data: { cents: number }) => data },
    schema: deposit,
  }
  const options: EnvelopeOptions<Types> = { types: { opened: {}, deposited }, codec: json() }
  const events: Codec<Envelope<Types>, EnvelopeInput<Types>> = envelope<Types>(options)
  // @ts-expect-error each type is listed
  envelope<Types>({ types: { opened: {} } })
  // @ts-expect-error no such type
  envelope<Types>({ types: { opened: {}, deposited: {}, closed: {} } })
  // @ts-expect-error a schema of something else
  envelope<Types>({ types: { opened: {}, deposited: { schema: dates } } })
  await using store = await open('./bank', { events })
  const metadata: EventMetadata = { correlationId: 'a', causationId: 5, user: { id: 3 } }
  await store.append({ type: 'opened', data: { owner: 'x' }, metadata })
  // @ts-expect-error the data of another type
  await store.append({ type: 'opened', data: { cents: 5 } })
  // @ts-expect-error no such type
  await store.append({ type: 'closed', data: {} })
  // @ts-expect-error JSON has no dates
  await store.append({ type: 'opened', data: { owner: 'x' }, metadata: { at: new Date() } })
  let sum = 0
  for (const { event } of store.events()) {
    if (event.type === 'deposited') sum += event.data.cents + event.version
    else event.data.owner.trim()
    await store.append(event)
  }
  return sum
}
