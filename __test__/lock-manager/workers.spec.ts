// Locks across threads: one store's are the same in all of them, a hand-over reaches the other thread, and what a thread leaves behind when it
// dies is free. Elsewhere guards belonged to a thread and were lost with it.
import test from 'ava'
import { runChild } from '../support/child.ts'
import { temporaryFolder, type Ends } from '../support/temporary-folder.ts'

const SCENES = new URL('lock-scenes.ts', import.meta.url)

async function reportsOf(t: Ends & { deepEqual(a: unknown, b: unknown): unknown }, scene: string): Promise<readonly string[]> {
  const ended = await runChild(SCENES, { args: [scene, temporaryFolder(t)] })
  t.deepEqual([ended.code, ended.signal, ended.hung, ended.stderr], [0, null, false, ''])
  return ended.reports
}

test.serial('what a worker held when it died goes to those who wait for it', async (t) => {
  const rounds = ['terminate', 'exit', 'throw'].flatMap((how) => [`${how}: held 1 waiting 1`, 'after it: held 0 waiting 0'])
  t.deepEqual(await reportsOf(t, 'holder-dies'), rounds)
})

test.serial('a worker that dies while it waits leaves its place in the queue and what it had already', async (t) => {
  const rounds = ['terminate', 'exit', 'throw'].flatMap((how) => [`${how}: held 2 waiting 1`, 'after it: held 1 waiting 0 y is free'])
  t.deepEqual(await reportsOf(t, 'waiter-dies'), rounds)
})

test.serial('three threads take turns and no wake-up is lost', async (t) => {
  t.deepEqual(await reportsOf(t, 'taking-turns'), ['4500 turns, held 0 waiting 0'])
})

test.serial('workers terminated in the middle of their locking leave nothing locked', async (t) => {
  t.deepEqual(await reportsOf(t, 'terminated-storm'), ['30 terminated, held 0 waiting 0'])
})

test.serial('who waits keeps the process alive until its time is over', async (t) => {
  t.deepEqual(await reportsOf(t, 'blocked-process'), ['ERR_LOCK_TIMEOUT'])
})
