import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, type LanguageModel, type RunningServer, serve, tool } from '../src/index.ts'
import { post } from './support/client.ts'

/**
 * Texts made to be slow to search cost no more than their length: each string field of each endpoint gets them at two
 * lengths. The longer one is too dear when it costs far more than plain text of its length in the same place, and its cost has
 * also grown more than its length since the shorter one.
 */
const SHORT = 24_000
const LONG = 4 * SHORT
/** Plain text has no cost of its own to speak of; a search that is quadratic costs a thousand times as much. */
const TIMES_PLAIN = 30
/** A linear search grows four times, a quadratic one sixteen times. */
const TIMES_SHORT = 9
/** What a garbage collection of the process may cost, in milliseconds. A search in quadratic time takes seconds for `LONG` characters. */
const GARBAGE_MS = 200

type Json = { [key: string]: unknown }
/** A text of about `n` characters. */
type Slow = (n: number) => string
const repeated =
  (part: string, start = '', end = ''): Slow =>
  (n) =>
    start + part.repeat(Math.ceil(n / part.length)) + end
const SLOW: { [name: string]: Slow } = {
  'data: and a letter': repeated('e', 'data:'),
  'data: and semicolons': repeated(';a', 'data:image/png'),
  'exclamation marks and a line': repeated('!', '', '\nx'),
  'blanks, then a letter': repeated(' ', '', 'x'),
  tabs: repeated('\t', 'a', 'b'),
  lines: repeated('\n', 'x', 'x'),
  slashes: repeated('/', '', 'x'),
  'slashes behind a scheme': repeated('/', 'http:', ' x'),
  dashes: repeated('-', 'a', '.'),
  'open brackets': repeated('['),
  'open braces and quotes': repeated('{"'),
  'quotes of two kinds': repeated("“'"),
  'escape sequences': repeated('\u001b['),
  'words with capitals': repeated('Aa '),
  digits: repeated('1', '', '.'),
  'dots and digits': repeated('1.'),
  'percent signs': repeated('%2'),
  'lines of a stack': repeated('\n    at x ('),
  backslashes: repeated('\\u00'),
}

const said = {
  type: 'finish',
  finishReason: { unified: 'stop' },
  usage: { inputTokens: { total: 1 }, outputTokens: { total: 1 } },
}
/** Models of the AI SDK. */
const model: LanguageModel = {
  specificationVersion: 'v4',
  provider: 'scripted.chat',
  modelId: 'one',
  doStream: async () => ({ stream: ReadableStream.from([said]) }),
  doGenerate: async () => ({ content: [], usage: {} }),
}

let native: RunningServer
let agui: RunningServer
beforeAll(async () => {
  const echo = tool({ name: 'echo', parameters: z.object({ text: z.string() }), execute: ({ text }) => text })
  const leak = tool({
    name: 'leak',
    parameters: z.object({ text: z.string() }),
    execute: ({ text }) => {
      throw new Error(text)
    },
  })
  const agencies = {
    solo: new Agency(new Agent({ name: 'Assistant', model, tools: [echo] })),
    demo: new Agency(new Agent({ name: 'Assistant', model: 'demo', tools: [echo] })),
  }
  const options = { host: '127.0.0.1', port: 0, banner: false, handleSignals: false, keyPerRequest: true }
  native = await serve({ ...options, agencies, tools: [echo, leak], playground: true, enableLogging: true })
  agui = await serve({ ...options, agencies, enableAgui: true })
})
afterAll(() => Promise.all([native.close(), agui.close()]))

const user = (...content: Json[]) => [{ role: 'user', content }]
const run = (body: Json) => ['/solo/get_response', { message: 'Hi', ...body }] as const
const ag = (message: Json, more: Json = {}) =>
  ['/solo/get_response_stream', { threadId: 't', runId: 'r', messages: [{ id: '1', ...message }], ...more }] as const
const agPart = (part: Json) => ag({ role: 'user', content: [part] })
const config = (fields: Json) => run({ client_config: fields })

/** Every place where a request holds a text. */
const PLACES: { [name: string]: (text: string) => readonly [path: string, body: Json] } = {
  message: (message) => run({ message }),
  'message of the demo': (message) => ['/demo/get_response', { message }],
  recipient_agent: (recipient_agent) => run({ recipient_agent }),
  additional_instructions: (additional_instructions) => run({ additional_instructions }),
  'user_context value': (value) => run({ user_context: { value } }),
  'user_context key': (key) => run({ user_context: { [key]: 1 } }),
  generate_chat_name: (generate_chat_name) => run({ generate_chat_name }),
  file_ids: (id) => run({ file_ids: [id] }),
  'file_urls key': (name) => run({ file_urls: { [name]: 'https://x.invalid/a.txt' } }),
  'file_urls value': (url) => run({ file_urls: { 'a.txt': url } }),
  'file_urls address': (path) => run({ file_urls: { 'a.txt': `https://x.invalid/${path}` } }),
  'client_config.base_url': (base_url) => config({ base_url }),
  'client_config.api_key': (api_key) => config({ api_key }),
  'client_config.model': (model) => config({ model }),
  'client_config.model of a provider': (model) => config({ model: `litellm/anthropic/${model}` }),
  'client_config.default_headers name': (name) => config({ default_headers: { [name]: 'x' } }),
  'client_config.default_headers value': (value) => config({ default_headers: { 'x-a': value } }),
  'client_config.litellm_keys': (key) => config({ litellm_keys: { anthropic: key } }),
  'client_config.model_settings_extra_args': (value) => config({ model_settings_extra_args: { a: value } }),
  input_text: (text) => run({ message: user({ type: 'input_text', text }) }),
  image_url: (image_url) => run({ message: user({ type: 'input_image', image_url }) }),
  'input_image file_id': (file_id) => run({ message: user({ type: 'input_image', file_id }) }),
  file_data: (file_data) => run({ message: user({ type: 'input_file', file_data, filename: 'a.pdf' }) }),
  file_url: (file_url) => run({ message: user({ type: 'input_file', file_url }) }),
  filename: (filename) => run({ message: user({ type: 'input_file', file_id: 'x', filename }) }),
  input_audio: (data) => run({ message: user({ type: 'input_audio', input_audio: { data, format: data } }) }),
  'history content': (content) => run({ chat_history: [{ role: 'user', content }] }),
  'history arguments': (text) =>
    run({
      chat_history: [
        { type: 'function_call', call_id: 'c', name: 'echo', arguments: text },
        { type: 'function_call_output', call_id: 'c', output: text },
      ],
    }),
  'history names': (text) =>
    run({ chat_history: [{ role: 'user', content: 'x', agent: text, callerAgent: text, id: text }] }),
  run_id: (run_id) => ['/solo/cancel_response_stream', { run_id }],
  cancel_mode: (cancel_mode) => ['/solo/cancel_response_stream', { run_id: 'x', cancel_mode }],
  log_id: (log_id) => ['/get_logs', { log_id }],
  'arguments of a tool': (text) => ['/tool/echo', { text }],
  'an error of a tool': (text) => ['/tool/leak', { text }],
  'a price': (model) => ['/playground/costs', { responses: [{ model: model.slice(0, 200), usage: { [model]: 1 } }] }],
}
const AGUI_PLACES: typeof PLACES = {
  threadId: (threadId) => ag({ role: 'user', content: 'Hi' }, { threadId }),
  runId: (runId) => ag({ role: 'user', content: 'Hi' }, { runId }),
  'message id': (id) => ag({ role: 'user', content: 'Hi', id }),
  content: (content) => ag({ role: 'user', content }),
  'text part': (text) => agPart({ type: 'text', text }),
  'image data': (value) => agPart({ type: 'image', source: { type: 'data', value, mimeType: 'image/png' } }),
  'image url': (value) => agPart({ type: 'image', source: { type: 'url', value } }),
  'document mimeType': (mimeType) => agPart({ type: 'document', source: { type: 'data', value: 'AAAA', mimeType } }),
  'document filename': (filename) =>
    agPart({ type: 'document', source: { type: 'file', value: 'x' }, metadata: { filename } }),
  'binary mimeType': (mimeType) => agPart({ type: 'binary', mimeType, data: 'AAAA' }),
  'binary data': (data) => agPart({ type: 'binary', mimeType: 'image/png', data }),
  'system message': (content) =>
    ag(
      { role: 'system', content },
      {
        messages: [
          { id: '0', role: 'system', content },
          { id: '1', role: 'user', content: 'Hi' },
        ],
      },
    ),
  'tool call': (text) =>
    ag(
      {},
      {
        messages: [
          { id: '0', role: 'assistant', toolCalls: [{ id: 'c', function: { name: 'echo', arguments: text } }] },
          { id: '1', role: 'tool', toolCallId: 'c', content: text },
          { id: '2', role: 'user', content: 'Hi' },
        ],
      },
    ),
  forwardedProps: (additional_instructions) =>
    ag({ role: 'user', content: 'Hi' }, { forwardedProps: { additional_instructions } }),
}

/** Time of this process for one request, in milliseconds: other processes of the machine do not count. */
async function costOf(url: string, [path, body]: readonly [path: string, body: Json]): Promise<number> {
  const text = JSON.stringify(body)
  const before = process.cpuUsage()
  const answer = await post(url + path, text)
  await answer.text()
  const { user, system } = process.cpuUsage(before)
  expect(answer.status, path).toBeLessThan(500)
  return (user + system) / 1_000
}

/** The least of a few tries: what else happens in the process comes on top of it. */
async function leastCost(tries: number, cost: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let count = 0; count < tries; count++) least = Math.min(least, await cost())
  return least
}

test.for([
  ...Object.keys(PLACES).map((name) => [name, PLACES, () => native] as const),
  ...Object.keys(AGUI_PLACES).map((name) => [`AG-UI: ${name}`, AGUI_PLACES, () => agui] as const),
])('%s takes texts that are slow to search as fast as others', async ([name, places, server]) => {
  const place = places[name.replace(/^AG-UI: /, '')] as (typeof PLACES)[string]
  const { url } = server()
  const cost = (text: string) => costOf(url, place(text))
  await cost('x')
  const plain = await leastCost(3, () => cost(repeated('word ')(LONG)))
  for (const [kind, slow] of Object.entries(SLOW)) {
    const short = await cost(slow(SHORT))
    let long = await cost(slow(LONG))
    const most = Math.max(TIMES_PLAIN * plain, TIMES_SHORT * short, GARBAGE_MS)
    if (long > most) long = await leastCost(3, () => cost(slow(LONG)))
    expect(long, kind).toBeLessThan(most)
  }
})
