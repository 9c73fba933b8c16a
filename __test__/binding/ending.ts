// A process that ends in the way that its first argument names, with a store open in the folder that is its second.
import { startWorker } from '../support/workers.ts'
import { OPTIONS, cold, commit, hot } from './raw.ts'

const [ending, path] = process.argv.slice(2) as [string, string]
if (ending !== 'atexit') {
  process.on('exit', () => {
    if (ending === 'idle') return
    const { seq } = commit(store, { event: 'at the very last moment' })
    cold.handOver()
    const marks = new Float64Array(8)
    hot.poll(store, marks)
    if (marks[1] === seq) console.log(`applied ${seq} and written`)
  })
}

const { store } = await cold.openStore(path, OPTIONS)
if (ending !== 'idle') {
  for (let i = 0; i < 100; i++) commit(store, { event: `event ${i}` })
  console.log('applied 100')
}
switch (ending) {
  case 'exit':
  case 'atexit':
    process.exit(0)
  case 'throw':
    setImmediate(() => {
      throw new Error('on purpose')
    })
    break
  case 'busy':
    process.on('exit', () => {
      const marks = new Float64Array(8)
      hot.poll(store, marks)
      if ((marks[2] as number) >= 100) console.log('durable at exit') // what came since may be too
    })
    break
  case 'workerExit': {
    const worker = startWorker(new URL('./worker.ts', import.meta.url), { name: 'floods', path })
    worker.once('message', () => setTimeout(() => process.exit(0), 20))
    break
  }
}
