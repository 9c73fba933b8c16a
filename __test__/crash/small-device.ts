// A small device of a program's own: mounted in a private mount namespace, so that nothing is left of it when the program ends, killed or not.
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync } from 'node:fs'
import { join } from 'node:path'

/** `ext4` decides late where bytes go, as real devices do, and needs a loop device; `tmpfs` is full at the very write. */
export type DeviceKind = 'tmpfs' | 'ext4'

/** A device that a program can be given. */
export interface SmallDevice {
  readonly kind: DeviceKind
  /** What runs a program with the device mounted at `at`, an empty folder. `work` is a folder for the device's image. */
  runner(at: string, work: string, mebibytes: number): readonly [program: string, ...args: string[]]
}

/** A kind of device that is not available here. */
export interface NoDevice {
  readonly kind: DeviceKind
  readonly reason: string
}

const MEBIBYTE = 1 << 20
const [MAKE_EXT4] = ['mkfs.ext4'] as const
const NAMESPACE = ['unshare', '-m'] as const
const MOUNTED = 'dir=$1; shift; $MOUNT "$dir" && exec "$@"'

const tmpfs: SmallDevice = {
  kind: 'tmpfs',
  runner: (at, _work, mebibytes) => mounting(`mount -t tmpfs -o size=${mebibytes}m tmpfs`, at),
}

const ext4: SmallDevice = {
  kind: 'ext4',
  runner: (at, work, mebibytes) => {
    const image = join(work, 'device.img')
    const file = openSync(image, 'w')
    ftruncateSync(file, mebibytes * MEBIBYTE)
    closeSync(file)
    // No blocks for root alone: full is full.
    execFileSync(MAKE_EXT4, ['-q', '-F', '-m', '0', image], { stdio: 'pipe' })
    return mounting(`mount -o loop ${image}`, at)
  },
}

/** Tries both kinds in `work`, an empty folder. */
export function devicesIn(work: string): (SmallDevice | NoDevice)[] {
  return [tmpfs, ext4].map((device) => {
    try {
      const [program, ...args] = device.runner(work, work, 8)
      execFileSync(program, [...args, 'true'], { stdio: 'pipe' })
      return device
    } catch (error) {
      const { stderr, message } = error as { stderr?: Buffer; message: string }
      const reason = stderr?.toString().trim().split('\n')[0]
      return { kind: device.kind, reason: reason === undefined || reason === '' ? message : reason }
    }
  })
}

function mounting(mount: string, at: string): [string, ...string[]] {
  return [...NAMESPACE, 'sh', '-c', MOUNTED.replace('$MOUNT', mount), 'sh', at]
}
