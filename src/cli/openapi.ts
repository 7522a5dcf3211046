/** The command `openapi`: prints the OpenAPI document. */
import { defineCommand } from './command.ts'
import { writeResult } from './output.ts'
import { loadEnv } from './project.ts'
import { openTarget, withRemedy } from './target.ts'
import { toJson } from './terminal.ts'

export const command = defineCommand({
  usage: '[file | url]',
  maxPositionals: 1,
  about: `Prints the OpenAPI 3.1 document of the agencies and tools in a file, or of a
running server, for code generators and gateways.`,
  options: {
    out: { type: 'string', short: 'o', value: 'file', about: 'Write to this file instead of stdout' },
    url: {
      type: 'string',
      value: 'address',
      about: 'The server address; default http://localhost:8000',
    },
  },
  async run({ values: { out, url }, positionals: [source] }, terminal) {
    loadEnv()
    const serverUrl = url ?? `http://localhost:${process.env.PORT || 8000}`
    const target = await openTarget(source, { describe: true, serverUrl }, terminal)
    try {
      const document = await terminal.during('Reading the document', withRemedy(target, target.client.openapi()))
      await writeResult(`${toJson(document, 2)}\n`, out, terminal)
    } finally {
      await target.close()
    }
    return 0
  },
})
