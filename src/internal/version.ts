// The version of this copy of the package. A constant, because a bundle has no `package.json` to read it from; a test compares the two.

export const VERSION = '0.1.0'
