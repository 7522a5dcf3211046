/** The command `store`: looks after the store of runs. */
import type { RunStore } from '../runs/run-store.ts'
import { defineCommand } from './command.ts'
import { noStore, wrongArguments } from './errors.ts'
import { loadEnv, loadProject } from './project.ts'

export const command = defineCommand({
  usage: 'migrate [file]',
  maxPositionals: 2,
  about: `migrate: makes the tables of the store, or brings them up to date, then ends.
Servers and workers do the same when they start; run it before them where they
may not change tables. The store is the one in the default export of the file.`,
  options: { url: { type: 'string', value: 'url', about: 'A PostgreSQL database, instead of the store of a file' } },
  async run({ values: { url }, positionals: [action, file] }, terminal) {
    if (action !== 'migrate') throw wrongArguments('"store" has one action: migrate.', 'store')
    loadEnv()
    const store = url === undefined ? await storeOf(file) : (await import('../postgres.ts')).postgres(url)
    try {
      await terminal.during('Migrating', store.read({ kind: 'jobs', limit: 1 })) // the first use brings it up to date
    } finally {
      await store.close()
    }
    terminal.note('The store is up to date.')
    return 0
  },
})

async function storeOf(file: string | undefined): Promise<RunStore> {
  const { options, file: name } = await loadProject(file)
  const store = options.runs?.store
  if (store === undefined) throw noStore(name)
  return store
}
