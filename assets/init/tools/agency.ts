import { join } from 'node:path'
import { Agency, Agent, type McpServerConfig, toolsFromOpenApi } from 'agency-swarm-js'
import { startLibrary } from './library-api.ts'

/** "demo" answers offline. For a real model: OPENAI_API_KEY and AGENCY_MODEL=gpt-5.4 in .env. */
const model = process.env.AGENCY_MODEL || 'demo'

/** Each operation of an API's OpenAPI document becomes a tool. For an API of yours: its document, as an object, a file or an address. */
const bookTools = await toolsFromOpenApi(await startLibrary())

/** Started at its first use, and stopped with the server. For one with an address: { url: 'https://...' }. */
const notes: McpServerConfig = {
  name: 'notes',
  command: process.execPath,
  args: [join(import.meta.dirname, 'notes-server.ts')],
}

const librarian = new Agent({
  name: 'Librarian',
  description: 'Knows the books, and keeps notes',
  instructions: 'You are the Librarian. Find books and keep notes with your tools.',
  model,
  tools: bookTools,
  mcpServers: [notes],
  conversationStarters: ['Find the book with the number 2', 'Add the note "Return Emma"'],
})

/** Served at /__AGENCY__. */
export const agency = new Agency(librarian, { name: '__AGENCY__' })
