import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { post } from './support/client.ts'
import { startHostileGateway } from './support/hostile-gateway.ts'
import { startProcess } from './support/process.ts'

/** Characters of the short value; the long one has four times as many. */
const CHARS = 16_384
/** Twice the linear law, and what a garbage collection may add, in seconds of processor time. */
const law = (short: number) => 8 * short + 0.25

const repeat = (text: string) => (chars: number) => text.repeat(Math.ceil(chars / text.length))
/** Texts that regular expressions with a repetition may try again and again, and lists and objects of all shapes. */
const VALUES: { [name: string]: (chars: number) => unknown } = {
  letters: repeat('a'),
  'letters, then something else': (chars) => `${'a'.repeat(chars)}!`,
  'a data address': (chars) => `data:${'e'.repeat(chars)}`,
  'a data address of parameters': (chars) => `data:${repeat(';a=b')(chars)}`,
  'exclamation marks and a line': (chars) => `${'!'.repeat(chars)}\nx`,
  blanks: (chars) => `x${' '.repeat(chars)}x`,
  lines: repeat('\n'),
  slashes: repeat('/'),
  backslashes: repeat('\\'),
  quotes: repeat('"'),
  brackets: repeat('[{'),
  'markup that never closes': repeat('<a '),
  percents: repeat('%'),
  dots: repeat('.'),
  dashes: repeat('a-'),
  'half characters': repeat('\ud800'),
  'an address': (chars) => `http://example.com/${'a'.repeat(chars)}`,
  'JSON in a text': (chars) => JSON.stringify(Array.from({ length: chars / 8 }, () => ({}))),
  'a wide list': (chars) => Array.from({ length: chars / 4 }, () => []),
  'a wide object': (chars) => Object.fromEntries(Array.from({ length: chars / 16 }, (_, index) => [`k${index}`, {}])),
  'a deep object': (chars) =>
    Array.from({ length: chars / 200 }, () => JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`)),
}

const item = (more: object) => [{ role: 'user', content: 'x', ...more }]
/** Every field of every endpoint, with the value in it. */
const FIELDS: { [name: string]: (value: unknown) => [path: string, body: unknown] } = {
  message: (message) => ['/demo/get_response', { message }],
  'message of an AI SDK model': (message) => ['/anthropic/get_response', { message }],
  'content of an item': (content) => ['/demo/get_response', { message: item({ content }) }],
  'a text part': (text) => ['/anthropic/get_response', { message: item({ content: [{ type: 'input_text', text }] }) }],
  'a picture': (image_url) => [
    '/anthropic/get_response',
    { message: item({ content: [{ type: 'input_image', image_url }] }) },
  ],
  'a file part': (file_data) => [
    '/anthropic/get_response',
    { message: item({ content: [{ type: 'input_file', file_data, filename: 'a.pdf' }] }) },
  ],
  'the name of a file part': (filename) => [
    '/chat/get_response',
    { message: item({ content: [{ type: 'input_file', file_data: 'a', filename }] }) },
  ],
  'type of an item': (type) => ['/chat/get_response', { message: item({ type }) }],
  'a call in the history': (args) => [
    '/anthropic/get_response',
    {
      message: 'x',
      chat_history: [
        { type: 'function_call', call_id: 'c', name: 'echo', arguments: args },
        { type: 'function_call_output', call_id: 'c', output: args },
      ],
    },
  ],
  'ids in the history': (id) => [
    '/chat/get_response',
    { message: 'x', chat_history: item({ id, agent: id, callerAgent: id }) },
  ],
  chat_history: (chat_history) => ['/demo/get_response', { message: 'x', chat_history }],
  recipient_agent: (recipient_agent) => ['/demo/get_response', { message: 'x', recipient_agent }],
  additional_instructions: (additional_instructions) => [
    '/chat/get_response',
    { message: 'x', additional_instructions },
  ],
  user_context: (user_context) => ['/demo/get_response', { message: 'x', user_context }],
  'a text of user_context in a failure': (a) => ['/responses/get_response', { message: 'x', user_context: { a } }],
  file_ids: (file_ids) => ['/demo/get_response', { message: 'x', file_ids }],
  'a file id': (id) => ['/demo/get_response', { message: 'x', file_ids: [id] }],
  'a file address': (url) => ['/demo/get_response', { message: 'x', file_urls: { 'a.txt': url } }],
  'a file name': (name) => ['/demo/get_response', { message: 'x', file_urls: { [String(name)]: '/nowhere' } }],
  'client_config.model': (model) => ['/responses/get_response', { message: 'x', client_config: { model } }],
  'client_config.base_url': (base_url) => ['/responses/get_response', { message: 'x', client_config: { base_url } }],
  'client_config.api_key': (api_key) => ['/responses/get_response', { message: 'x', client_config: { api_key } }],
  'a header': (value) => [
    '/responses/get_response',
    { message: 'x', client_config: { default_headers: { 'x-a': value } } },
  ],
  'a key of a provider': (value) => [
    '/responses/get_response',
    { message: 'x', client_config: { litellm_keys: { anthropic: value } } },
  ],
  'an extra argument': (value) => [
    '/chat/get_response',
    { message: 'x', client_config: { model_settings_extra_args: { value } } },
  ],
  run_id: (run_id) => ['/demo/cancel_response_stream', { run_id }],
  cancel_mode: (cancel_mode) => ['/demo/cancel_response_stream', { run_id: 'r', cancel_mode }],
  'an argument of a tool': (a) => ['/tool/echo', { a }],
  'a field that is not there': (value) => [
    '/demo/get_response',
    { message: 'x', [String(value).slice(0, 65_536)]: value },
  ],
}

let ask: (path: string, body: unknown) => Promise<void>
/** Processor time that the server has used, in seconds. */
let used: () => Promise<number>

beforeAll(async () => {
  const gateway = await startHostileGateway()
  const file = join(import.meta.dirname, 'support/budget-server.ts')
  const server = await startProcess(file, { GATEWAY: gateway.baseURL }, undefined, () => {})
  ask = async (path, body) => {
    await (await post(server.url + path, body)).text()
  }
  used = async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text()
    const times = [...text.matchAll(/^process_cpu_time_seconds_total\S* (\S+)/gm)].map(([, time]) => Number(time))
    expect(times.length).toBeGreaterThan(0)
    return times.reduce((sum, time) => sum + time, 0)
  }
  return () => Promise.all([gateway.close(), server.child.kill('SIGKILL')])
})

async function time(...requests: [path: string, body: unknown][]): Promise<number> {
  const before = await used()
  for (const [path, body] of requests) await ask(path, body)
  return (await used()) - before
}

test.each(Object.entries(FIELDS))(
  'four times the length takes no more than some four times as long: %s',
  async (_name, field) => {
    for (const value of ['x', []]) await ask(...field(value)) // what is loaded at first use
    const slow: string[] = []
    for (const [name, make] of Object.entries(VALUES)) {
      const long = await time(field(make(4 * CHARS)))
      if (long <= law(0)) continue
      const short = await time(field(make(CHARS)))
      if (long > law(short)) slow.push(`${name}: ${short.toFixed(2)} s, then ${long.toFixed(2)} s`)
    }
    expect(slow).toEqual([])
  },
  120_000,
)
