// Run by missing.spec.ts on a package without its binary: what needs none works, and `open` rejects.
import type * as Package from '../../src/index.ts'

const [, , entry = '', path = ''] = process.argv
const { json, open } = (await import(entry)) as typeof Package

json().encode({ works: 'without' })
try {
  await open(path)
} catch (error) {
  const { code, message, packages, reason } = error as { code: string; message: string; packages: string[]; reason: string }
  console.log(JSON.stringify({ code, message, packages, reason }))
}
