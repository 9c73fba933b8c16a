// Another process that wants the store, too.
//
//   opener.ts PATH [kill]     with `kill` it puts something and is killed with the store open
import { LedgerstoneError, open } from 'ledgerstone'
import { report } from '../support/report.ts'

const [path, end] = process.argv.slice(2) as [string, string | undefined]
try {
  const store = await open(path)
  if (end === 'kill') {
    await store.state.put('a', 'killed')
    process.kill(process.pid, 'SIGKILL')
  }
  report(`opened ${JSON.stringify(store.state.get('a'))}`)
  await store.close()
} catch (error) {
  if (!(error instanceof LedgerstoneError)) throw error
  const { code, name } = error
  const { pid, path: where } = error as { pid?: number; path?: string }
  report(`${code} ${name} ${pid} ${where}`)
}
