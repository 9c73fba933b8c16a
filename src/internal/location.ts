// Where this copy of the package is: its own file or, when it was bundled, the bundle's. The CommonJS build has `undefined` in place of
// `import.meta.url`, as bundlers that write CommonJS do.
import { pathToFileURL } from 'node:url'

const asModule: string | undefined = import.meta.url
/** A `file:` URL; `undefined` where nobody knows. */
export const location: string | undefined = asModule ?? (typeof __filename === 'string' ? pathToFileURL(__filename).href : undefined)
