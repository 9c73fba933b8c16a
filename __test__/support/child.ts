// A program of the tests in a separate process: what it reports line by line, how it ends, and a limit on how long it may take.
import { spawn, type ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { REPORT_FD } from './report.ts'
import { TYPESCRIPT } from './typescript.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Only what hangs comes to it: a machine may be busy with twenty times as much as it can do. */
const DEFAULT_LIMIT_MS = 300_000

export interface ChildOptions {
  readonly args?: readonly string[]
  readonly nodeArgs?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** A program that runs Node, with the arguments before Node's own path: for limits and the like. */
  readonly runner?: readonly [program: string, ...args: string[]]
  /** Beyond this the child is killed and counts as hung. */
  readonly limitMs?: number
  /** Called with each line that the child reports. */
  readonly onReport?: (line: string) => void
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly reports: readonly string[]
  /** It did not end by itself in time. */
  readonly hung: boolean
}

/** A running child. */
export class Child {
  readonly process: ChildProcess
  /** How it ended. Never rejects for what the child does. */
  readonly ended: Promise<Ended>
  readonly #reports: string[] = []
  readonly #awaited = new Map<string, (() => void)[]>()
  #hung = false
  #hasEnded = false

  /** Starts `program` (a TypeScript file) in the repository's folder. */
  constructor(program: string | URL, options: ChildOptions = {}) {
    const { args = [], nodeArgs = [], env = {}, runner = [], limitMs = DEFAULT_LIMIT_MS, onReport } = options
    const file = typeof program === 'string' ? program : fileURLToPath(program)
    const [command, ...rest] = [...runner, process.execPath] as [string, ...string[]]
    const child = spawn(command, [...rest, ...nodeArgs, ...TYPESCRIPT, file, ...args], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    this.process = child
    const out: Buffer[] = []
    const errors: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk))
    lines(child.stdio[REPORT_FD] as Readable, (line) => {
      this.#reports.push(line)
      for (const wake of this.#awaited.get(line) ?? []) wake()
      onReport?.(line)
    })
    const limit = setTimeout(() => {
      this.#hung = true
      child.kill('SIGKILL')
    }, limitMs)
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        clearTimeout(limit)
        this.#hasEnded = true
        for (const wake of [...this.#awaited.values()].flat()) wake()
        resolve({ code, signal, stdout: text(out), stderr: text(errors), reports: this.#reports, hung: this.#hung })
      })
    })
  }

  /** Resolves when the child has reported this very line, or has ended. */
  reported(line: string): Promise<void> {
    if (this.#hasEnded || this.#reports.includes(line)) return Promise.resolve()
    return new Promise((resolve) => this.#awaited.set(line, [...(this.#awaited.get(line) ?? []), resolve])) // its end resolves them all
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal)
  }
}

/** Runs a program to its end. */
export function runChild(program: string | URL, options: ChildOptions = {}): Promise<Ended> {
  return new Child(program, options).ended
}

function lines(from: Readable, take: (line: string) => void): void {
  let rest = ''
  from.setEncoding('utf8')
  from.on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? '' // a line that was cut off by the end says nothing
    for (const line of parts) take(line)
  })
  from.on('error', () => {})
}

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString()
}
