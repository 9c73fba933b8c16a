// Standard Schema v1, types only (https://standardschema.dev): what zod, valibot, arktype and others have in common. Copied here, so that the package has no
// dependencies.

/** A schema of any library that follows Standard Schema v1. */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly '~standard': StandardSchemaV1.Props<Input, Output>
}

/** The parts of a {@link StandardSchemaV1}. */
export declare namespace StandardSchemaV1 {
  /** What a schema says about itself. */
  interface Props<Input, Output> {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => Result<Output> | Promise<Result<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
  /** The outcome of a validation: a value, or issues. */
  type Result<Output> = { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly Issue[] }
  /** One thing that is wrong with a value. */
  interface Issue {
    readonly message: string
    readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
  }
  /** What the schema takes. */
  type InferInput<S extends StandardSchemaV1> = NonNullable<S['~standard']['types']>['input']
  /** What the schema returns. */
  type InferOutput<S extends StandardSchemaV1> = NonNullable<S['~standard']['types']>['output']
}
