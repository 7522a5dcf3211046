import { expect, test } from 'vitest'
import { Agency, Agent, type AgentOptions, type PromptFunction, tool } from '../src/index.ts'
import { useUpstream } from './support/client.ts'

test('a stored prompt is sent with every model call, beside extraBody', async () => {
  const upstream = await useUpstream(() => ({ text: 'Hi' }))
  const prompt = { id: 'pmpt_1', version: '2', variables: { city: 'Rome' } }
  const modelSettings = { temperature: 0.5, extraBody: { top_logprobs: 2 } }
  const agent = new Agent({ name: 'A', model: 'gpt-4.1', prompt, modelSettings })
  await agent.getResponse('x')
  await agent.clone({ name: 'B' }).getResponse('x')
  for (const { body } of upstream.seen) expect(body).toMatchObject({ prompt, temperature: 0.5, top_logprobs: 2 })
  expect(upstream.seen[0]?.body).not.toHaveProperty('instructions')
})

test('a function chooses the prompt before every model call', async () => {
  const upstream = await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'count', arguments: {} }] } : { text: 'Hi' },
  )
  const count = tool({ name: 'count', execute: (_input, context) => context.set('count', 2) })
  const prompt: PromptFunction = async (context, { name }) => ({
    id: 'pmpt_1',
    variables: { name, count: String(context.get('count', 1)) },
  })
  await new Agent({ name: 'A', model: 'gpt-4.1', prompt, tools: [count] }).getResponse('x')
  await new Agent({ name: 'B', model: 'gpt-4.1', prompt: () => undefined }).getResponse('x')
  expect(upstream.seen.map(({ body }) => body.prompt)).toEqual([
    { id: 'pmpt_1', variables: { name: 'A', count: '1' } },
    { id: 'pmpt_1', variables: { name: 'A', count: '2' } },
    undefined,
  ])
  const wrong = new Agent({ name: 'C', model: 'gpt-4.1', prompt: (() => ({ name: 'x' })) as never })
  await expect(wrong.getResponse('x')).rejects.toThrow(/prompt function of agent "C" must return \{ id/)
  expect(upstream.seen).toHaveLength(3)
})

test('a voice is in the metadata, in lower case', () => {
  const { nodes } = new Agency(new Agent({ name: 'A', model: 'demo', voice: ' Marin' })).getMetadata()
  expect(nodes.find(({ id }) => id === 'A')?.data).toMatchObject({ voice: 'marin' })
})

test.for<[string, Partial<AgentOptions>, RegExp]>([
  ['a prompt without an id', { prompt: {} as never }, /prompt of agent "A" must be an object with the id/],
  ['a prompt that is a text', { prompt: 'pmpt_1' as never }, /prompt of agent "A"/],
  ['a prompt with other fields', { prompt: { id: 'x', promptVersion: '1' } as never }, /prompt of agent "A"/],
  ['a voice that nobody has', { voice: 'bob' }, /voice of agent "A" must be one of alloy, /],
])('%s is refused', ([, options, error]) => {
  expect(() => new Agent({ name: 'A', ...options })).toThrow(error)
})
