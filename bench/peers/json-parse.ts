// No store at all: the JSON of the events as strings in memory, parsed one after another. What any store of JSON does at least.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sampleEvent, type Peer, type SampleEvent } from '../peer.ts'

export async function openPeer(folder: string): Promise<Peer> {
  const path = join(folder, 'events.jsonl')
  // Each line is made a separate string: a slice of a long one is slower to parse, and that would be no floor.
  const lines = existsSync(path) ? linesOf(readFileSync(path)) : []
  return {
    durability: 'in memory',
    fillEvents: (count: number) => writeFileSync(path, Array.from({ length: count }, (_, n) => `${JSON.stringify(sampleEvent(n))}\n`).join('')),
    iterateEvents() {
      let events = 0
      for (const line of lines) events += (JSON.parse(line) as SampleEvent).type.length > 0 ? 1 : 0
      return events
    },
    close: () => undefined,
  }
}

function linesOf(bytes: Buffer): string[] {
  const lines: string[] = []
  for (let at = 0, end = bytes.indexOf(10); end !== -1; at = end + 1, end = bytes.indexOf(10, at)) lines.push(bytes.toString('latin1', at, end))
  return lines
}
