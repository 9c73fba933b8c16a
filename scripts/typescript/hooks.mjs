// What `register.mjs` gives to Node: a TypeScript file is read, its types are taken out, and it is a module. Where files are found is Node's own
// business: imports name their files in full.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import oxc from '@oxc-node/core'

const transformer = new oxc.OxcTransformer(fileURLToPath(new URL('../..', import.meta.url)))

/** @type {import('node:module').LoadHook} */
export async function load(url, context, nextLoad) {
  if (!isTypeScript(url)) return nextLoad(url, context)
  const path = fileURLToPath(url)
  const output = transformer.transform(path, await readFile(path, 'utf8'))
  const map = Buffer.from(output.sourceMap() ?? '').toString('base64')
  return { format: 'module', shortCircuit: true, source: `${output.source()}\n//# sourceMappingURL=data:application/json;base64,${map}\n` }
}

function isTypeScript(url) {
  return url.startsWith('file:') && new URL(url).pathname.endsWith('.ts')
}
