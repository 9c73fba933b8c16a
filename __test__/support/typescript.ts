// How a child process runs TypeScript: by itself where Node strips types, else with the hooks that do.

/** For Node's command line, before the program. */
export const TYPESCRIPT: readonly string[] = (process.features as { typescript?: unknown }).typescript
  ? []
  : [`--import=${new URL('../../scripts/typescript/register.mjs', import.meta.url).href}`]
