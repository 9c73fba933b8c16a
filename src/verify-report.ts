// What a verification finds, as users see it: interfaces only.

/** What {@link CanonicalStore.verify} has found. */
export interface VerifyReport {
  /** Nothing is wrong. */
  ok: boolean
  /** What is wrong and where, in the order of discovery: at most 1,000, then one of the kind `omitted` that tells how many more there are. */
  problems: VerifyProblem[]
  /** How much was checked: files, their bytes, entries of the state, events. */
  checked: { files: number; bytes: number; entries: number; events: number }
}
/** One thing that is wrong. */
export interface VerifyProblem {
  /**
   * `checksum`: the bytes have changed; `structure`: they cannot be right; `missing`: promised and not found; `foreign`: not of this store; `io`: not readable;
   * `contradiction`: two sound parts that exclude each other.
   */
  kind: string
  /** The file, or the folder when a file is missing. */
  file: string
  /** Where in the file, in bytes. */
  offset?: number
  /** What is wrong and what it affects: commits by seq, events by id. */
  message: string
}
