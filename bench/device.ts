// The flushes that the device itself has completed, as Linux counts them for the whole device: what others flush meanwhile is in it. A device that
// keeps nothing in a volatile cache needs none and gets none, so that nothing is counted there.
import { existsSync, readFileSync, statSync } from 'node:fs'

/** In /proc/diskstats after major, minor and name: "flush requests completed successfully". */
const FLUSHES = 18

/** Of the device that the folder is on; undefined where the system does not tell. */
export function deviceFlushes(folder: string): number | undefined {
  if (process.platform !== 'linux') return undefined
  const name = deviceOf(folder)
  if (name === undefined) return undefined
  const line = readFileSync('/proc/diskstats', 'utf8')
    .split('\n')
    .map((text) => text.trim().split(/\s+/))
    .find((fields) => fields[2] === name)
  return line?.[FLUSHES] === undefined ? undefined : Number(line[FLUSHES])
}

function deviceOf(folder: string): string | undefined {
  const { dev } = statSync(folder)
  // As glibc packs it: 12 bits of major between 8 and 12 bits of minor.
  const at = `/sys/dev/block/${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`
  if (!existsSync(at)) return undefined
  // A partition counts no flushes: they are counted for the whole device.
  const disk = existsSync(`${at}/partition`) ? `${at}/..` : at
  if (readFileSync(`${disk}/queue/write_cache`, 'utf8').trim() !== 'write back') return undefined
  return /^DEVNAME=(.+)$/m.exec(readFileSync(`${disk}/uevent`, 'utf8'))?.[1]
}
