// Where this copy of the package is: its own file or, when it was bundled, the bundle's. The CommonJS build has `undefined` in place of `import.meta`'s fields, as
// bundlers that write CommonJS do. The URL is asked last: webpack puts that of the file on the machine that built the bundle in its place.
import { pathToFileURL } from 'node:url'

const file: string | undefined = import.meta.filename ?? commonJsFile()
const asModule: string | undefined = import.meta.url
/** A `file:` URL; `undefined` where nobody knows. */
export const location: string | undefined = file === undefined ? asModule : pathToFileURL(file).href

/** Without `typeof`: webpack answers that with "string", also where there is none. */
function commonJsFile(): string | undefined {
  try {
    return __filename
  } catch {
    return undefined
  }
}
