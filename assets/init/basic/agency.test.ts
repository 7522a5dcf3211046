import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { serve } from 'agency-swarm-js'
import { createClient } from 'agency-swarm-js/client'
import { askAgent, callTool, expectRun, override, script } from 'agency-swarm-js/testing'

process.env.AGENCY_MODEL = 'demo' // no key and no network
const { agency } = await import('./agency.ts')
const server = await serve({ agencies: { agency }, host: '127.0.0.1', port: 0, banner: false })
after(() => server.close())

test('the Guide asks the Researcher, and the answer comes over HTTP', async () => {
  const client = createClient({ baseUrl: server.url, token: process.env.APP_TOKEN })
  const answer = await client.agency('agency').getResponse('Ask the Researcher about the weather in Paris')
  assert.match(answer.response, /In Paris it is sunny/)
  assert.ok(answer.new_messages.some((message) => message.agent === 'Researcher'))
})

test('the Researcher looks up the city that the Guide asks for', async () => {
  const model = script({
    Guide: [askAgent('Researcher', 'What is the weather in Oslo?'), 'It is sunny in Oslo.'],
    Researcher: [callTool('get_weather', { city: 'Oslo' }), 'Sunny.'],
  })
  const result = await override(agency, { model }).getResponse('Do I need an umbrella in Oslo?')
  expectRun(result).toHaveCalled('get_weather', { agent: 'Researcher', arguments: { city: 'Oslo' } })
})
