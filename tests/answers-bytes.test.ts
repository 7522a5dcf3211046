import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, chatCompletions } from '../src/index.ts'
import { chunk, delta, gemini, response, text, whole } from './support/answers.ts'
import { allFrames, final, postAndRead, startServer } from './support/client.ts'
import { everyProviderAt } from './support/providers.ts'

type Body = Buffer | string
interface Bytes {
  stream: Body | Body[]
  plain: Body
  headers?: http.OutgoingHttpHeaders
  type?: string
}

/** A provider that answers with these bytes; pieces of a stream are sent one after the other. */
async function startBytes({ stream, plain, headers, type }: Bytes) {
  const server = http.createServer(async (request, answer) => {
    const chunks: Buffer[] = []
    for await (const part of request) chunks.push(part)
    const streamed = Buffer.concat(chunks).includes('"stream":true') || request.url?.includes('streamGenerateContent')
    answer.writeHead(200, { 'content-type': type ?? (streamed ? 'text/event-stream' : 'application/json'), ...headers })
    for (const piece of streamed ? [stream].flat() : [plain]) {
      answer.write(piece)
      await new Promise(setImmediate)
    }
    answer.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  everyProviderAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

async function askBoth(model: string, bytes: Bytes) {
  await startBytes(bytes)
  const spec = model === 'chat' ? chatCompletions('gpt-4.1') : model
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'A', model: spec })) },
    exposeErrors: true,
  })
  const { body } = await postAndRead(`${url}/solo/get_response`, { message: 'Hi' })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi' })
  const said = final(frames).new_messages.findLast(({ role }: { role?: string }) => role === 'assistant')
  const error = frames.find(({ data }) => data?.data?.type === 'error')?.data.data.content
  return { plain: body.response ?? body.error, streamed: said?.content[0].text ?? error }
}

const sse = (events: readonly unknown[], line = '\n') =>
  events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}${line}${line}`).join('')
const CHUNKS = [chunk({ content: 'It is ' }), chunk({ content: '42 ✓' }), chunk({}, 'stop')]
const STREAM = sse([...CHUNKS, '[DONE]'])
const PLAIN = JSON.stringify(whole({ content: 'It is 42 ✓' }))
const bytewise = (body: string) => [...Buffer.from(body)].map((byte) => Buffer.from([byte]))

const SAME: [name: string, bytes: Bytes][] = [
  ['CRLF', { stream: sse([...CHUNKS, '[DONE]'], '\r\n'), plain: PLAIN }],
  ['CR', { stream: sse([...CHUNKS, '[DONE]'], '\r'), plain: PLAIN }],
  ['a byte order mark', { stream: `\ufeff${STREAM}`, plain: `\ufeff${PLAIN}` }],
  ['single bytes', { stream: bytewise(STREAM), plain: PLAIN }],
  [
    'comments and keep-alives',
    {
      stream: `: OPENROUTER PROCESSING\n\n:\n\n${STREAM.replaceAll('\n\n', '\n\n: ping\n\nevent: ping\ndata:\n\n')}`,
      plain: `  \n\n${PLAIN}\n`,
    },
  ],
  ['no blanks behind colons', { stream: STREAM.replaceAll('data: ', 'data:'), plain: PLAIN }],
  [
    'ids, retry times and event names',
    { stream: `retry: 3000\n\n${STREAM.replaceAll('data:', 'id: 1\nevent: message\ndata:')}`, plain: PLAIN },
  ],
  [
    'data over several lines',
    {
      stream: sse(CHUNKS.map((one) => JSON.stringify(one, null, 1).replaceAll('\n', '\ndata: '))),
      plain: JSON.stringify(whole({ content: 'It is 42 ✓' }), null, 2),
    },
  ],
  ['no [DONE]', { stream: sse(CHUNKS), plain: PLAIN }],
  ['no blank line at the end', { stream: sse(CHUNKS).trimEnd(), plain: PLAIN }],
  ['no blank line behind [DONE]', { stream: `${sse(CHUNKS)}data: [DONE]`, plain: PLAIN }],
  ['another content type', { stream: STREAM, plain: PLAIN, type: 'text/plain' }],
  ['gzip', { stream: gzipSync(STREAM), plain: gzipSync(PLAIN), headers: { 'content-encoding': 'gzip' } }],
  ['deflate', { stream: deflateSync(STREAM), plain: deflateSync(PLAIN), headers: { 'content-encoding': 'deflate' } }],
  [
    'brotli',
    { stream: brotliCompressSync(STREAM), plain: brotliCompressSync(PLAIN), headers: { 'content-encoding': 'br' } },
  ],
  [
    'zstd',
    { stream: zstdCompressSync(STREAM), plain: zstdCompressSync(PLAIN), headers: { 'content-encoding': 'zstd' } },
  ],
]
test.each(SAME)('an answer written with %s is read', async (_name, bytes) => {
  expect(await askBoth('chat', bytes)).toEqual({ plain: 'It is 42 ✓', streamed: 'It is 42 ✓' })
})

const events = [delta('It is 42 ✓'), { type: 'response.completed', response: response([text('It is 42 ✓')]) }]
const responsesBytes = { stream: sse(events), plain: JSON.stringify(response([text('It is 42 ✓')])) }
const geminiBytes = (() => {
  const { json } = gemini({ content: { role: 'model', parts: [{ text: 'It is 42 ✓' }] }, finishReason: 'STOP' })
  return { stream: sse([json]), plain: JSON.stringify(json) }
})()
test.each([
  ['gpt-4.1', responsesBytes],
  ['gemini/gemini-2.5-pro', geminiBytes],
] as const)('a compressed answer of %s is read', async (model, { stream, plain }) => {
  const bytes = { stream: gzipSync(stream), plain: gzipSync(plain), headers: { 'content-encoding': 'gzip' } }
  expect(await askBoth(model, bytes)).toEqual({ plain: 'It is 42 ✓', streamed: 'It is 42 ✓' })
  expect(await askBoth(model, { stream: `\ufeff${stream.replaceAll('\n', '\r\n')}`, plain })).toEqual({
    plain: 'It is 42 ✓',
    streamed: 'It is 42 ✓',
  })
})

const HTML = '<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>'
test.each(['chat', 'gpt-4.1', 'anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-pro'])(
  '%s: a page of HTML in place of an answer is an error that says so',
  async (model) => {
    const { plain, streamed } = await askBoth(model, { stream: HTML, plain: HTML, type: 'text/html' })
    expect(plain).toMatch(/HTML|web page/)
    expect(streamed).toMatch(/HTML|web page/)
  },
)

test('an unknown content encoding is an error', async () => {
  const { plain, streamed } = await askBoth('chat', {
    stream: 'x',
    plain: 'x',
    headers: { 'content-encoding': 'snappy' },
  })
  expect(plain).toBe('Connection error.')
  expect(streamed).toBe('Connection error.')
})
