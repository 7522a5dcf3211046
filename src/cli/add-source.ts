/** The source of new agents and tools, and of agents that were assistants of OpenAI's Assistants API. */
import { z } from 'zod'
import { isObject, type JsonObject } from '../wire/json.ts'
import { indent, quote, writeList, writeObject } from './port/text.ts'

export interface NewAgent {
  name: string
  description?: string | undefined
  model?: string | undefined
  instructions?: string | undefined
  settings?: JsonObject | undefined
  /** Entries of `tools`, as source. */
  tools?: readonly string[] | undefined
  /** What the entries use, from the package. */
  imports?: readonly string[] | undefined
}

/** `Data Analyst` -> `data`, `analyst`. */
const wordsOf = (text: string): string[] =>
  text
    .replace(/(?<=[a-z0-9])(?=[A-Z])/g, ' ')
    .normalize('NFKD')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')

/** The name of a folder or file: `data-analyst`; empty for a text without letters and digits. */
export const toFileName = (text: string): string => wordsOf(text).join('-')
/** The name of a tool: `find_orders`. */
export const toToolName = (text: string): string => wordsOf(text).join('_')
/** The name of a constant: `dataAnalyst`. */
export function toConstant(text: string): string {
  const name = wordsOf(text)
    .map((word, index) => (index === 0 ? word : `${word[0]?.toUpperCase()}${word.slice(1)}`))
    .join('')
  return /^[a-z]/.test(name) ? name : `agent${name}`
}

/** Path -> text of the files of a new agent. */
export function agentFiles(agent: NewAgent): { [path: string]: string } {
  const { name, description = '', model, settings = {}, tools = [], imports = [] } = agent
  const options = writeObject([
    ['name', quote(name)],
    ['description', description === '' ? undefined : quote(description)],
    ['instructions', quote('./instructions.md')],
    ['model', model === undefined ? undefined : quote(model)],
    ['modelSettings', Object.keys(settings).length === 0 ? undefined : toSource(settings)],
    ['tools', writeList(tools)],
  ])
  return {
    'agent.ts': `import { ${['Agent', ...imports].join(', ')} } from 'agency-swarm-js'

export const ${toConstant(name)} = new Agent(${options})
`,
    'instructions.md': `${agent.instructions?.trim() || instructionsOf(name, description)}\n`,
  }
}

const instructionsOf = (
  name: string,
  description: string,
) => `You are ${name}.${description === '' ? '' : ` ${description}`}

# Goals

- What you are here to achieve.

# Process

1. What you do first.
2. What you do next, and with which tool.

# Output

- How your answers look.`

/** The source of a new tool. */
export const toolSource = (name: string, description: string): string => `import { tool } from 'agency-swarm-js'
import { z } from 'zod'

export const ${toConstant(name)} = tool({
  name: ${quote(name)},
  description: ${quote(description)},
  parameters: {
    query: z.string().describe('What to look for.'),
  },
  execute: async ({ query }) => {
    return \`Nothing is known about \${query}.\`
  },
})
`

/** JSON as source. */
function toSource(value: unknown): string {
  if (typeof value === 'string') return quote(value)
  if (Array.isArray(value)) return writeList(value.map(toSource))
  return isObject(value) ? writeObject(Object.entries(value).map(([key, one]) => [key, toSource(one)])) : `${value}`
}

/** The settings of an assistant, as the Assistants API gave them and as `settings.json` of Agency Swarm 0.x holds them. */
const assistantShape = z.object({
  name: z.string().trim().min(1),
  description: z.string().nullish(),
  instructions: z.string().nullish(),
  model: z.string().nullish(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  tools: z
    .array(z.looseObject({ type: z.string(), function: z.looseObject({ name: z.string() }).optional() }))
    .nullish(),
  tool_resources: z
    .looseObject({
      file_search: z.looseObject({ vector_store_ids: z.array(z.string()).nullish() }).nullish(),
    })
    .nullish(),
})

/** The agents in a `settings.json`: one assistant, or a list of them. @throws ZodError */
export function readAssistants(settings: unknown): NewAgent[] {
  const list = z
    .array(assistantShape)
    .min(1)
    .parse(Array.isArray(settings) ? settings : [settings])
  return list.map(({ name, description, instructions, model, temperature, top_p, tools, tool_resources }) => {
    const stores = tool_resources?.file_search?.vector_store_ids ?? []
    const found = (tools ?? []).flatMap((tool) => toolOf(tool, stores))
    return {
      name,
      description: description ?? undefined,
      instructions: instructions ?? undefined,
      model: model ?? undefined,
      settings: { ...(temperature == null ? {} : { temperature }), ...(top_p == null ? {} : { topP: top_p }) },
      tools: found.map(({ source }) => source),
      imports: [...new Set(found.flatMap(({ uses }) => (uses === undefined ? [] : [uses])))],
    }
  })
}

interface ToolSource {
  source: string
  uses?: string
}

function toolOf(tool: { type: string; function?: JsonObject | undefined }, stores: readonly string[]): ToolSource[] {
  if (tool.type === 'code_interpreter') return [{ source: 'codeInterpreter()', uses: 'codeInterpreter' }]
  if (/^(file_search|retrieval)$/.test(tool.type)) {
    if (stores.length === 0) return [{ source: '// file search: name the vector stores, or set filesFolder' }]
    return [{ source: `fileSearch({ vectorStoreIds: ${toSource(stores)} })`, uses: 'fileSearch' }]
  }
  if (tool.type !== 'function' || tool.function === undefined)
    return [{ source: `// a tool of the type ${quote(tool.type)}` }]
  const { name, description, parameters } = tool.function
  const failure = `throw new Error(${quote(`Write the tool ${name}.`)})`
  const source = `tool(${writeObject([
    ['name', quote(String(name))],
    ['description', typeof description === 'string' ? quote(description) : undefined],
    ['parameters', isObject(parameters) ? toSource(parameters) : undefined],
    ['execute', `() => {\n${indent(failure)}\n}`],
  ])})`
  return [{ source, uses: 'tool' }]
}
