// Each spec file runs in its own process: a store is held by a process, and a crash must not take its neighbours along.
export default {
  files: ['__test__/**/*.spec.ts'],
  extensions: { ts: 'module' },
  nodeArguments: ['--import=./scripts/typescript/register.mjs', '--expose-gc'],
  workerThreads: false,
  concurrency: 2,
  timeout: '10m',
}
