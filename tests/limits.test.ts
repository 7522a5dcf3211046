import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LIMITS, type Limit, readLimits, variableOf } from '../src/base/limits.ts'
import { Agency, Agent, type Limits, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, readFrames, startServer, useUpstream } from './support/client.ts'
import { exchange, statusOf } from './support/raw.ts'

const solo = (options = {}) => new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1', ...options }))
const demo = () => solo({ model: 'demo' })
const serveWith = async (limits: Partial<Limits>, agency = demo()) =>
  (await startServer({ agencies: { solo: agency }, limits })).url
const ask = (url: string, body: unknown) => post(`${url}/solo/get_response`, body)
const detailOf = async (answer: Response) =>
  ((await answer.json()) as { detail: { type: string; loc: unknown[] }[] }).detail

const written = (value: number, unit: string) => {
  if (unit === 'bytes') return value % 1048576 === 0 ? `${value / 1048576} MiB` : `${value / 1024} KiB`
  return `${value.toLocaleString('en-US')}${unit === 'ms' ? ' ms' : ''}`
}

test('one documentation table lists every limit and its default', () => {
  const document = readFileSync(join(import.meta.dirname, '../docs/security.md'), 'utf8')
  const rows = Object.entries(LIMITS).map(
    ([name, { value, unit, text, shown }]: [string, Limit]) =>
      `| \`${name}\` | \`${variableOf(name)}\` | ${shown ?? written(value, unit)} | ${text} |`,
  )
  for (const row of rows) expect(document.split('\n')).toContain(row)
  expect(document.match(/^\| `\w+` \| `AGENCY_/gm)).toHaveLength(rows.length)
})

test('a limit is an option, a variable or a default, and checked', async () => {
  promise('A12')
  const { bodyBytes, maxTurns } = readLimits({ maxTurns: null }, { AGENCY_BODY_BYTES: '1000', AGENCY_MAX_TURNS: '7' })
  expect([bodyBytes, maxTurns]).toEqual([1000, null])
  expect(readLimits({ bodyBytes: 5 }, { AGENCY_BODY_BYTES: '1000' }).bodyBytes).toBe(5)
  expect(readLimits({}, { AGENCY_BODY_BYTES: '' })).toEqual(readLimits({}, {}))
  for (const name of Object.keys(LIMITS) as (keyof Limits)[])
    for (const bad of ['1.5', '-1', 'many', '1e999', '0x10', '99999999999999999999'])
      expect(() => readLimits({}, { [variableOf(name)]: bad }), `${name} ${bad}`).toThrow(variableOf(name))
  for (const bad of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5', null, {}, 2 ** 31])
    expect(() => readLimits({ runMs: bad as never }, {}), String(bad)).toThrow(/limits\.runMs/)
  await expect(serveWith({ bodybytes: 1 } as never)).rejects.toThrow(/limits\.bodybytes is not a limit.*bodyBytes/)
  expect(() => readLimits({ openBodyBytes: 1 } as never, {})).toThrow(/limits\.openBodyBytes .* set heldBytes/)
  expect(() => readLimits({}, { AGENCY_OPEN_BODY_BYTES: '1' })).toThrow(/AGENCY_HELD_BYTES/)
  process.env.AGENCY_RUN_MS = 'soon'
  onTestFinished(() => void delete process.env.AGENCY_RUN_MS)
  await expect(serveWith({})).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('AGENCY_RUN_MS'),
  })
})

test('maxTurns is one limit under two names, and giving both is an error', async () => {
  promise('F12')
  await useUpstream(() => ({ calls: [{ name: 'again', arguments: {} }] }))
  const again = tool({ name: 'again', execute: () => 'again' })
  for (const options of [{ maxTurns: 3 }, { limits: { maxTurns: 3 } }]) {
    const { url } = await startServer({ agencies: { solo: solo({ tools: [again] }) }, ...options })
    expect(await (await ask(url, { message: 'go' })).json()).toEqual({
      error: expect.stringContaining('3 model turns'),
    })
    const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'go' })
    expect(frames.filter((frame) => frame.data?.data?.type === 'error')).toHaveLength(1)
    expect(final(frames).usage.request_count).toBe(3)
  }
  const both = startServer({ agencies: { solo: demo() }, maxTurns: 3, limits: { maxTurns: 4 } })
  await expect(both).rejects.toThrow(/same limit/)
})

test('requests beyond their limits get an error in JSON', async () => {
  const url = await serveWith({
    bodyBytes: 5_000,
    jsonDepth: 6,
    jsonKeys: 50,
    jsonValues: 300,
    historyItems: 10,
    urlBytes: 200,
    headerBytes: 2_000,
  })
  const nested = (levels: number) => ({
    message: 'x',
    user_context: JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`),
  })
  const keys = (count: number) => ({
    message: 'x',
    user_context: Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 1])),
  })
  const values = (count: number) => ({ message: 'x', user_context: { a: Array.from({ length: count }, () => 1) } })
  const history = (count: number) => ({
    message: 'x',
    chat_history: Array.from({ length: count }, () => ({ role: 'user', content: 'x' })),
  })
  const items = (count: number) => ({ message: history(count).chat_history })
  for (const fits of [nested(5), keys(50), values(250), history(10), items(10), { message: 'x'.repeat(4_500) }])
    expect((await ask(url, fits)).status).toBe(200)
  for (const beyond of [nested(6), keys(51), values(300)])
    expect(await detailOf(await ask(url, beyond))).toMatchObject([{ type: 'value_error', loc: ['body'] }])
  expect(await detailOf(await ask(url, history(11)))).toMatchObject([
    { type: 'too_long', loc: ['body', 'chat_history'] },
  ])
  expect(await detailOf(await ask(url, items(11)))).toMatchObject([{ type: 'too_long', loc: ['body', 'message'] }])
  for (const headers of [{}, { 'Transfer-Encoding': 'chunked' }]) {
    const large = JSON.stringify({ message: 'x'.repeat(6_000) })
    const request = new Request(`${url}/solo/get_response`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: 'Transfer-Encoding' in headers ? new Blob([large]).stream() : large,
      duplex: 'half',
    } as RequestInit)
    const answer = await fetch(request)
    expect([answer.status, await answer.json()]).toEqual([413, { detail: expect.stringContaining('5000 bytes') }])
  }
  const get = (path: string, header = '') =>
    exchange(url, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${header}\r\n`)
  const answers: [string, number][] = [
    [await get(`/healthz?${'a'.repeat(150)}`), 200],
    [await get(`/healthz?${'a'.repeat(300)}`), 414],
    [await get(`/${'a'.repeat(300)}`), 414],
    [await get(`/${'a'.repeat(100_000)}`), 414],
    [await get('/healthz', `X-Long: ${'a'.repeat(3_000)}\r\n`), 431],
    [await get('/healthz', 'X-Many: a\r\n'.repeat(500)), 431],
  ]
  for (const [answer, status] of answers) {
    expect(statusOf(answer), answer.slice(0, 200)).toBe(status)
    if (status !== 200) expect(answer).toMatch(/Content-Type: application\/json.*\{"detail":"[^"]+"\}$/is)
  }
})

test('over concurrentRuns or heldBytes, callers get 503 for a while', async () => {
  const upstream = await useUpstream(() => ({ hang: true }))
  const { url, app } = await startServer({
    agencies: { solo: solo() },
    limits: { concurrentRuns: 2, heldBytes: 400_000 },
  })
  const leave = new AbortController()
  const stream = (message: string) => post(`${url}/solo/get_response_stream`, { message }, {}, leave.signal)
  await Promise.all([stream('a'), stream('b')])
  await expect.poll(() => upstream.seen.length).toBe(2)
  for (const endpoint of ['get_response', 'get_response_stream']) {
    const refused = await post(`${url}/solo/${endpoint}`, { message: 'c' })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
    expect(await refused.json()).toEqual({ detail: expect.stringContaining('limit of concurrent runs') })
  }
  leave.abort()
  await Promise.all(upstream.seen.map(({ aborted }) => aborted))
  expect(app.server.listening).toBe(true)

  const again = new AbortController()
  const held = post(`${url}/solo/get_response_stream`, { message: 'x'.repeat(60_000) }, {}, again.signal)
  await held
  const full = await ask(url, { message: 'y'.repeat(150_000) })
  expect([full.status, full.headers.get('retry-after')]).toEqual([503, '2'])
  expect((await post(`${url}/solo/cancel_response_stream`, { run_id: 'small' })).status).toBe(404)
  again.abort()
  await expect.poll(async () => (await post(`${url}/solo/nothing_here`, {})).status).toBe(404)
  const later = new AbortController()
  await expect
    .poll(
      async () =>
        (await post(`${url}/solo/get_response_stream`, { message: 'z'.repeat(60_000) }, {}, later.signal)).status,
    )
    .toBe(200)
  later.abort()
})

test('a run that takes longer than runMs fails and reports it', async () => {
  await useUpstream((body) => {
    const text = JSON.stringify(body.input)
    if (text.includes('model')) return { hang: true }
    if (text.includes('drip')) return { text: 'x', deltas: 1_000, delayMs: 20 }
    return { calls: [{ name: 'sleeps', arguments: {} }] }
  })
  const sleeps = tool({ name: 'sleeps', execute: () => new Promise(() => {}) })
  const url = await serveWith({ runMs: 300 }, solo({ tools: [sleeps] }))
  const stuck = ['model', 'drip', 'tool'].map(async (message) => {
    const frames = await allFrames(`${url}/solo/get_response_stream`, { message })
    expect(
      frames.filter((frame) => frame.data?.data?.type === 'error').map((frame) => frame.data.data.content),
    ).toEqual(['The run was stopped at its limit of 0.3 seconds.'])
    expect(frames.slice(-2).map((frame) => frame.event)).toEqual(['messages', 'end'])
    expect(final(frames).cancelled).toBe(false)
    if (message !== 'drip') expect((await ask(url, { message })).status).toBe(500)
  })
  await Promise.all(stuck)
})

test('slow tools and models within the limits are not cut', async () => {
  await useUpstream((_body, index) =>
    index === 0 ? { calls: [{ name: 'slow', arguments: {} }] } : { text: 'Done', deltas: 2, delayMs: 300 },
  )
  const slow = tool({ name: 'slow', execute: () => new Promise((resolve) => setTimeout(resolve, 500, 'slept')) })
  const limits = { upstreamIdleMs: 400, upstreamFirstByteMs: 400, idleTimeoutMs: 300 }
  const url = await serveWith(limits, solo({ tools: [slow] }))
  expect((await fetch(`${url}/healthz`)).status).toBe(200) // the connection that is kept is used again
  const frames = []
  for await (const frame of readFrames(`${url}/solo/get_response_stream`, { message: 'go' })) frames.push(frame)
  expect(final(frames).new_messages.at(-1)).toMatchObject({ role: 'assistant' })
})
