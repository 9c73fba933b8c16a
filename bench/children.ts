// Where the work is done: a process for each round, of this Node or of a later one.
import { execFileSync, fork } from 'node:child_process'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Answer, Order } from './child.ts'

const MODERN_NODE = '24.21.0'

export interface NodeProgram {
  readonly execPath: string
  readonly version: string
}

export const thisNode: NodeProgram = { execPath: process.execPath, version: process.versions.node }

/** This Node when it is recent enough, else one from the npm registry; nothing when there is no way to it. */
export function modernNode(): NodeProgram | undefined {
  if (Number(process.versions.node.split('.')[0]) >= 22) return thisNode
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const from = ['--yes', '--package', `node-${platform}-${process.arch}@${MODERN_NODE}`, '--', 'node', '-p', 'process.execPath']
  try {
    return { execPath: execFileSync('npx', from, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim(), version: MODERN_NODE }
  } catch {
    return undefined
  }
}

export const whyNoModernNode = `there is no Node ${MODERN_NODE} here, and npm has not fetched one`

export function inChild(order: Order, { execPath }: NodeProgram): Promise<Answer> {
  // Compiled or through a loader hook: its own name tells.
  const program = fileURLToPath(new URL('.', import.meta.url))
  return new Promise((resolve, reject) => {
    const child = fork(join(program, `child${extname(fileURLToPath(import.meta.url))}`), [JSON.stringify(order)], {
      execPath,
      execArgv: [...process.execArgv, '--expose-gc'],
    })
    let answer: Answer | undefined
    child.on('message', (message: Answer) => (answer = message))
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (answer !== undefined && code === 0) resolve(answer)
      else reject(new Error(`${JSON.stringify(order)} ended with ${signal ?? code}`))
    })
  })
}
