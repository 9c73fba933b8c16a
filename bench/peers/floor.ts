// What the machine gives at best: the same bytes, written to a prepared (zero-filled) file and flushed, one after the other.
import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Peer } from '../peer.ts'

const FILE_BYTES = 16 * 2 ** 20

/** Variants: `unflushed` (writes are left to the operating system until the end). */
export async function openPeer(folder: string, variant: string | undefined): Promise<Peer> {
  const file = openSync(join(folder, 'floor'), 'w')
  const zeros = Buffer.alloc(2 ** 20)
  for (let at = 0; at < FILE_BYTES; at += zeros.length) writeSync(file, zeros, 0, zeros.length, at)
  fsyncSync(file)
  let at = 0
  const write = (bytes: Buffer): void => {
    if (at + bytes.length > FILE_BYTES) at = 0
    writeSync(file, bytes, 0, bytes.length, at)
    at += bytes.length
    if (variant !== 'unflushed') fdatasyncSync(file)
  }
  return {
    durability: variant === 'unflushed' ? 'written' : 'flushed to the device',
    commit: (key: Buffer, value: Buffer, event: Buffer) => write(Buffer.concat([key, value, event])),
    appendEvents: (events: readonly Buffer[]) => write(events.length === 1 ? events[0]! : Buffer.concat(events)),
    drain: (level) => (level === 'flushed' ? fdatasyncSync(file) : undefined),
    close: () => closeSync(file),
  }
}
