// Events in envelopes as their users see them: interfaces only.
import type { Codec, Json } from './codec.ts'
import type { StandardSchemaV1 } from './standard-schema.ts'

/** What is recorded about an event besides its data. Further names are the user's own. */
export interface EventMetadata {
  /** Shared by all events of one request, one process, one conversation. */
  readonly correlationId?: string | undefined
  /** What caused this event: a command's id, or the id of another event. */
  readonly causationId?: string | number | undefined
  readonly [name: string]: Json | undefined
}

/** An event as it is read; its data is in the shape of the current `version`. */
export type Envelope<Types extends object> = {
  [T in keyof Types & string]: { readonly type: T; readonly version: number; readonly data: Types[T]; readonly metadata?: EventMetadata }
}[keyof Types & string]

/** An event as it is written. A `version` that is not the current one is refused: an event that was read can be written again, an outdated one cannot. */
export type EnvelopeInput<Types extends object> = {
  [T in keyof Types & string]: {
    readonly type: T
    readonly data: Types[T]
    readonly version?: number | undefined
    readonly metadata?: EventMetadata | undefined
  }
}[keyof Types & string]

/** One type of events. */
export interface EventTypeOptions<Data> {
  /** The current version: an integer from 1 on. Raise it, and add an upcaster, whenever the shape of the data changes. @default 1 */
  version?: number | undefined
  /** From each version before the current one to the next: `{ 1: (data) => dataOfVersion2, 2: (data) => dataOfVersion3 }`. @default none */
  // oxlint-disable-next-line typescript/no-explicit-any -- the shapes of the past, which only the upcaster knows
  upcast?: Readonly<Record<number, (data: any) => unknown>> | undefined
  /** A schema for the data when it is written, of any library that follows Standard Schema. It does not run on reading. @default none */
  schema?: StandardSchemaV1<unknown, Data> | undefined
}

/** Options of {@link envelope}. */
export interface EnvelopeOptions<Types extends object> {
  /** Every type of events that is written or read. Keep a type that is no longer written as long as events of it are kept. */
  types: { readonly [T in keyof Types]: EventTypeOptions<Types[T]> }
  /** How `{ type, version, data, metadata? }` becomes bytes. @default json() */
  codec?: Codec<unknown, never> | undefined
}
