// First in, first out; places can also leave from the middle. Each operation costs the same, whatever the length.

/** A place in a {@link Queue}. */
export interface Place<V> {
  readonly value: V
  before: Place<V> | undefined
  behind: Place<V> | undefined
  isTaken: boolean
}

/** A doubly linked queue. */
export class Queue<V> {
  #first: Place<V> | undefined
  #last: Place<V> | undefined
  size = 0

  get first(): V | undefined {
    return this.#first?.value
  }

  push(value: V): Place<V> {
    const place: Place<V> = { value, before: this.#last, behind: undefined, isTaken: true }
    if (this.#last === undefined) this.#first = place
    else this.#last.behind = place
    this.#last = place
    this.size++
    return place
  }

  shift(): V | undefined {
    const place = this.#first
    if (place !== undefined) this.remove(place)
    return place?.value
  }

  /** Does nothing if the place has left already. */
  remove(place: Place<V>): void {
    if (!place.isTaken) return
    place.isTaken = false
    const { before, behind } = place
    if (before === undefined) this.#first = behind
    else before.behind = behind
    if (behind === undefined) this.#last = before
    else behind.before = before
    this.size--
  }

  /** The values, newest first. */
  newestFirst(): V[] {
    const values: V[] = []
    for (let place = this.#last; place !== undefined; place = place.before) values.push(place.value)
    return values
  }
}
