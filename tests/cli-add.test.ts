/** The command `add`: new agents and tools. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runCli, start } from './support/cli.ts'
import { compileAll, projectOf } from './support/new-project.ts'

const main = `import { Agency, flow } from 'agency-swarm-js'
import { dataAnalyst } from './data-analyst/agent.ts'
import { math } from './math/agent.ts'
import { theClerk } from './staff/the-clerk/agent.ts'
import { findOrders } from './tools/find-orders.ts'

dataAnalyst.addTool(findOrders)
const agency = new Agency(dataAnalyst, { communicationFlows: [flow(dataAnalyst, math, theClerk)] })
console.log(
  agency.getMetadata().nodes.filter(({ type }) => type === 'agent').map(({ data }) => data),
  await agency.getResponse('Hi').then(({ finalOutput }) => typeof finalOutput),
)
`
const parameters = { type: 'object', properties: { 'how many': { type: 'integer' } }, required: ['how many'] }
const assistants = [
  {
    id: 'asst_1',
    name: 'Math',
    description: "Solves what's asked",
    instructions: 'Use `code`.\nNever guess: $5.',
    model: 'demo',
    temperature: 0.2,
    top_p: 1,
    tools: [
      { type: 'code_interpreter' },
      { type: 'file_search' },
      { type: 'function', function: { name: 'count', description: 'Counts.', parameters, strict: false } },
      { type: 'browser' },
    ],
    tool_resources: { file_search: { vector_store_ids: ['vs_1'] } },
  },
]

test('what it writes compiles and runs', { timeout: 120_000 }, async () => {
  const folder = projectOf({ 'main.ts': main, 'settings.json': JSON.stringify(assistants) })
  const add = (...args: string[]) => runCli(['add', ...args], { cwd: folder })
  const analyst = await add('agent', 'Data Analyst', '-d', 'Reads numbers.', '--model', 'demo')
  expect(analyst).toMatchObject({ code: 0, out: '' })
  expect(analyst.err).toContain(`Wrote data-analyst/agent.ts, data-analyst/instructions.md. Add it to your agency:
  import { dataAnalyst } from './data-analyst/agent.ts'
  communicationFlows: [flow(lead, dataAnalyst)]`)
  const tool = await add('tool', 'findOrders', '-d', 'Finds orders.')
  expect(tool.err).toContain(`Wrote tools/find-orders.ts. Give it to an agent:
  import { findOrders } from './tools/find-orders.ts'`)
  expect(await add('agent', 'The Clerk!', '--folder', 'staff', '-m', 'demo')).toMatchObject({ code: 0 })
  expect(await add('agent', '--from', 'settings.json')).toMatchObject({ code: 0 })
  expect(readFileSync(join(folder, 'math/instructions.md'), 'utf8')).toBe('Use `code`.\nNever guess: $5.\n')
  expect(
    readFileSync(join(folder, 'math/agent.ts'), 'utf8'),
  ).toBe(`import { Agent, codeInterpreter, fileSearch, tool } from 'agency-swarm-js'

export const math = new Agent({
  name: 'Math',
  description: "Solves what's asked",
  instructions: './instructions.md',
  model: 'demo',
  modelSettings: { temperature: 0.2, topP: 1 },
  tools: [
    codeInterpreter(),
    fileSearch({ vectorStoreIds: ['vs_1'] }),
    tool({
      name: 'count',
      description: 'Counts.',
      parameters: { type: 'object', properties: { 'how many': { type: 'integer' } }, required: ['how many'] },
      execute: () => {
        throw new Error('Write the tool count.')
      },
    }),
    // a tool of the type 'browser'
  ],
})
`)
  const compiled = compileAll([folder])
  const { code, out, err } = await start(process.execPath, ['main.ts'], { cwd: folder }).ended
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toContain("label: 'The Clerk!'")
  expect(out).toContain('string')
  expect(await compiled).toBe('')
  const again = await add('tool', 'find orders')
  expect(again).toMatchObject({
    code: 1,
    err: 'error: The project already has tools/find-orders.ts. Nothing was written; --force overwrites it.\n',
  })
  expect(await add('tool', 'find orders', '--force')).toMatchObject({ code: 0 })
  writeFileSync(join(folder, 'settings.json'), '[{"model":"x"}]')
  expect(await add('agent', '--from', 'settings.json')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/settings.json does not hold the settings of assistants: .*name/s),
  })
})

test.each([
  [['add'], /"add" takes agent or tool, not ""/],
  [['add', 'agnet', 'x'], /"add" takes agent or tool, not "agnet"/],
  [['add', 'tool'], /The tool needs a name of letters/],
  [['add', 'agent', '!!'], /The agent needs a name of letters/],
  [['add', 'agent', 'x', '--from', 'a.json'], /--from brings the names/],
  [['add', 'tool', '--from', 'a.json'], /--from is for agents/],
  [['add', 'agent', '--from', 'none.json'], /There is no file none.json/],
])('%j is refused', async (args, message) => {
  const { code, err } = await runCli(args)
  expect(code).not.toBe(0)
  expect(err).toMatch(message)
})
