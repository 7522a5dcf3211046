import { Agency, Agent, toolsFromOpenApi } from 'agency-swarm-js'
import type { Library } from './library-api.ts'

export async function createAgency({ document, key }: Library): Promise<Agency> {
  const tools = await toolsFromOpenApi(document, { operations: ['list_books', 'find_book'], auth: { key } })
  const librarian = new Agent({
    name: 'Librarian',
    description: 'Knows the books of the library',
    instructions: 'You are the Librarian. Answer questions about books with your tools.',
    model: process.env.AGENCY_MODEL || 'demo',
    tools,
    conversationStarters: ['List 2 books', 'Find the book with the number 2'],
  })
  return new Agency(librarian, { name: 'library' })
}
