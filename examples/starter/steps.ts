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
  const { choices } = await post(`${url}/v1/chat/completions`, {
    model: 'starter',
    messages: [{ role: 'user', content: 'What is 17 plus 25?' }],
  })
  assert.match(choices[0].message.content, /17 \+ 25 = 42/)

  const address = await post(`${url}/tool/FormatAddress`, { street: 'Main 5', city: 'Bonn' })
  assert.deepEqual(address, { response: 'Main 5\nBonn' })

  assert.deepEqual(await listMcpTools(url), ['FormatAddress', 'ask_starter'])
}

/** What an MCP host sees; with the official client this is `client.listTools()`. */
async function listMcpTools(url: string): Promise<string[]> {
  const version = '2026-07-28'
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientInfo': { name: 'steps', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const answer = await fetch(`${url}/mcp`, {
    method: 'POST',
    headers: {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-protocol-version': version,
      'mcp-method': 'tools/list',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta } }),
  })
  const { result } = (await answer.json()) as { result: { tools: { name: string }[] } }
  return result.tools.map(({ name }) => name)
}
