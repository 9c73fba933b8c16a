// Each spec file runs in its own process: a store is held by a process, and a crash must not take its neighbours along.
const typescript = new URL('scripts/typescript/register.mjs', import.meta.url).href

export default {
  files: ['__test__/**/*.spec.ts'],
  extensions: { ts: 'module' },
  nodeArguments: [`--import=${typescript}`, '--expose-gc'],
  workerThreads: false,
  concurrency: 2,
  timeout: '3m',
}
