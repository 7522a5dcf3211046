import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, type AgencyOptions, Agent, type StoredMessage, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, readFrames, refuseRejections, startServer, useUpstream } from './support/client.ts'
import { startProcess } from './support/process.ts'
import { open } from './support/raw.ts'

const SERVER = join(import.meta.dirname, 'support/process-server.ts')
const CARELESS = join(import.meta.dirname, 'support/careless-server.ts')

/** The server as a process whose model is `script`. */
async function startServed(
  script: Parameters<typeof useUpstream>[0],
  env: Record<string, string> = {},
  program: string = SERVER,
) {
  const upstream = await useUpstream(script)
  const start = (more: Record<string, string> = {}) =>
    startProcess(program, { OPENAI_BASE_URL: upstream.baseURL, OPENAI_API_KEY: 'sk-server-key', ...env, ...more })
  return { ...upstream, start }
}
const calls = (...names: string[]) => ({ calls: names.map((name) => ({ name, arguments: {} })) })

test('a stop is bounded when model, tool and connections hang', async () => {
  promise('B2')
  const served = await startServed((body) =>
    JSON.stringify(body.input).includes('tool') ? calls('stuck') : { hang: true },
  )
  const { child, exit, url } = await served.start({ AGENCY_DRAIN_MS: '300' })
  const idle = Array.from({ length: 5 }, () => open(url))
  const texts = ['tool', 'model'].map(async (message) =>
    (await post(`${url}/solo/get_response_stream`, { message })).text(),
  )
  const plain = post(`${url}/solo/get_response`, { message: 'model' })
  await expect.poll(() => served.seen.length).toBe(3)
  const asked = performance.now()
  child.kill('SIGTERM')
  expect(await exit).toEqual([null, 'SIGTERM'])
  expect(performance.now() - asked).toBeLessThan(5_000)
  for (const text of await Promise.all(texts))
    expect(text).toMatch(/shutting down.*\nevent: messages\ndata: .*\n\nevent: end\ndata: \[DONE\]\n\n$/s)
  expect((await plain).status).toBe(503)
  await Promise.all(idle.map(({ closed }) => closed))
})

test('a waiting server is alive, not ready, and accepts no work', async () => {
  const { start, seen } = await startServed(() => ({ hang: true }))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const { child, exit, url } = await start()
    const before = seen.length
    const stream = post(`${url}/solo/get_response_stream`, { message: 'Hi' })
    await expect.poll(() => seen.length).toBe(before + 1)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    child.kill(signal)
    await expect.poll(async () => (await fetch(`${url}/readyz`)).status).toBe(503)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    for (const path of ['solo/get_response', 'solo/get_response_stream', 'tool/leaky']) {
      const refused = await post(`${url}/${path}`, { message: 'Hi' })
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
    }
    const asked = performance.now()
    child.kill(signal)
    expect(await exit).toEqual([null, signal])
    expect(performance.now() - asked).toBeLessThan(3_000)
    await stream.then((response) => response.text()).catch(() => {})
  }
}, 30_000)

test('a stop ends a stream properly although its store hangs', async () => {
  promise('B2', 'F7')
  const { start, seen } = await startServed(() => ({ text: 'Done' }), {}, CARELESS)
  const { child, exit, url } = await start({ AGENCY_DRAIN_MS: '300' })
  const text = post(`${url}/stuck/get_response_stream`, { message: 'Hi' }).then((answer) => answer.text())
  await expect.poll(() => seen.length).toBe(1)
  const asked = performance.now()
  child.kill('SIGTERM')
  expect(await text).toMatch(/shutting down.*\nevent: messages\ndata: .*\n\nevent: end\ndata: \[DONE\]\n\n$/s)
  expect(await text).toContain('"text":"Done"')
  expect(await exit).toEqual([null, 'SIGTERM'])
  expect(performance.now() - asked).toBeLessThan(5_000)
})

test("a tool's unhandled rejection is logged and ends nothing", async () => {
  promise('F7')
  const served = await startServed(
    (body) => (JSON.stringify(body.input).includes('_output') ? { text: 'Done' } : calls('late')),
    {},
    CARELESS,
  )
  const { exit, url, text } = await served.start()
  expect((await post(`${url}/solo/get_response`, { message: 'Hi' })).status).toBe(200)
  expect((await post(`${url}/tool/late`, {})).status).toBe(200)
  const lines = () => text().match(/.*rejected without a handler.*/g) ?? []
  await expect.poll(lines).toHaveLength(2)
  for (const line of lines()) expect(line).toContain('(late [redacted])')
  expect((await post(`${url}/solo/get_response`, { message: 'Hi' })).status).toBe(200)
  await post(`${url}/tool/fatal`, {})
  expect((await exit)[0]).not.toBe(0)
  expect(text()).toContain('nobody caught this')
})

test('kill -9 loses no turn that a reader has seen', async () => {
  promise('F7')
  const orphans: unknown[] = []
  const served = await startServed((body) => {
    const input = body.input as StoredMessage[]
    const of = (type: string) => input.filter((item) => item.type === type).map((item) => item.call_id)
    if (JSON.stringify(of('function_call').sort()) !== JSON.stringify(of('function_call_output').sort()))
      orphans.push(input)
    const since = input.length - 1 - input.findLastIndex((item) => item.role === 'user')
    return since < 12 ? calls('step', 'step') : { text: 'Done' }
  })
  const folder = mkdtempSync(join(tmpdir(), 'store-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const STORE = join(folder, 'thread.json')
  const read = (): StoredMessage[] => (existsSync(STORE) ? JSON.parse(readFileSync(STORE, 'utf8')) : [])
  for (const killAfter of [0, 1, 3]) {
    const { child, exit, url } = await served.start({ STORE })
    const seen: string[] = []
    try {
      for await (const { data } of readFrames(`${url}/solo/get_response_stream`, { message: `round ${killAfter}` })) {
        const outer = data?.data
        if (outer?.name === 'tool_output') seen.push(outer.call_id)
        if (killAfter === 0 ? outer?.name === 'tool_called' : seen.length >= 2 * killAfter) child.kill('SIGKILL')
      }
    } catch {
      // the process died under the stream
    }
    expect(await exit).toEqual([null, 'SIGKILL'])
    const stored = read()
    expect(stored.at(-1)).toBeDefined()
    expect(JSON.stringify(stored)).toContain(`round ${killAfter}`)
    const answered = stored
      .filter((message) => message.type === 'function_call_output')
      .map((message) => message.call_id)
    const called = stored.filter((message) => message.type === 'function_call').map((message) => message.call_id)
    expect(answered).toEqual(expect.arrayContaining(seen))
    expect(called.sort()).toEqual([...answered].sort())
    expect(seen.length).toBeGreaterThanOrEqual(2 * killAfter)
  }
  const last = await served.start({ STORE })
  const frames = await allFrames(`${last.url}/solo/get_response_stream`, { message: 'the end' })
  expect(final(frames).new_messages.at(-1)).toMatchObject({ role: 'assistant', content: [{ text: 'Done' }] })
  const texts = JSON.stringify(read())
  for (const text of ['round 0', 'round 1', 'round 3', 'the end', 'Done']) expect(texts).toContain(text)
  expect(orphans).toEqual([])
  expect(last.text()).not.toContain('UNHANDLED')
}, 60_000)

test('each turn is saved before its end is sent', async () => {
  promise('F7')
  const ask = { recipient_agent: 'Helper', message: 'help', additional_instructions: '' }
  await useUpstream((body) => {
    const done = JSON.stringify(body.input).includes('function_call_output')
    if (String(body.instructions).includes('Helper')) return done ? { text: 'Helped' } : calls('work')
    return done ? { text: 'Done' } : { calls: [{ name: 'send_message', arguments: ask }] }
  })
  const log: string[] = []
  let running = 0
  const kinds = (messages: StoredMessage[]) => messages.map(({ agent, type, role }) => `${agent} ${role ?? type}`)
  const work = tool({ name: 'work', execute: () => 'worked' })
  const lead = new Agent({ name: 'Lead', instructions: 'Lead', model: 'gpt-4.1' })
  const helper = new Agent({ name: 'Helper', instructions: 'Helper', model: 'gpt-4.1', tools: [work] })
  const agency = new Agency(lead, {
    communicationFlows: [[lead, helper]],
    saveThreads: async (messages) => {
      expect(++running).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 5))
      running--
      log.push(kinds(messages).join(', '))
    },
  })
  const { url } = await startServer({
    agencies: { team: agency },
    onEvent: (event) => {
      if (event.kind === 'item' && event.name !== 'tool_called') log.push(`${event.who.agent} ${event.name}`)
    },
  })
  const frames = await allFrames(`${url}/team/get_response_stream`, { message: 'go' })
  const helped = 'Lead user, Helper user, Helper function_call, Helper function_call_output'
  const whole = `${helped}, Helper assistant, Lead function_call, Lead function_call_output`
  expect(log).toEqual([
    'Lead user',
    helped,
    'Helper tool_output',
    `${helped}, Helper assistant`,
    'Helper message_output_created',
    whole,
    'Lead tool_output',
    `${whole}, Lead assistant`,
    'Lead message_output_created',
  ])
  expect(kinds(final(frames).new_messages).join(', ')).toBe(log.at(-2))
})

test('broken callbacks and hooks only affect their own request', async () => {
  promise('F7')
  refuseRejections()
  const upstream = await useUpstream(() => ({ text: 'Hi' }))
  const never = () => new Promise<never>(() => {})
  const fail = () => {
    throw new Error('store password hunter2')
  }
  const reject = async () => fail()
  const cases: { [name: string]: { options: AgencyOptions; status: number } } = {
    'load throws': { options: { loadThreads: fail }, status: 500 },
    'load rejects': { options: { loadThreads: reject }, status: 500 },
    'load hangs': { options: { loadThreads: never }, status: 500 },
    'load gives a text': { options: { loadThreads: () => 'garbage' as never }, status: 500 },
    'load gives nothing': { options: { loadThreads: () => undefined as never }, status: 200 },
    'load gives a list of garbage': { options: { loadThreads: () => [null, 5] as never }, status: 500 },
    'save throws': { options: { saveThreads: fail }, status: 200 },
    'save rejects': { options: { saveThreads: reject }, status: 200 },
    'save hangs': { options: { saveThreads: never }, status: 200 },
    'a hook throws': { options: { hooks: { onAgentStart: fail } }, status: 500 },
    'a hook rejects': { options: { hooks: { onLlmEnd: reject } }, status: 500 },
  }
  const make =
    ({ options }: (typeof cases)[string]) =>
    () =>
      new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' }), options)
  let made = 0
  const { url } = await startServer({
    agencies: Object.fromEntries([
      ['stuck', () => (made++ === 0 ? make({ options: {}, status: 200 })() : never())] as const,
      ...Object.entries(cases).map(([name, setup]) => [name, make(setup)] as const),
      ['fine', make({ options: {}, status: 200 })] as const,
    ]),
    limits: { callbackMs: 200 },
    onEvent: reject as () => void,
  })
  await Promise.all(
    Object.entries(cases).map(async ([name, { status }]) => {
      const path = `${url}/${name.replaceAll(' ', '_')}`
      const plain = await post(`${path}/get_response`, { message: 'Hi' })
      const text = await plain.text()
      expect(plain.status, `${name} ${text}`).toBe(status)
      expect(text).not.toContain('hunter2')
      const stream = await post(`${path}/get_response_stream`, { message: 'Hi' })
      const told = await stream.text()
      expect(told).not.toContain('hunter2')
      if (name.startsWith('load')) expect(stream.status, name).toBe(status)
      else expect(told, name).toMatch(/event: messages\n.*\n\nevent: end\n/)
    }),
  )
  expect((await post(`${url}/stuck/get_response`, { message: 'Hi' })).status).toBe(500)
  expect((await post(`${url}/fine/get_response`, { message: 'Hi' })).status).toBe(200)
  expect(upstream.seen.length).toBeGreaterThan(0)
}, 20_000)

test('a model that makes thousands of calls at once runs none of them', async () => {
  const many = Array.from({ length: 5_000 }, (_, index) => ({ name: 'count', arguments: {}, id: `call_${index}` }))
  await useUpstream(() => ({ calls: many }))
  let count = 0
  const counts = tool({ name: 'count', execute: () => String(++count) })
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [counts] })) },
  })
  expect((await post(`${url}/solo/get_response`, { message: 'go' })).status).toBe(500)
  expect(count).toBe(0)
})

test('bad calls of a model never end more than their run', async () => {
  const bad: { name: unknown; arguments: unknown; call_id?: unknown }[] = [
    { name: 'nobody', arguments: '{}' },
    { name: '__proto__', arguments: '{}' },
    { name: 'constructor', arguments: '{}' },
    { name: 5, arguments: '{}' },
    { name: null, arguments: null },
    { name: 'echo', arguments: 'not json' },
    { name: 'echo', arguments: '[1]' },
    { name: 'echo', arguments: '{"__proto__":{"polluted":true}}' },
    { name: 'echo', arguments: '['.repeat(100_000) },
    { name: 'echo', arguments: { a: 1 } },
    { name: 'echo', arguments: '{}', call_id: null },
    { name: 'throws', arguments: '{}' },
    { name: 'cyclic', arguments: '{}' },
    { name: 'bigint', arguments: '{}' },
    { name: 'parts', arguments: '{}' },
  ]
  await useUpstream((body) => {
    const [first] = body.input as { content?: string }[]
    if ((body.input as unknown[]).length > 1) return { text: 'Done' }
    const call = bad[Number(first?.content)]
    return { output: [{ id: 'fc_1', type: 'function_call', status: 'completed', call_id: 'call_1', ...call }] }
  })
  const cycle: { self?: unknown } = {}
  cycle.self = cycle
  const schema = { type: 'object', properties: { a: {} } }
  const tools = [
    tool({
      name: 'echo',
      parameters: schema,
      execute: (input) => JSON.stringify([input, Object.getPrototypeOf(input) === Object.prototype]),
    }),
    tool({ name: 'throws', execute: () => Promise.reject(null) }),
    tool({ name: 'cyclic', execute: () => cycle }),
    tool({ name: 'bigint', execute: () => ({ a: 1n }) }),
    tool({ name: 'parts', execute: () => [{ type: 'input_text', text: cycle }] }),
  ]
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1', tools })) },
  })
  await Promise.all(
    bad.map(async (call, index) => {
      const frames = await allFrames(`${url}/solo/get_response_stream`, { message: String(index) })
      expect(
        frames.slice(-2).map((frame) => frame.event),
        JSON.stringify(call).slice(0, 100),
      ).toEqual(['messages', 'end'])
      expect([200, 500]).toContain((await post(`${url}/solo/get_response`, { message: String(index) })).status)
    }),
  )
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
}, 20_000)
