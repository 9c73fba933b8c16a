// Makes a Node that does not strip types itself (20, and 22 before 22.18) run TypeScript sources; any other does it without us, and without a warning.
// For `node --import=…`: worker threads inherit it.
import { register } from 'node:module'

if (!process.features.typescript) {
  register('./hooks.mjs', import.meta.url)
  process.setSourceMapsEnabled(true)
}
