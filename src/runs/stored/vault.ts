/** Keeps secrets in the store of runs, sealed. */
import type { Vault } from '../../tools/mcp/oauth/vault.ts'
import type { RunStore } from '../run-store.ts'
import type { Seal } from './order.ts'

/** A value that another key has sealed counts as absent. */
export function createStoredVault(store: RunStore, seal: Seal, now: () => number): Vault {
  const open = (name: string, sealed: string | null): unknown => {
    if (sealed === null) return undefined
    try {
      return seal.open(name, sealed)
    } catch {
      return undefined // the owner is asked for it again
    }
  }
  return {
    read: async (name) => open(name, await store.read({ kind: 'secret', name, now: now() })),
    async swap(name, value, expiresAt) {
      const sealed = value === undefined ? null : seal.close(name, value)
      const change = { name, sealed, expiresAt: expiresAt ?? null, now: now() }
      return open(name, await store.write({ kind: 'swapSecret', ...change }))
    },
  }
}
