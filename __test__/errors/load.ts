// Loads a package by its path, opens a store and reports the error.
//
//   load.ts PACKAGE PATH
import type * as Package from 'ledgerstone'
import { report } from '../support/report.ts'

const [entry, path] = process.argv.slice(2) as [string, string]
const { open } = (await import(entry)) as typeof Package
try {
  await open(path)
} catch (error) {
  const { code, name, message, retryable, cause } = error as Package.LedgerstoneError
  const fields = Object.fromEntries(Object.entries(error as object).filter(([field]) => field !== 'code' && field !== 'retryable'))
  report(JSON.stringify({ code, name, message, retryable, fields, cause: cause instanceof Error }))
}
