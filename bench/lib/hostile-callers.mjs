// Callers that attack the server, in their own process: with and without its token, and with a hostile gateway. The parent sends
// messages to start and stop them; then they report their results.
import { connect } from 'node:net'
import { setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { ATTACKS, startHostileGateway } from '../../tests/support/hostile-gateway.ts'
import { MCP_LISTS, startHostileMcp } from '../../tests/support/hostile-mcp.ts'

setPriority(10) // the server is measured, not the attackers
const MIB = 1024 * 1024
const gateway = await startHostileGateway()
const mcp = await startHostileMcp()
process.send({ gateway: new URL(gateway.baseURL).origin, mcp: mcp.url })
const { origin, token, only } = await new Promise((resolve) => process.once('message', resolve))
const { hostname, port } = new URL(origin)

const stop = new AbortController()
process.once('message', () => stop.abort())
const counts = {}
const wrong = []
const pick = (list) => list[Math.floor(Math.random() * list.length)]

/** Sends bytes, reads nothing for `ms`, and leaves. */
async function hold(bytes, ms) {
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {}).pause()
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(bytes)
  await Promise.race([closed, sleep(ms)])
  socket.destroy()
}

function toBytes(path, body, headers = '') {
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`
  return Buffer.concat([
    Buffer.from(`${head}${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`),
    Buffer.from(body),
  ])
}

/** Sends a valid request and reads the answer; a stream must end properly. */
async function ask(path, body) {
  const streaming = path.endsWith('stream')
  const response = await fetch(origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(120_000)]),
  })
  let tail = ''
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) tail = (tail + chunk).slice(-1_000_000)
  if (![200, 404, 408, 413, 422, 429, 500, 503].includes(response.status)) wrong.push(`${path}: ${response.status}`)
  if (streaming && response.status === 200 && !/event: end\n/.test(tail)) wrong.push(`${path}: no end`)
}

const BAD = `${new URL(gateway.baseURL).origin}/v1`
const paths = ['get_response', 'get_response_stream']
const byGateway = (message) => ({ message, client_config: { base_url: BAD, api_key: 'k' } })
const nested = (bytes) => `[${'{"a":[[],[]]},'.repeat(bytes / 14)}0]`
const KINDS = {
  // ---- without the token
  'unread static files': () => hold('GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(300), 2_000),
  'unread documents': () => hold('GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(300), 2_000),
  'half requests': () => hold(`POST /chat/get_response HTTP/1.1\r\nHost: x\r\nContent-Length: ${MIB}\r\n\r\n{`, 3_000),
  'random bytes': () => hold(Buffer.from(Array.from({ length: 2_000 }, () => Math.random() * 256)), 500),
  'bodies without a token': async () => {
    const head = `POST /chat/get_response HTTP/1.1\r\nHost: x\r\nContent-Length: ${8 * MIB}\r\n\r\n`
    await hold(Buffer.concat([Buffer.from(head), Buffer.alloc(MIB, '[')]), 1_000)
  },
  // ---- with the token
  'empty values, unread': () =>
    hold(
      toBytes(
        `/${pick(['chat', 'responses'])}/get_response_stream`,
        `{"message":"x","user_context":{"a":${nested(1.46 * MIB)}}}`,
      ),
      2_000,
    ),
  'wide and deep bodies': () =>
    ask(
      '/chat/get_response',
      `{"message":"x","user_context":{"a":${pick([nested(8 * MIB), `${'['.repeat(50)}${'1,'.repeat(400_000)}1${']'.repeat(50)}`, `{${Array.from({ length: 9_000 }, (_, index) => `"${Math.random()}${index}":{}`)}}`])}}}`,
    ),
  'long texts': () => ask('/responses/get_response', { message: 'x'.repeat(24 * MIB) }),
  'long histories': () =>
    ask('/responses/get_response', {
      message: 'x',
      chat_history: Array.from({ length: 30_000 }, (_, index) => ({
        role: 'user',
        content: 'x',
        [`k${Math.random()}`]: index,
      })),
    }),
  'secrets to mask': () =>
    ask('/responses/get_response', {
      ...byGateway('attack:lines-without-end'),
      user_context: Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`k${index}`, '漢'.repeat(5_000)])),
    }),
  'long names': () => ask('/responses/get_response', { message: 'x', client_config: { model: 'm'.repeat(5 * MIB) } }),
  'a hostile gateway': () =>
    ask(`/${pick(['responses', 'chat'])}/${pick(paths)}`, byGateway(`attack:${pick(Object.keys(ATTACKS))}`)),
  'a hostile gateway of the AI SDK': () =>
    ask(`/anthropic/${pick(paths)}`, { message: `attack:${pick(Object.keys(ATTACKS))}` }),
  'a gateway, unread': () =>
    hold(toBytes('/chat/get_response_stream', JSON.stringify(byGateway('attack:small-events'))), 3_000),
  'turns that gather': () =>
    ask(`/${pick(['responses', 'chat'])}/${pick(paths)}`, byGateway(`call:${pick([1, 4, 16])}`)),
  'large answers of an MCP server': () =>
    ask(`/remote/${pick(paths)}`, pick([{ message: 'x' }, byGateway('call:0 tool:echo2')])),
  'a hostile MCP server': () =>
    ask(`/mcp_${pick(MCP_LISTS)}/${pick(paths)}`, byGateway(`call:0 tool:${pick(['giant', 'wait', 'broken'])}`)),
  'pictures that are none': () =>
    ask('/anthropic/get_response', {
      message: [{ role: 'user', content: [{ type: 'input_image', image_url: `data:${'e'.repeat(97_000)}` }] }],
    }),
  'cancels of nothing': () => ask('/responses/cancel_response_stream', { run_id: 'r'.repeat(MIB) }),
}

const chosen = Object.entries(KINDS).filter(
  ([name]) =>
    only === undefined || only.some((part) => (part[0] === '-' ? !name.includes(part.slice(1)) : name.includes(part))),
)
async function attack([name, act]) {
  while (!stop.signal.aborted) {
    counts[name] = (counts[name] ?? 0) + 1
    await act().catch((error) => {
      // A connection that is cut is an answer, too; a server that is gone is seen by the parent.
      if (!/terminated|fetch failed|aborted|ECONN|EPIPE/i.test(String(error))) wrong.push(`${name}: ${error}`)
    })
    await sleep(20 + Math.random() * 200)
  }
}
await Promise.all(chosen.flatMap((kind) => [kind, kind].map(attack)))
process.send({ counts, wrong: wrong.slice(0, 20), wrongs: wrong.length }, () => process.exit(0))
