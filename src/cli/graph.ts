/** The command `graph`: agencies as an HTML page. */
import { defineCommand } from './command.ts'
import { drawPage } from './graph-page.ts'
import { writeResult } from './output.ts'
import { loadEnv } from './project.ts'
import { listAgencies, openTarget, withRemedy } from './target.ts'
import { toJson } from './terminal.ts'

export const command = defineCommand({
  usage: '[file | url]',
  maxPositionals: 1,
  about: `Draws agents, their tools and communication flows as one HTML page without
other files.`,
  options: {
    out: { type: 'string', short: 'o', value: 'file', about: 'Write to this file instead of stdout' },
    agency: { type: 'string', value: 'name', about: 'Only this agency; default all agencies' },
    json: { type: 'boolean', about: 'Print the metadata as JSON instead of the page' },
  },
  async run({ values: { out, agency, json }, positionals: [source] }, terminal) {
    loadEnv()
    const target = await openTarget(source, { describe: true }, terminal)
    try {
      const names = await terminal.during('Reading the agencies', listAgencies(target, agency))
      const all = await withRemedy(target, Promise.all(names.map((name) => target.client.agency(name).metadata())))
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
