// What a child that is to be killed reports of each step. A snapshot is `ordinal type shards`.

/** The set before the step, and after it: known, or with one more of that type. */
export type Step = { readonly before: readonly string[] } & ({ readonly after: readonly string[] } | { readonly makes: 'diff' | 'pending' })
