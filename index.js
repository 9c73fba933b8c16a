// The package's entry for tools that do not read `exports` in package.json; Node and bundlers go by that.
export * from './dist/index.js'
