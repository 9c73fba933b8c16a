// The event loop in turns: for tests that wait for what is due, not for time.

/** Until the event loop has gone round once. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Whether a promise is still open when everything that is due has happened. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true
  const settle = (): void => void (pending = false)
  promise.then(settle, settle)
  for (let n = 0; n < 20; n++) await turn()
  return pending
}
