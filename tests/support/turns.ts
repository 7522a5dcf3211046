import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

const MIB = 1024 * 1024
type Json = { [key: string]: unknown }

/** About this many bytes of JSON, with escapes, in one text. */
export const longText = (mib: number) => 'word "x" '.repeat(Math.floor((mib * MIB) / 12))

const message = (text: string) => ({
  type: 'message',
  id: 'm',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
})
const call = (mib: number) => ({
  type: 'function_call',
  id: 'f',
  call_id: 'c',
  name: 'large',
  arguments: JSON.stringify({ mib }),
  status: 'completed',
})
const answer = (output: readonly Json[]) => ({
  id: 'r',
  object: 'response',
  model: 'gpt-4.1',
  status: 'completed',
  output,
})

function eventsOf(item: Json & { content?: readonly { text: string }[] }): Json[] {
  const text = item.content?.[0]?.text
  const place = { item_id: 'm', output_index: 0, content_index: 0 }
  const deltas = (text ?? '').match(/[\s\S]{1,20000}/g) ?? []
  return [
    { type: 'response.created', response: answer([]) },
    { type: 'response.output_item.added', output_index: 0, item: text === undefined ? item : { ...item, content: [] } },
    ...deltas.map((delta) => ({ type: 'response.output_text.delta', ...place, delta })),
    ...(text === undefined ? [] : [{ type: 'response.output_text.done', ...place, text }]),
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response: answer([item]) },
  ]
}

function reply(response: ServerResponse, item: Json, streaming: boolean): void {
  response.writeHead(200, { 'content-type': streaming ? 'text/event-stream' : 'application/json' })
  if (!streaming) return void response.end(JSON.stringify(answer([item])))
  for (const event of eventsOf(item)) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  response.end()
}

/** A model that answers with `mib` MiB in one text when it is asked with `ask-long`, and calls the tool `large` for `ask-tool`. */
async function startLongModel(mib: number) {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    const asksTool = body.includes('ask-tool') && !body.includes('function_call_output')
    const item = asksTool ? call(mib) : message(body.includes('ask-long') ? longText(mib) : 'short')
    reply(response, item, body.includes('"stream":true'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

/** The server of `turns-server.ts` with a model of its own. */
export async function startTurns(mib: number, execArgv: string[] = []) {
  const model = await startLongModel(mib)
  const env = { ...process.env, OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'sk-turns' }
  const server = fork(join(import.meta.dirname, 'turns-server.ts'), { execArgv: [...execArgv, '--no-warnings'], env })
  const [{ url }] = (await once(server, 'message')) as [{ url: string }]
  const ask = async (path: string, body: unknown) => {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-agency-log-id': 'turns', 'idempotency-key': randomUUID() },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return { status: response.status, text: await response.text() }
  }
  /** What the server answers, and its longest turns meanwhile in milliseconds, the longest first. */
  const measure = async (path: string, body: unknown) => {
    server.send('reset')
    const { status, text } = await ask(path, body)
    server.send('read')
    const [{ turns }] = (await once(server, 'message')) as [{ turns: number[] }]
    return { status, text, turns }
  }
  const stop = () => {
    server.send('exit')
    model.server.closeAllConnections()
    model.server.close()
  }
  await ask('/responses/get_response', { message: 'x' }) // what is loaded at first use
  await ask('/responses/get_response_stream', { message: 'x' })
  return { ask, measure, stop }
}

const user = (content: unknown) => [{ role: 'user', content }]
const items = <T>(count: number, make: (index: number) => T) => Array.from({ length: count }, (_, index) => make(index))
const [PLAIN, STREAM] = ['/responses/get_response', '/responses/get_response_stream'] as const
const RUNS = '/responses/runs'

/** Requests that carry, or lead to, `mib` MiB in one text or in many values. */
export const LONG_REQUESTS: { [name: string]: (mib: number) => [path: string, body: unknown] } = {
  'a message': (mib) => [PLAIN, { message: longText(mib) }],
  'a message, streamed': (mib) => [STREAM, { message: longText(mib) }],
  'a message that is not ASCII': (mib) => [PLAIN, { message: '漢é'.repeat((mib * MIB) / 5) }],
  'a message of escapes': (mib) => [PLAIN, `{"message":"${'\\n'.repeat((mib * MIB) / 2)}"}`],
  'a text of user_context': (mib) => [PLAIN, { message: 'x', user_context: { a: longText(mib) } }],
  'many values': (mib) => [PLAIN, { message: 'x', user_context: { a: items(mib * 30_000, () => 'some text') } }],
  'a data URL': (mib) => [
    PLAIN,
    { message: user([{ type: 'input_image', image_url: `data:image/png;base64,${'QUJD'.repeat((mib * MIB) / 4)}` }]) },
  ],
  'a history': (mib) => [
    PLAIN,
    { message: 'x', chat_history: items(mib * 1_000, () => ({ role: 'user', content: 'word '.repeat(180) })) },
  ],
  'an item of a history': (mib) => [PLAIN, { message: 'x', chat_history: user(longText(mib)) }],
  'a body that is cut off': (mib) => [PLAIN, `{"message":"${'a'.repeat(mib * MIB)}`],
  'a message of the wrong type': (mib) => [PLAIN, { message: { a: longText(mib) } }],
  'an argument of a tool': (mib) => ['/tool/large', { mib: 0, other: longText(mib) }],
  'a plain answer of a model': () => [PLAIN, { message: 'ask-long' }],
  'an output of a tool': () => [PLAIN, { message: 'ask-tool' }],
  'an output of a tool, streamed': () => [STREAM, { message: 'ask-tool' }],
  'a message of a stored run': (mib) => [RUNS, { message: longText(mib), stream: true }],
  'a history of a stored run': (mib) => [
    RUNS,
    {
      message: 'x',
      chat_history: items(mib * 1_000, () => ({ role: 'user', content: 'word '.repeat(180) })),
      stream: true,
    },
  ],
  'an output of a tool in a stored run': () => [RUNS, { message: 'ask-tool', stream: true }],
  'an output of a tool of its own': (mib) => ['/tool/large', { mib }],
}
