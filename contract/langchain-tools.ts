// Runs agents with tools of LangChain.js. Throws when a result is wrong.
import assert from 'node:assert/strict'
import { DynamicTool, tool } from '@langchain/core/tools'
import { z } from 'zod'
import { Agent, toolFactory } from '../src/index.ts'
import { startUpstream } from '../tests/support/upstream.ts'

const city = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const fail = () => {
  throw new Error('no network')
}
/** A tool, the arguments of the model, and what the model reads. */
const rows = [
  [
    tool(async ({ city }) => `sunny in ${city}`, {
      name: 'weather',
      description: 'Tells.',
      schema: z.object({ city: z.string() }),
    }),
    { city: 'Rome' },
    /^sunny in Rome$/,
  ],
  [
    tool(async (input) => `rain in ${(input as { city: string }).city}`, {
      name: 'json',
      description: 'Tells.',
      schema: city,
    }),
    { city: 'Oslo' },
    /^rain in Oslo$/,
  ],
  [
    new DynamicTool({ name: 'text', description: 'Echoes.', func: async (input) => `got ${input}` }),
    { input: 'x' },
    /^got x$/,
  ],
  [
    tool(async () => ['seen', { raw: 1 }], {
      name: 'both',
      description: 'Two.',
      schema: z.object({}),
      responseFormat: 'content_and_artifact',
    }),
    {},
    /^seen$/,
  ],
  [tool(fail, { name: 'broken', description: 'Fails.', schema: z.object({}) }), {}, /no network/],
] as const

for (const [given, args, told] of rows) {
  const own = toolFactory.fromLangchainTool(given)
  const upstream = await startUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: own.name, arguments: args }] } : { text: 'ok' },
  )
  process.env.OPENAI_BASE_URL = upstream.baseURL
  process.env.OPENAI_API_KEY = 'sk-contract'
  const { newMessages } = await new Agent({ name: 'Clerk', model: 'gpt-4.1', tools: [own] }).getResponse('Go.')
  assert.match(String(newMessages.find(({ type }) => type === 'function_call_output')?.output), told)
  await upstream.close()
}
console.log(`${rows.length} tools`)
