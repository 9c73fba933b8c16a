// What `register.mjs` gives to Node: a TypeScript file is a module, without its types. Where files are is Node's business; imports name them in full.
import { fileURLToPath } from 'node:url'
import { strip } from './strip.mjs'

/** @type {import('node:module').LoadHook} */
export function load(url, context, nextLoad) {
  if (!url.startsWith('file:') || !new URL(url).pathname.endsWith('.ts')) return nextLoad(url, context)
  return { format: 'module', shortCircuit: true, source: strip(fileURLToPath(url)) }
}
