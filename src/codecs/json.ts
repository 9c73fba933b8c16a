// The default codec of values and events: JSON text, validated by a schema on writing if one is given.
import { errorOf, invalidArgument } from '../errors.ts'
import { brand } from '../internal/brand.ts'
import { isThenable, leaveUnheard } from '../internal/thenable.ts'
import type { Codec, Json } from './codec.ts'
import { refusal } from './refusal.ts'
import type { StandardSchemaV1 } from './standard-schema.ts'
import { TextCodec } from './text-codec.ts'

/** The part of `T` that JSON keeps unchanged; a part that it changes is `never`. */
export type JsonSafe<T> = unknown extends T
  ? T
  : T extends string | number | boolean | null | undefined
    ? T
    : // oxlint-disable-next-line typescript/no-explicit-any -- any map, set or function at all
      T extends bigint | symbol | Uint8Array | ReadonlyMap<any, any> | ReadonlySet<any> | ((...args: any[]) => any) | { toJSON(): unknown }
      ? never
      : { [K in keyof T]: JsonSafe<T[K]> }
/** Refuses, at compile time, a schema whose output JSON would change. */
export type JsonOutput<S extends StandardSchemaV1> =
  StandardSchemaV1.InferOutput<S> extends JsonSafe<StandardSchemaV1.InferOutput<S>>
    ? unknown
    : { 'JSON would change the output of this schema (a Date, Map, bigint, bytes …)': never }

/**
 * Values and events as JSON text; the codec's name is `json`. Without a schema the caller vouches for the type. With one, of any library that follows
 * [Standard Schema](https://standardschema.dev) (zod, valibot, arktype), each value is validated when it is written, and the schema's output is stored. A schema does
 * not run on reading.
 *
 * Writing raises `ERR_VALIDATION` with the schema's issues, and `ERR_CODEC` for what JSON cannot represent (`undefined`, a function, a BigInt, a cycle) and for
 * a schema that validates asynchronously.
 *
 * @throws {@link InvalidArgumentError} when `schema` does not follow Standard Schema
 *
 * @example
 * ```ts
 * const users = store.collection('users', { value: json<{ name: string }>() })
 * await users.put('u1', { name: 'Anna' })
 * ```
 */
export function json<T = Json>(): Codec<T>
export function json<S extends StandardSchemaV1>(schema: S & JsonOutput<S>): Codec<StandardSchemaV1.InferOutput<S>, StandardSchemaV1.InferInput<S>>
export function json(schema?: StandardSchemaV1): Codec<unknown> {
  if (schema === undefined) return PLAIN as Codec<unknown>
  checkSchema(schema, 'schema')
  return Object.freeze(new JsonCodec(schema)) as Codec<unknown>
}

/** JSON, with or without a schema. @internal */
export class JsonCodec extends TextCodec<unknown> {
  override readonly name = 'json'
  readonly #schema: StandardSchemaV1 | undefined

  constructor(schema: StandardSchemaV1 | undefined) {
    super()
    this.#schema = schema
  }

  encode(value: unknown): string {
    const checked = this.#schema === undefined ? value : validate(this.#schema, value)
    const text = JSON.stringify(checked) as string | undefined
    if (text === undefined) throw new TypeError(`JSON has no ${checked === undefined ? 'undefined' : typeof checked}`)
    return text
  }

  override decodeText(text: string): unknown {
    return JSON.parse(text)
  }
}

brand(JsonCodec, 'JsonCodec')

const PLAIN = Object.freeze(new JsonCodec(undefined))

/** A schema of Standard Schema v1. @internal */
export function checkSchema(schema: unknown, argument: string): asserts schema is StandardSchemaV1 {
  if (typeof (schema as StandardSchemaV1 | null)?.['~standard']?.validate === 'function') return
  throw invalidArgument(argument, 'a schema follows Standard Schema v1')
}

/** What the schema makes of a value; `ERR_VALIDATION`. @internal */
export function validate(schema: StandardSchemaV1, value: unknown): unknown {
  const result = schema['~standard'].validate(value)
  if (isThenable(result)) {
    leaveUnheard(result)
    throw new TypeError('the schema validates asynchronously')
  }
  const { issues } = result
  if (issues === undefined) return (result as { readonly value: unknown }).value
  const [first] = issues
  throw refusal(errorOf('ERR_VALIDATION', `the schema refused the value: issues=${issues.length} path=${pathOf(first)}`, { issues }))
}

/** The path of the first issue, as a programmer writes it: `lines[0].n`; `.` is the value itself. */
function pathOf(issue: StandardSchemaV1.Issue | undefined): string {
  let path = ''
  for (const segment of issue?.path ?? []) {
    const key = typeof segment === 'object' ? segment.key : segment
    if (typeof key === 'number') path += `[${key}]`
    else path += path === '' ? String(key) : `.${String(key)}`
  }
  return path === '' ? '.' : path
}
