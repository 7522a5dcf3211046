/** Where secrets are kept that outlive a run: values by name. */

export interface Vault {
  read(name: string): Promise<unknown>
  /**
   * Replaces a value in one step, or removes it, and gives what was there before: of several who take a value, one gets it.
   * @param value undefined removes it
   * @param expiresAt epoch milliseconds; without it the value stays
   */
  swap(name: string, value: unknown, expiresAt?: number): Promise<unknown>
}

/** Most values that are kept in memory; beyond them the oldest go. */
const MOST = 10_000

/** Values in the memory of this process. */
export function createMemoryVault(now: () => number = Date.now): Vault {
  const values = new Map<string, { value: unknown; expiresAt: number }>()
  const get = (name: string) => {
    const kept = values.get(name)
    return kept !== undefined && kept.expiresAt > now() ? kept.value : undefined
  }
  return {
    read: async (name) => get(name),
    async swap(name, value, expiresAt = Number.POSITIVE_INFINITY) {
      const before = get(name)
      values.delete(name)
      if (value !== undefined) values.set(name, { value, expiresAt })
      const [oldest] = values.keys()
      if (values.size > MOST && oldest !== undefined) values.delete(oldest)
      return before
    },
  }
}
