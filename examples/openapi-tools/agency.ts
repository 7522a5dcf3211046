import { Agency, Agent } from 'agency-swarm-js'
import { type OpenApiDocument, toolsFrom } from './from-openapi.ts'

export function createAgency(document: OpenApiDocument, headers: { [name: string]: string }): Agency {
  const librarian = new Agent({
    name: 'Librarian',
    description: 'Knows the books of the library',
    instructions: 'You are the Librarian. Answer questions about books with your tools.',
    model: process.env.AGENCY_MODEL || 'demo',
    tools: toolsFrom(document, headers),
    conversationStarters: ['List 2 books', 'Find the book with the number 2'],
  })
  return new Agency(librarian, { name: 'library' })
}
