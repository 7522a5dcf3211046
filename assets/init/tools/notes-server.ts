/** A small MCP server over stdin and stdout. Any other MCP server can take its place. */
import { serveMcp, tool } from 'agency-swarm-js'
import { z } from 'zod'

const notes: string[] = []

const addNote = tool({
  name: 'add_note',
  description: 'Add a note to the list.',
  parameters: z.object({ note: z.string() }),
  execute: ({ note }) => `Noted, ${notes.push(note)} in all`,
})
const listNotes = tool({
  name: 'list_notes',
  description: 'List all notes.',
  execute: () => notes.join('; ') || 'There are no notes',
})

await serveMcp({ tools: [addNote, listNotes], transport: 'stdio' })
