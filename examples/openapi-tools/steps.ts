import assert from 'node:assert/strict'
import { get, post } from '../run.ts'

export async function steps(url: string): Promise<void> {
  const ask = async (message: string) => (await post(`${url}/library/get_response`, { message })).response
  assert.match(await ask('List 2 books'), /list_books answered: .*Dune.*Emma/)
  assert.match(await ask('Find the book with the number 2'), /find_book answered: .*Emma/)
  assert.match(await ask('Find the book with the number 7'), /answered with HTTP 404 Not Found.*No such book/)

  const { nodes } = await get(`${url}/library/get_metadata`)
  const tools = nodes.filter((node: { type: string }) => node.type === 'tool')
  assert.equal(tools.length, 2, 'one tool for each operation')
}
