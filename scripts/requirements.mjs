// What every script needs before any of them runs, and what they say of themselves. JavaScript that any Node reads.

/** What is missing and how to get it, in one line; nothing when all is there. */
export function missingFor(version, engines, isInstalled) {
  if (!isSupported(version, engines)) return `Node.js ${version} is not supported: version ${engines} is needed, see https://nodejs.org/download`
  return isInstalled ? undefined : 'the development dependencies are not installed: run `npm ci` first'
}

/** Whether a version is in ranges such as `^20.19.0 || >=22.12.0`. */
export function isSupported(version, engines) {
  const [major, minor, patch] = numbersOf(version)
  return engines.split('||').some((range) => {
    const least = numbersOf(range)
    if (range.trim().startsWith('^') && major !== least[0]) return false
    return (major - least[0] || minor - least[1] || patch - least[2]) >= 0
  })
}

/** The scripts of package.json that `run.mjs` runs, each with what it says about itself. */
export function commandsIn(scripts) {
  const found = Object.values(scripts).map((command) => /run\.mjs (\S+) --about "([^"]+)"/.exec(command))
  return new Map(found.filter((match) => match !== null).map(([, name, about]) => [name, about]))
}

/** The comment that a source file begins with, as text. */
export function headerOf(source) {
  const lines = source.split('\n')
  const end = lines.findIndex((line) => !line.startsWith('//'))
  return lines
    .slice(0, end)
    .map((line) => line.slice(3))
    .join('\n')
}

function numbersOf(text) {
  return (text.match(/\d+/g) || []).slice(0, 3).map(Number)
}
