import { defineCommand } from './command.ts'
import { writeResult } from './output.ts'
import { loadEnv } from './project.ts'
import { asking, openTarget } from './target.ts'
import { toJson } from './terminal.ts'

export const command = defineCommand({
  takes: '[file | url]',
  most: 1,
  about: `Prints the OpenAPI 3.1 document of what the file exports, or of a running
server, for code generators and gateways.`,
  options: {
    out: { type: 'string', short: 'o', value: 'file', about: 'Write it there instead of to stdout' },
    url: {
      type: 'string',
      value: 'address',
      about: "The server's address in it; default http://localhost:8000",
    },
  },
  async run({ values: { out, url }, positionals: [named] }, terminal) {
    loadEnv()
    const serverUrl = url ?? `http://localhost:${process.env.PORT || 8000}`
    const target = await openTarget(named, { describe: true, serverUrl }, terminal)
    try {
      const document = await terminal.during('Asking the server', asking(target, target.client.openapi()))
      await writeResult(`${toJson(document, 2)}\n`, out, terminal)
    } finally {
      await target.close()
    }
    return 0
  },
})
