import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { allFrames, post } from './support/client.ts'
import { ATTACKS, startHostileGateway } from './support/hostile-gateway.ts'
import { startProcess } from './support/process.ts'
import { open, toRequest } from './support/raw.ts'
import type { EventLists } from './support/upstream.ts'

const SERVER = join(import.meta.dirname, 'support/budget-server.ts')
const MIB = 1024 * 1024

let gateway: Awaited<ReturnType<typeof startHostileGateway>>
const servers = new Map<string, Awaited<ReturnType<typeof startProcess>>>()
beforeAll(async () => {
  gateway = await startHostileGateway()
})
afterAll(async () => {
  for (const { child } of servers.values()) child.kill('SIGKILL')
  await gateway.close()
})

/**
 * A server in a process of its own that dies when its heap grows beyond `heapMiB`, and a gateway that attacks it. Cases with the
 * same options share a process, so what one of them leaves behind makes the next one fail; a process that died is replaced.
 */
async function startSmall(heapMiB: number, env: Record<string, string> = {}) {
  const options = { NODE_OPTIONS: `--max-old-space-size=${heapMiB}`, GATEWAY: gateway.baseURL, ...env }
  const key = JSON.stringify(options)
  const running = servers.get(key)
  const isAlive = running?.child.exitCode === null && running.child.signalCode === null
  const server = isAlive ? running : await startProcess(SERVER, options, undefined, () => {})
  servers.set(key, server)
  const held = async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text()
    return Number(/^agency_swarm_memory_held_bytes (\S+)/m.exec(text)?.[1])
  }
  /** It lives, answers, and has given back everything. */
  const expectWell = async () => {
    const answer = await post(`${server.url}/demo/get_response`, { message: 'hello' })
    expect([answer.status, server.child.exitCode]).toEqual([200, null])
    await answer.text()
    await expect.poll(held, { timeout: 10_000 }).toBe(0)
  }
  return { ...server, held, expectWell }
}

/** The gateway's answers until the test is over. */
function answerWith(events: EventLists) {
  gateway.answerWith(events)
  onTestFinished(() => gateway.answerWith(undefined))
}

const nested = (bytes: number) => `[${'{"a":[[],[]]},'.repeat(bytes / 14)}0]`

test('bodies of empty values are charged for their parsed size', async () => {
  const { url, expectWell } = await startSmall(192)
  const body = Buffer.from(`{"message":"attack:small-events","user_context":{"a":${nested(1.46 * MIB)}}}`)
  const statuses = await Promise.all(
    Array.from({ length: 210 }, async (_, index) => {
      const connection = open(url)
      connection.socket.write(toRequest(index % 2 ? '/responses/get_response_stream' : '/demo/get_response', body))
      connection.socket.pause() // a reader that gets a stream holds its run open
      const answered = new Promise<void>((resolve) => connection.socket.once('readable', resolve))
      await Promise.race([answered, connection.closed])
      return connection
    }),
  )
  const honest = await post(`${url}/demo/get_response`, { message: 'hello' })
  expect(honest.status).toBe(200)
  for (const { socket } of statuses) socket.destroy()
  await expectWell()
}, 60_000)

const makers = ['responses', 'chat', 'anthropic'] as const
test.each(makers.flatMap((maker) => [true, false].map((streaming) => [maker, streaming] as const)))(
  'the run ends for any gateway response: %s, streamed: %s',
  async (maker, streaming) => {
    const { url, expectWell } = await startSmall(256)
    const attacks = Object.keys(ATTACKS).filter(
      (name) => name !== 'small-events' && (maker === 'chat' || name !== 'hidden-details'),
    )
    await Promise.all(
      attacks.flatMap((attack) =>
        [1, 2].map(async () => {
          const message = `attack:${attack}`
          if (streaming) {
            const frames = await allFrames(`${url}/${maker}/get_response_stream`, { message })
            const errors = frames.filter((frame) => frame.data?.data?.type === 'error')
            expect(errors, attack).toHaveLength(1)
            expect(
              frames.slice(-2).map((frame) => frame.event),
              attack,
            ).toEqual(['messages', 'end'])
          } else {
            const answer = await post(`${url}/${maker}/get_response`, { message })
            expect([500, 503], attack).toContain(answer.status)
            expect(await answer.json(), attack).toMatchObject(
              answer.status === 500 ? { error: expect.any(String) } : {},
            )
          }
        }),
      ),
    )
    await expectWell()
  },
  120_000,
)

test.each(makers)(
  'a run that gathers more with every turn ends at its limit: %s',
  async (maker) => {
    const { url, expectWell } = await startSmall(256, { AGENCY_RUN_BYTES: String(64 * MIB) })
    const frames = await allFrames(`${url}/${maker}/get_response_stream`, { message: 'call:4' })
    const errors = frames.filter((frame) => frame.data?.data?.type === 'error')
    expect(errors.map((frame) => frame.data.data.content)).toEqual([expect.stringContaining('limits.runBytes')])
    expect(frames.slice(-2).map((frame) => frame.event)).toEqual(['messages', 'end'])
    const plain = await post(`${url}/${maker}/get_response`, { message: 'call:4' })
    expect([plain.status, await plain.json()]).toEqual([500, { error: expect.stringContaining('limits.runBytes') }])
    await expectWell()
  },
  120_000,
)

/** Small texts that would become a gigabyte of objects. */
const INNER = {
  lists: `{"a":[${'[],'.repeat(7e6)}0]}`,
  objects: `{"a":[${'{},'.repeat(7e6)}0]}`,
  nested: `${'{"a":'.repeat(3e6)}0${'}'.repeat(3e6)}`,
  'a text in a text': JSON.stringify(`[${'[],'.repeat(7e6)}0]`),
}

test.each(['responses', 'chat', 'anthropic', 'demo'])(
  'JSON within the texts of a history is bounded: %s',
  async (maker) => {
    const { url, child, expectWell } = await startSmall(256)
    for (const [kind, args] of Object.entries(INNER)) {
      const call = { type: 'function_call', call_id: 'c', name: 'echo', arguments: args }
      const chat_history = [call, { type: 'function_call_output', call_id: 'c', output: 'seen' }]
      const answer = await post(`${url}/${maker}/get_response`, { message: 'Hi', chat_history })
      expect([maker === 'demo' ? 200 : 500, 413, 503], kind).toContain(answer.status)
      await answer.text()
      expect(child.exitCode, kind).toBe(null)
    }
    await expectWell()
  },
  120_000,
)

const words = 'x '.repeat(15e6)
const called = { type: 'function_call', call_id: 'c', name: 'echo', arguments: '{}' }
test.each([
  ['instructions', { additional_instructions: words }],
  ['a message', { message: words }],
  [
    'guidance',
    {
      message: [
        { role: 'user', content: 'Hi' },
        { role: 'system', content: words },
      ],
    },
  ],
  [
    'the output of a tool',
    {
      message: [{ role: 'user', content: 'Hi' }, called, { type: 'function_call_output', call_id: 'c', output: words }],
    },
  ],
])(
  'the demo model starts to answer 15 million words: %s',
  async (_name, fields) => {
    const { url, child, expectWell } = await startSmall(256)
    const answer = await post(`${url}/demo/get_response_stream`, { message: 'Hi', ...fields })
    const reader = (answer.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader()
    let begun = ''
    while (!begun.includes('output_text.delta')) {
      const { value, done } = await reader.read()
      if (done) break
      begun = begun.slice(-100) + value
    }
    expect([child.exitCode, begun.includes('output_text.delta')]).toEqual([null, true])
    await reader.cancel()
    await expectWell()
  },
  60_000,
)

test.each([
  ['one call', 1, 13e6],
  ['many calls that a tool keeps', 200, 98_000],
])(
  'JSON within the arguments that a model writes is bounded: %s',
  async (_name, calls, values) => {
    const args = `{"a":[${'[],'.repeat(values)}0]}`
    const events = Array.from({ length: calls }, (_, output_index) => {
      const call_id = `c${output_index}`
      const item = { id: `f${call_id}`, type: 'function_call', call_id, name: 'hold', arguments: args }
      return JSON.stringify({ type: 'response.output_item.done', output_index, item })
    })
    const completed = JSON.stringify({ type: 'response.completed', response: { id: 'r', output: [] } })
    answerWith([[...events, completed]])
    const { url, expectWell } = await startSmall(256)
    const frames = await allFrames(`${url}/responses/get_response_stream`, { message: 'Hi' })
    expect(frames.slice(-2).map((frame) => frame.event)).toEqual(['messages', 'end'])
    await expectWell()
  },
  120_000,
)

test.each(makers)(
  'a failure that quotes 30 MB of escapes is masked in little memory: %s',
  async (maker) => {
    answerWith(['{"type":"error","error":{"message":"\\"%41'.padEnd(30e6, '\\"%41')])
    const { url, expectWell } = await startSmall(256)
    for (const endpoint of ['get_response', 'get_response_stream']) {
      const answer = await post(`${url}/${maker}/${endpoint}`, { message: 'Hi' })
      expect(endpoint === 'get_response' ? [500, 503] : [200]).toContain(answer.status)
      expect((await answer.text()).length).toBeLessThan(1_000_000)
    }
    await expectWell()
  },
  60_000,
)

test('outputs of tools count towards their run', async () => {
  const { url, expectWell } = await startSmall(256, { AGENCY_RUN_BYTES: String(32 * MIB), ECHOES: String(MIB) })
  const answer = await post(`${url}/responses/get_response`, { message: 'call:0' })
  expect(await answer.json()).toEqual({ error: expect.stringContaining('limits.runBytes') })
  await expectWell()
}, 60_000)

test.each([
  ['model', { client_config: { model: 'm'.repeat(5 * MIB) } }],
  [
    'headers',
    { client_config: { default_headers: Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`x-${n}`, 'a'])) } },
  ],
])('a name or list of a caller that is far too long is refused with 422: %s', async (_name, fields) => {
  const { url, expectWell } = await startSmall(256)
  const answer = await post(`${url}/responses/get_response`, { message: 'x', ...fields })
  expect(answer.status).toBe(422)
  expect((await answer.text()).length).toBeLessThan(10_000)
  await expectWell()
})
