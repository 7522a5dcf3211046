import assert from 'node:assert/strict'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { get, post, stream } from '../run.ts'

const shared = (file: string) => join(import.meta.dirname, 'shared', file)

export async function steps(url: string): Promise<void> {
  const { allowed_local_file_dirs } = await get(`${url}/analyst/get_metadata`)
  assert.equal(allowed_local_file_dirs.length, 1)

  const first = await post(`${url}/analyst/get_response`, {
    message: 'What do the figures say?',
    file_urls: { figures: shared('figures.csv'), minutes: pathToFileURL(shared('minutes.md')).href },
  })
  assert.match(first.response, /With it came figures\.csv \(54 bytes\), minutes\.md \(\d+ bytes\)/)
  assert.deepEqual(Object.keys(first.file_ids_map), ['figures', 'minutes'])

  const [note] = first.new_messages
  assert.equal(note.role, 'system')
  assert.ok(note.content.includes(first.file_ids_map.figures), 'the note of the sources keeps the ids')

  const again = await post(`${url}/analyst/get_response`, {
    message: 'And once more?',
    chat_history: first.new_messages,
    file_ids: [first.file_ids_map.figures],
  })
  assert.match(again.response, /figures\.csv/, 'a stored file is attached by its id')

  const outside = { message: 'Read this', file_urls: { secrets: join(import.meta.dirname, 'main.ts') } }
  const refused = await post(`${url}/analyst/get_response`, outside)
  assert.deepEqual(Object.keys(refused), ['error'])
  assert.match(refused.error, /Local file not in allowed directories/)
  const frames = await stream(`${url}/analyst/get_response_stream`, outside)
  assert.deepEqual([frames.length, frames[0]?.data, frames[1]?.event], [2, refused, 'end'])
}
