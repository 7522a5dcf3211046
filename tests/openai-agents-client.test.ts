/** The OpenAI Agents SDK as a client of agencies. */
import {
  Agent,
  type AgentInputItem,
  OpenAIChatCompletionsModel,
  OpenAIResponsesModel,
  run,
  setTracingDisabled,
  tool,
} from '@openai/agents'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { useUpstream } from './support/client.ts'
import { serveOpenAi, team } from './support/openai-server.ts'

setTracingDisabled(true)

const MODELS = { responses: OpenAIResponsesModel, chat: OpenAIChatCompletionsModel }

test.for(['responses', 'chat'] as const)('the Agents SDK runs its own tools over %s', async (api) => {
  await useUpstream((body) =>
    JSON.stringify(body.input).includes('12:00')
      ? { text: 'Noon' }
      : {
          calls: [
            { name: 'clock', arguments: { zone: 'UTC' } },
            { name: 'lookup', arguments: { what: 'x' } },
          ],
        },
  )
  const { client } = await serveOpenAi(team())
  const zones: string[] = []
  const clock = tool({
    name: 'clock',
    description: 'The time',
    parameters: z.object({ zone: z.string() }),
    execute: ({ zone }) => {
      zones.push(zone)
      return '12:00'
    },
  })
  const model = new MODELS[api](client as never, 'support')
  const agent = new Agent({ name: 'Caller', instructions: 'Be brief.', model, tools: [clock] })
  const plain = await run(agent, 'Time?')
  expect(plain.finalOutput).toBe('Noon')
  const streamed = await run(agent, 'Time?', { stream: true })
  await streamed.completed
  expect(streamed.finalOutput).toBe('Noon')
  expect(zones).toEqual(['UTC', 'UTC'])
  const history: AgentInputItem[] = [...plain.history, { role: 'user', content: 'Thanks' }]
  expect((await run(agent, history)).finalOutput).toBe('Noon')
})
