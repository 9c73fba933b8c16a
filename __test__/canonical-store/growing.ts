// The worker of `foreign-memory.spec.ts` that makes shared memory larger, a byte at a time, while others read it.
import { parentPort, workerData } from 'node:worker_threads'

interface Growable {
  readonly byteLength: number
  readonly maxByteLength: number
  grow(byteLength: number): void
}

const memories = workerData as readonly Growable[]
parentPort?.postMessage('growing')
for (const memory of memories) while (memory.byteLength < memory.maxByteLength) memory.grow(memory.byteLength + 1)
