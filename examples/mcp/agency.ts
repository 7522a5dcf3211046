import { join } from 'node:path'
import { MCPServerStdio } from '@openai/agents'
import { Agency, Agent } from 'agency-swarm-js'

/** Started at the first use, and stopped by whoever made it. For one with an address: new MCPServerStreamableHttp({ url }). */
export const notes = new MCPServerStdio({
  name: 'notes',
  command: process.execPath,
  args: [join(import.meta.dirname, 'notes-server.ts')],
})

const secretary = new Agent({
  name: 'Secretary',
  description: 'Keeps notes',
  instructions: 'You are the Secretary. Keep notes with your tools.',
  model: process.env.AGENCY_MODEL || 'demo',
  mcpServers: [notes],
  conversationStarters: ['Add the note "Call the bank"', 'List all notes'],
})

export const agency = new Agency(secretary, { name: 'secretary' })
