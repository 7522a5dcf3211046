/** What tools keep for a run, such as processes, and give up when it is over. */

const kept = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls `give` once: when the run of this signal is aborted or over. */
export function keepForRun(signal: AbortSignal, give: () => void): void {
  if (signal.aborted) {
    give()
    return
  }
  const all = kept.get(signal) ?? new Set()
  if (all.size === 0) {
    kept.set(signal, all)
    signal.addEventListener('abort', () => endRun(signal), { once: true })
  }
  all.add(give)
}

/** The run of this signal is over: everything that was kept for it is given up. */
export function endRun(signal: AbortSignal): void {
  const all = [...(kept.get(signal) ?? [])]
  kept.delete(signal)
  for (const give of all) give()
}
