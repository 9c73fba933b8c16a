// Classes that recognise each other's instances across copies of this package. Its JavaScript may be evaluated several times in a thread (test runners, hot reload,
// a copy for each dependant), and objects of one copy are handed to another. All copies in a thread are of one version.

interface Class {
  readonly prototype: object
}

// oxlint-disable-next-line typescript/unbound-method -- called on a class below
const ordinarily = Function.prototype[Symbol.hasInstance]

/** Makes `instanceof` true for instances of the class of this name in any copy. Subclasses that have no brand are asked as usual. */
export function brand(of: Class, name: string): void {
  const mark = Symbol.for(`ledgerstone.${name}`)
  Object.defineProperty(of.prototype, mark, { value: true })
  Object.defineProperty(of, Symbol.hasInstance, {
    value(this: unknown, value: unknown): boolean {
      return this === of ? typeof value === 'object' && value !== null && mark in value : ordinarily.call(this as () => void, value)
    },
  })
}
