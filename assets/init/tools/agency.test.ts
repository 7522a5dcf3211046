import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { serve } from 'agency-swarm-js'
import { createClient } from 'agency-swarm-js/client'

process.env.AGENCY_MODEL = 'demo' // no key and no network
const { agency } = await import('./agency.ts')
const server = await serve({ agencies: { agency }, host: '127.0.0.1', port: 0, banner: false })
after(() => server.close())

test('the Librarian uses the HTTP API and the MCP server', async () => {
  const librarian = createClient({ baseUrl: server.url, token: process.env.APP_TOKEN }).agency('agency')
  const book = await librarian.getResponse('Find the book with the number 2')
  assert.match(book.response, /Emma/)
  const note = await librarian.getResponse('Add the note "Return Emma"')
  assert.match(note.response, /Noted, 1 in all/)
})
