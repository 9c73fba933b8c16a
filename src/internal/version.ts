// The version of this copy of the package. A constant, because a bundle has no `package.json` to read it from; a test holds it against that.

export const VERSION = '0.1.0'
