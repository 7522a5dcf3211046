/** The command `mcp`: serves a file to the MCP host that started it. */
import { defineCommand } from './command.ts'
import { loadEnv, loadProject } from './project.ts'

export const command = defineCommand({
  usage: '[file]',
  maxPositionals: 1,
  about: `Serves the agencies and tools of a file to an MCP host, such as Claude or
Cursor, which starts this command and speaks over stdin and stdout. What the
file writes to stdout goes to stderr.`,
  options: {},
  async run({ positionals: [file] }, _terminal) {
    const { reserveStdout } = await import('../serve-mcp.ts')
    reserveStdout() // before the file is loaded
    loadEnv()
    const { options, library } = await loadProject(file)
    await (await library.serveMcp({ ...options, transport: 'stdio' })).closed
    return 0
  },
})
