import { join } from 'node:path'
import { Agency, Agent, type McpServerConfig } from 'agency-swarm-js'

/** Started at the first use, and stopped with the server. For one with an address: { url: 'https://...' }. */
const notes: McpServerConfig = {
  name: 'notes',
  command: process.execPath,
  args: [join(import.meta.dirname, 'notes-server.ts')],
}

const secretary = new Agent({
  name: 'Secretary',
  description: 'Keeps notes',
  instructions: 'You are the Secretary. Keep notes with your tools.',
  model: process.env.AGENCY_MODEL || 'demo',
  mcpServers: [notes],
  conversationStarters: ['Add the note "Call the bank"', 'List all notes'],
})

export const agency = new Agency(secretary, { name: 'secretary' })
