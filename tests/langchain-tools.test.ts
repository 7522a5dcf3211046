/** Tools of LangChain.js by their shape; `npm run contract` tries the package itself. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { type LangchainTool, toolFactory } from '../src/index.ts'
import { useUpstream } from './support/client.ts'
import { agent, type Json, outputsOf } from './support/tool-agent.ts'

const seen: unknown[] = []
const made = (schema: unknown, more: Partial<LangchainTool> = {}): LangchainTool => ({
  name: 'weather',
  description: 'Tells the weather.',
  schema,
  async invoke(input, config) {
    seen.push(input, config?.signal)
    return `sunny in ${input.city}`
  },
  ...more,
})
const city = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
}

test.each<[string, LangchainTool, Json]>([
  ['zod 4', made(z.object({ city: z.string() })), {}],
  ['JSON Schema', made(city), {}],
  ['zod 4 that transforms', made(z.object({ city: z.string() }).transform(({ city: name }) => ({ name }))), {}],
  ['a name with blanks', made(city, { name: 'the weather!' }), { name: 'the_weather_' }],
])('a tool with %s is called with the arguments of the model', async (_name, given, expected) => {
  const tool = toolFactory.fromLangchainTool(given)
  const call = { name: tool.name, arguments: { city: 'Rome' } }
  const upstream = await useUpstream((_body, index) => (index === 0 ? { calls: [call] } : { text: 'ok' }))
  const { newMessages } = await agent({ tools: [tool] }).getResponse('Weather?')
  expect(outputsOf(newMessages)).toEqual(['sunny in Rome'])
  expect(seen.splice(0)).toEqual([{ city: 'Rome' }, expect.any(AbortSignal)])
  expect(upstream.seen[0]?.body.tools).toEqual([
    {
      type: 'function',
      name: 'weather',
      description: 'Tells the weather.',
      parameters: city,
      strict: true,
      ...expected,
    },
  ])
})

test('a message that a tool answers with is its content, and a failure is told', async () => {
  const message = { content: 'from an artifact', artifact: {}, tool_call_id: 'x' }
  const broken = async () => {
    throw new Error('no network')
  }
  const tools = [made(city, { invoke: async () => message }), made(city, { name: 'broken', invoke: broken })]
  const calls = ['weather', 'broken'].map((name) => ({ name, arguments: { city: 'Rome' } }))
  await useUpstream((_body, index) => (index === 0 ? { calls } : { text: 'ok' }))
  const { newMessages } = await agent({ tools: tools.map(toolFactory.fromLangchainTool) }).getResponse('Weather?')
  expect(outputsOf(newMessages)).toEqual(['from an artifact', expect.stringContaining('no network')])
})

test.each<[string, unknown, RegExp]>([
  ['zod 3', made({ _def: { typeName: 'ZodObject' }, parse() {} }), /neither of zod 4 nor a JSON Schema/],
  ['no schema', made(undefined), /"weather" has a schema/],
  ['something else', { name: 'x' }, /not a tool of LangChain/],
  ['nothing', undefined, /not a tool of LangChain/],
])('%s is refused', (_name, given, message) => {
  expect(() => toolFactory.fromLangchainTool(given as never)).toThrow(message)
})
