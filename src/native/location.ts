// Where this copy of the package is: its own file or, if it was bundled, the bundle's. The CommonJS build has `undefined` in place of `import.meta`'s fields, and so do
// bundlers that write CommonJS. The URL is looked at last: webpack replaces it by that of the file on the machine that built the bundle.
import { pathToFileURL } from 'node:url'

const file: string | undefined = import.meta.filename ?? commonJsFile()
const asModule: string | undefined = import.meta.url
/** A `file:` URL; `undefined` if it is unknown. */
export const location: string | undefined = file === undefined ? asModule : pathToFileURL(file).href

/** Without `typeof`: webpack evaluates it to "string", even where there is no such variable. */
function commonJsFile(): string | undefined {
  try {
    return __filename
  } catch {
    return undefined
  }
}
