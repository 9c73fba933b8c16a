// Point reads of random keys that exist.
import { Random, keysFor, type Peer } from '../peer.ts'
import type { Meter } from '../meter.ts'
import type { Measured, Size } from '../workload.ts'

const READS_PER_STEP = 1000

/** `lengthOfEach`: what the contestants say of each value, so that nobody reads nothing. */
export async function randomGet(peer: Peer, size: Size, meter: Meter, lengthOfEach: number): Promise<Measured> {
  const keys = keysFor(size.records)
  const random = new Random(4)
  let bytes = 0
  let reads = 0
  const step = (): void => {
    for (let i = 0; i < READS_PER_STEP; i++) bytes += peer.get?.(keys[random.below(keys.length)]!) ?? 0
    reads += READS_PER_STEP
  }
  const measured = await meter.timed(size.ms, step, READS_PER_STEP)
  if (bytes !== reads * lengthOfEach) throw new Error(`${reads} reads gave ${bytes} bytes`)
  return measured
}
