import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { serve } from 'agency-swarm-js'
import { createClient } from 'agency-swarm-js/client'

process.env.AGENCY_MODEL = 'demo' // no key and no network
const { agency } = await import('./agency.ts')
const server = await serve({ agencies: { agency }, host: '127.0.0.1', port: 0, banner: false })
after(() => server.close())

test('the Lead asks the Scout and the Librarian, and both answer', async () => {
  const client = createClient({ baseUrl: server.url, token: process.env.APP_TOKEN })
  const answer = await client.agency('agency').getResponse('Ask the Scout and the Librarian about heat pumps')
  assert.match(answer.response, /3 reports/)
  assert.match(answer.response, /2 papers/)
})
