import assert from 'node:assert/strict'
import { post } from '../run.ts'

export async function steps(url: string): Promise<void> {
  const ask = async (message: string) => (await post(`${url}/secretary/get_response`, { message })).response
  assert.match(await ask('List all notes'), /list_notes answered: There are no notes/)
  assert.match(await ask('Add the note "Call the bank"'), /add_note answered: Noted, 1 in all/)
  assert.match(await ask('List all notes'), /Call the bank/, 'the server lives as long as the agency')
}
