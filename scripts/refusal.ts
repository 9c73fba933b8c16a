// What a script cannot do for a reason that its user can mend: `run.mjs` prints the message alone, in one line, without a stack.

/** A wrong argument, or something that has to be installed first. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}
