import assert from 'node:assert/strict'
import { get, post, stream } from '../run.ts'

export async function steps(url: string): Promise<void> {
  const ask = async (message: string) => (await post(`${url}/starter/get_response`, { message })).response
  assert.match(await ask('What is 17 plus 25?'), /17 \+ 25 = 42/)
  assert.match(await ask('Ask the Researcher about the weather in Paris'), /Researcher answered: .*In Paris it is/)

  const frames = await stream(`${url}/starter/get_response_stream`, {
    message: 'I want to talk to Support about order 1234',
  })
  const history = frames.find((frame) => frame.event === 'messages')?.data.new_messages
  assert.equal(history.at(-1).agent, 'Support')
  assert.match(history.at(-1).content[0].text, /Order 1234 left the warehouse/)

  const { run_id } = await post(`${url}/starter/runs`, { message: 'What is 17 plus 25?', thread_id: 'sums' })
  const run = await get(`${url}/starter/runs/${run_id}?wait=30`)
  assert.equal(run.status, 'completed')
  const { data } = await get(`${url}/starter/threads/sums/messages`)
  assert.deepEqual(data, run.new_messages)

  const address = await post(`${url}/tool/FormatAddress`, { street: 'Main 5', city: 'Bonn' })
  assert.deepEqual(address, { response: 'Main 5\nBonn' })
}
