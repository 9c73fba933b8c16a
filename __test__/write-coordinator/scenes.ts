// Programs whose process is what is looked at: how it ends, what it keeps.
import { createHook } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { report } from '../support/report.ts'
import { MemoryFlusher, numbers } from './coordinating.ts'

const WRITES = Number(process.env['LEDGERSTONE_WRITES'] ?? 10_000_000)
const gc = (globalThis as { gc?: () => void }).gc as () => void

const scenes: Record<string, () => Promise<void>> = {
  async 'nothing native'() {
    process.dlopen = () => {
      throw new Error('native code is loaded')
    }
    const coordinator = numbers(new MemoryFlusher())
    await coordinator.tryWrite(1).wait()
    await coordinator.close()
    report('closed')
  },

  async forgotten() {
    numbers(new MemoryFlusher({ flushDelta: async (frozen) => (report(`flushed ${frozen.length}`), frozen) }), { flush: { intervalMs: 20 } }).tryWrite(1)
    const idle = numbers(new MemoryFlusher())
    const marks = idle.subscribe()[Symbol.asyncIterator]()
    marks.next().catch(() => {})
    const closed = numbers(new MemoryFlusher(), { flush: { intervalMs: 2 ** 31 - 1 } })
    for (const n of [1, 2, 3]) closed.tryWrite(n)
    await closed.close()
    report(`closed ${closed.view().epochs.durable}`)
  },

  async 'forgotten pause'() {
    const coordinator = numbers(new MemoryFlusher())
    await coordinator.pause()
    const written = coordinator.write(1)
    for (let n = 0; coordinator.isPaused && n < 1000; n++) {
      gc()
      await sleep(5)
    }
    await written
    report('written')
    await coordinator.close()
  },

  async memory() {
    const open = new Set<number>()
    let isWorking = true
    const hook = createHook({
      init: (id, type) => void (isWorking && /^(PROMISE|Timeout|Immediate)$/.test(type) && open.add(id)),
      promiseResolve: (id) => void open.delete(id),
      destroy: (id) => void open.delete(id),
    })
    const coordinator = numbers({ flushDelta: async () => [], flushStorage: async () => {} }, { flush: { bytes: 160_000 } })
    const write = async (count: number): Promise<number> => {
      for (let n = 0; n < count; n++) {
        if (n % 1000 === 0) await (await coordinator.write(n)).wait(n % 3000 === 0 ? 'durable' : 'written')
        else if (n % 10 === 0) await coordinator.write(n)
        else void coordinator.write(n)
      }
      await coordinator.flush()
      gc()
      return process.memoryUsage().heapUsed
    }
    report(String(await write(WRITES / 10)))
    report(String(await write((WRITES * 9) / 10)))
    await coordinator.close()

    const last = numbers(new MemoryFlusher(), { flush: { writes: 7 } })
    hook.enable()
    const work = async (): Promise<void> => {
      const { signal } = new AbortController()
      for (const _ of [1, 2, 3]) {
        const handles = await Promise.all(Array.from({ length: 20 }, (_, n) => last.write(n, { signal, timeoutMs: 60_000 })))
        await Promise.all(handles.map((handle) => handle.wait('durable', { signal })))
        ;(await last.pause({ signal })).release()
      }
      void last.write(1)
      await last.close({ signal })
    }
    await work()
    isWorking = false
    await sleep(1)
    gc()
    await sleep(1)
    hook.disable()
    report(String(open.size))
  },
}

await scenes[process.argv[2] as string]?.()
