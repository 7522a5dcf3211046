import { defineCommand } from './command.ts'
import { drawPage } from './graph-page.ts'
import { writeResult } from './output.ts'
import { loadEnv } from './project.ts'
import { agenciesOf, asking, openTarget } from './target.ts'
import { toJson } from './terminal.ts'

export const command = defineCommand({
  takes: '[file | url]',
  most: 1,
  about: `Draws agents, their tools and who may talk to whom as one HTML page that needs
nothing else.`,
  options: {
    out: { type: 'string', short: 'o', value: 'file', about: 'Write it there instead of to stdout' },
    agency: { type: 'string', value: 'name', about: 'Only this agency; default all of the server' },
    json: { type: 'boolean', about: 'The metadata as JSON instead of the page' },
  },
  async run({ values: { out, agency, json }, positionals: [named] }, terminal) {
    loadEnv()
    const target = await openTarget(named, { describe: true }, terminal)
    try {
      const names = await terminal.during('Asking the server', agenciesOf(target, agency))
      const all = await asking(target, Promise.all(names.map((name) => target.client.agency(name).metadata())))
      const graphs = names.map((name, index) => ({ name, graph: all[index] as (typeof all)[number] }))
      const text = json
        ? `${toJson(Object.fromEntries(graphs.map(({ name, graph }) => [name, graph])), 2)}\n`
        : drawPage(graphs)
      await writeResult(text, out, terminal)
    } finally {
      await target.close()
    }
    return 0
  },
})
