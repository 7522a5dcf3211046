// How long one large text or many small values keep everybody else waiting: the longest turns of the server's event loop.
// node bench/stalls.mjs [part of a case's name] [MiB]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'

const MIB = 1024 * 1024
const [only = '', size = '30'] = process.argv.slice(2)
const mib = Number(size)
const long = `word "x" `.repeat((mib * MIB) / 12)
const sse = (events) => events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')

/** One model call: an output item, plain or as a stream of deltas. */
const item = (text) => ({
  type: 'message',
  id: 'm',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
})
const call = {
  type: 'function_call',
  id: 'f',
  call_id: 'c',
  name: 'large',
  arguments: JSON.stringify({ mib }),
  status: 'completed',
}
const answer = (output) => ({
  id: 'r',
  object: 'response',
  created_at: 1,
  model: 'gpt-4.1',
  status: 'completed',
  output,
  usage: {
    input_tokens: 1,
    output_tokens: 1,
    total_tokens: 2,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens_details: { reasoning_tokens: 0 },
  },
})

function streamOf(output) {
  const [first] = output
  const text = first.content?.[0].text
  const events = [
    { type: 'response.created', response: answer([]) },
    {
      type: 'response.output_item.added',
      output_index: 0,
      item: text === undefined ? first : { ...first, content: [] },
    },
  ]
  if (text !== undefined) {
    events.push({
      type: 'response.content_part.added',
      item_id: 'm',
      output_index: 0,
      content_index: 0,
      part: { type: 'output_text', text: '', annotations: [] },
    })
    for (let at = 0; at < text.length; at += 20_000)
      events.push({
        type: 'response.output_text.delta',
        item_id: 'm',
        output_index: 0,
        content_index: 0,
        delta: text.slice(at, at + 20_000),
      })
    events.push({ type: 'response.output_text.done', item_id: 'm', output_index: 0, content_index: 0, text })
    events.push({
      type: 'response.content_part.done',
      item_id: 'm',
      output_index: 0,
      content_index: 0,
      part: first.content[0],
    })
  }
  events.push(
    { type: 'response.output_item.done', output_index: 0, item: first },
    { type: 'response.completed', response: answer(output) },
  )
  return sse(events.map((event, sequence_number) => ({ ...event, sequence_number })))
}

const model = createServer(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  const tail = body.toString('latin1')
  const output =
    tail.includes('ask-tool') && !tail.includes('function_call_output')
      ? [call]
      : [item(tail.includes('ask-long') ? long : 'short')]
  const streaming = tail.includes('"stream":true')
  response.writeHead(200, { 'content-type': streaming ? 'text/event-stream' : 'application/json' })
  response.end(streaming ? streamOf(output) : JSON.stringify(answer(output)))
}).listen(0, '127.0.0.1')
await once(model, 'listening')
const gateway = `http://127.0.0.1:${model.address().port}`

const server = fork(fileURLToPath(new URL('servers/stalls.ts', import.meta.url)), {
  execArgv: process.env.PROF ? ['--cpu-prof', '--cpu-prof-dir=/tmp/prof', '--no-warnings'] : ['--no-warnings'],
  env: {
    ...process.env,
    OPENAI_BASE_URL: gateway,
    OPENAI_API_KEY: 'sk-stalls',
    ANTHROPIC_API_BASE: gateway,
    ANTHROPIC_API_KEY: 'k',
    AGENCY_LOG_FOLDER: '',
  },
})
const [{ url }] = await once(server, 'message')

async function ask(path, body) {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-agency-log-id': 'stalls' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  let bytes = 0
  let head = ''
  let tail = ''
  for await (const chunk of answer.body) {
    bytes += chunk.length
    const text = Buffer.from(chunk).toString('latin1')
    if (head.length < 100) head += text
    tail = (tail + text).slice(-200)
  }
  return `${answer.status} ${bytes}${answer.status === 200 && bytes > 1000 ? '' : ` ${head.slice(0, 150)}`}`
}

const items = (count, make) => Array.from({ length: count }, (_, index) => make(index))
const user = (content) => [{ role: 'user', content }]
const CASES = {
  'body: one text': ['/responses/get_response', { message: long }],
  'body: one text, streamed': ['/responses/get_response_stream', { message: long }],
  'body: one unicode text': ['/responses/get_response', { message: '漢é'.repeat((mib * MIB) / 5) }],
  'body: escapes': ['/responses/get_response', `{"message":"${'\\n'.repeat((mib * MIB) / 2)}"}`],
  'body: user_context': ['/responses/get_response', { message: 'x', user_context: { a: long } }],
  'body: many items': [
    '/responses/get_response',
    { message: 'x', user_context: { a: items(mib * 30_000, (index) => ({ a: index, b: 'text of it' }).b) } },
  ],
  'body: data URL': [
    '/responses/get_response',
    { message: user([{ type: 'input_image', image_url: `data:image/png;base64,${'QUJD'.repeat((mib * MIB) / 4)}` }]) },
  ],
  'body: data URL, chat': [
    '/anthropic/get_response',
    { message: user([{ type: 'input_image', image_url: `data:image/png;base64,${'QUJD'.repeat((mib * MIB) / 4)}` }]) },
  ],
  'body: history': [
    '/responses/get_response',
    {
      message: 'x',
      chat_history: items(40_000, (index) => ({
        role: index % 2 ? 'assistant' : 'user',
        content: 'word '.repeat((mib * MIB) / 200_000 - 20),
        agent: 'Lead',
        callerAgent: null,
        timestamp: index,
      })),
    },
  ],
  'body: one long item of a history': ['/responses/get_response', { message: 'x', chat_history: user(long) }],
  'body: not JSON': ['/responses/get_response', `{"message":"${'a'.repeat(mib * MIB)}`],
  'body: invalid': ['/responses/get_response', { message: { a: long } }],
  'body: tool arguments': ['/tool/large', { mib: 0, other: long }],
  'answer: plain': ['/responses/get_response', { message: 'ask-long' }],
  'answer: stream': ['/responses/get_response_stream', { message: 'ask-long' }],
  'tool output: plain': ['/responses/get_response', { message: 'ask-tool' }],
  'tool output: stream': ['/responses/get_response_stream', { message: 'ask-tool' }],
  'tool output: direct': ['/tool/large', { mib }],
}
await ask('/responses/get_response', { message: 'x' })
await ask('/responses/get_response_stream', { message: 'x' })
for (const [name, [path, body]] of Object.entries(CASES)) {
  if (!name.includes(only)) continue
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  server.send('reset')
  const began = performance.now()
  const outcome = await ask(path, text).catch(String)
  const ms = performance.now() - began
  server.send('read')
  const [{ turns, rss }] = await once(server, 'message')
  console.log(
    `${name.padEnd(36)} ${turns
      .map((turn) => turn.toFixed(0))
      .join(' ')
      .padEnd(34)} | ${ms.toFixed(0)} ms, ${(rss / MIB).toFixed(0)} MiB, ${outcome}`,
  )
}
const four = await Promise.all([1, 2, 3, 4].map(async () => 0))
if ('four at once'.includes(only)) {
  const text = JSON.stringify(CASES['body: many items'][1])
  server.send('reset')
  let longest = 0
  let over = false
  const all = Promise.all(four.map(() => ask('/responses/get_response', text))).then((outcomes) => {
    over = true
    return outcomes
  })
  while (!over) {
    const began = performance.now()
    await ask('/responses/get_response', { message: 'x' })
    longest = Math.max(longest, performance.now() - began)
  }
  server.send('read')
  const [{ turns }] = await once(server, 'message')
  console.log(
    'four at once',
    turns.map((turn) => turn.toFixed(0)).join(' '),
    `others waited ${longest.toFixed(0)} ms at most`,
    await all,
  )
}
server.send('exit')
setTimeout(
  () => {
    server.kill('SIGINT')
    model.closeAllConnections()
    process.exit(0)
  },
  process.env.PROF ? 1500 : 0,
)
