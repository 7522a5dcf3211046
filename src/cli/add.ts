/** The command `add`: writes a new agent or tool into a project. */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { z } from 'zod'
import {
  agentFiles,
  type NewAgent,
  readAssistants,
  toConstant,
  toFileName,
  toolSource,
  toToolName,
} from './add-source.ts'
import { defineCommand } from './command.ts'
import { filesExist, noFile, unreadableSettings, wrongArguments } from './errors.ts'
import { finish } from './port/text.ts'
import type { Terminal } from './terminal.ts'

export const command = defineCommand({
  usage: 'agent|tool [name]',
  maxPositionals: 2,
  about: `Writes a new agent or tool, and prints what to add to your code:
  add agent "Data Analyst"      data-analyst/agent.ts and instructions.md
  add tool "Find Orders"        tools/find-orders.ts
  add agent --from settings.json
                                the assistants of OpenAI's Assistants API, or of
                                Agency Swarm for Python 0.x, as agents`,
  options: {
    description: {
      type: 'string',
      short: 'd',
      value: 'text',
      about: 'What it is for; other agents and models read it',
    },
    model: { type: 'string', short: 'm', value: 'name', about: 'The model of an agent (default: that of the server)' },
    folder: { type: 'string', value: 'path', about: 'Where to write it (default: here; tools/ for a tool)' },
    from: { type: 'string', value: 'file', about: 'Settings of assistants, as JSON' },
    force: { type: 'boolean', about: 'Overwrite existing files' },
  },
  async run({ values, positionals: [kind = '', name = ''] }, terminal) {
    const { from, force = false } = values
    if (kind !== 'agent' && kind !== 'tool') throw wrongArguments(`"add" takes agent or tool, not "${kind}".`, 'add')
    if (from !== undefined && kind === 'tool') throw wrongArguments('--from is for agents.', 'add')
    if (from !== undefined && name !== '') throw wrongArguments('--from brings the names.', 'add')
    if (from === undefined && toFileName(name) === '')
      throw wrongArguments(`The ${kind} needs a name of letters.`, 'add')
    const folder = resolve(values.folder ?? (kind === 'tool' ? 'tools' : '.'))
    if (kind === 'tool') return addTool({ name, folder, force, description: values.description }, terminal)
    const own = { name: name.trim(), description: values.description, model: values.model }
    return addAgents(from === undefined ? [own] : readSettings(from), { folder, force }, terminal)
  },
})

interface Place {
  folder: string
  force: boolean
}

async function addTool(
  {
    name,
    description = 'Says what the tool does, and when to use it.',
    ...place
  }: Place & { name: string; description?: string | undefined },
  terminal: Terminal,
): Promise<number> {
  const tool = toToolName(name)
  const path = join(place.folder, `${toFileName(name)}.ts`)
  await write({ [path]: toolSource(tool, description) }, place)
  terminal.note(
    `Wrote ${shown(path)}. Give it to an agent:\n${importOf(toConstant(tool), path)}\n  tools: [${toConstant(tool)}]`,
  )
  return 0
}

async function addAgents(agents: readonly NewAgent[], place: Place, terminal: Terminal): Promise<number> {
  const names = agents.map(({ name }) => ({
    name,
    constant: toConstant(name),
    folder: join(place.folder, toFileName(name)),
  }))
  const twice = names.find(
    ({ folder }, index) =>
      toFileName(names[index]?.name ?? '') === '' || names.findIndex((one) => one.folder === folder) < index,
  )
  if (twice !== undefined) throw wrongArguments(`The agent "${twice.name}" needs a name of its own, of letters.`, 'add')
  const files = Object.fromEntries(
    agents.flatMap((agent, index) =>
      Object.entries(agentFiles(agent)).map(([path, text]) => [join(names[index]?.folder as string, path), text]),
    ),
  )
  await write(files, place)
  const imports = names.map(({ constant, folder }) => importOf(constant, join(folder, 'agent.ts')))
  const list = names.map(({ constant }) => constant).join(', ')
  terminal.note(
    `Wrote ${Object.keys(files).map(shown).join(', ')}. Add ${names.length === 1 ? 'it' : 'them'} to your agency:\n${imports.join('\n')}\n  communicationFlows: [flow(lead, ${list})]`,
  )
  return 0
}

const shown = (path: string) => relative(process.cwd(), path) || path
const importOf = (name: string, path: string) => `  import { ${name} } from './${shown(path).replaceAll('\\', '/')}'`

/** @throws CommandError for files that exist, unless `force` is set */
async function write(files: { [path: string]: string }, { force }: Place): Promise<void> {
  const taken = Object.keys(files).filter((path) => existsSync(path))
  if (taken.length > 0 && !force) throw filesExist(taken.map(shown), 'The project')
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, finish(text))
  }
}

/** @throws CommandError for a file that is not there or holds something else */
function readSettings(file: string): NewAgent[] {
  if (!existsSync(file)) throw noFile(file)
  try {
    return readAssistants(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    throw unreadableSettings(file, error instanceof z.ZodError ? z.prettifyError(error) : String(error), error)
  }
}
