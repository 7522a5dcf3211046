import { expect, test } from 'vitest'
import { ClientError, createClient, type RunEvent } from '../src/client/index.ts'

/** A frame of a run with its number. */
const frame = (id: number, event: string | undefined, data: unknown) =>
  `id: ${id}\n${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
const speaker = (agent: string, callerAgent: string | null) => ({ agent, callerAgent, agent_run_id: `${agent}-1` })
const delta = (id: number, text: string, agent = 'CEO', caller: string | null = null) =>
  frame(id, undefined, {
    data: {
      type: 'raw_response_event',
      data: { type: 'response.output_text.delta', delta: text },
      ...speaker(agent, caller),
    },
  })
const item = (id: number, name: string, fields: object = {}, agent = 'CEO', caller: string | null = null) =>
  frame(id, undefined, {
    data: {
      type: 'run_item_stream_event',
      name,
      item: { raw_item: {}, ...fields },
      ...speaker(agent, caller),
      call_id: 'c1',
    },
  })
const meta = frame(1, 'meta', { run_id: 'r' })
const attempt = (id: number, number: number, voidAfter: number) =>
  frame(id, 'attempt', { attempt: number, void_after: voidAfter })
const ending = (id: number) =>
  frame(id, 'messages', { new_messages: [], run_id: 'r', cancelled: false }) + frame(id + 1, 'end', '[DONE]')
const RETRY = 'retry: 100\n\n'

type Connection = string | readonly string[] | number | 'hang'
interface Script {
  /** What each event stream sends, chunk by chunk, before it is cut; a number is a status; `hang` sends nothing. */
  streams: Connection[]
  /** The run as GET gives it. */
  run?: object
  /** Headers of answers that are not streams. */
  headers?: Record<string, string>
  body?: object
}

/** A server by hand: every event stream is the next of the list. The last one is left open when its text has an `end`. */
function handMade({ streams, run = {}, headers = {}, body = { detail: 'no' } }: Script) {
  const requests: { method: string; url: string; key: string | null; body: unknown }[] = []
  let next = 0
  const send: typeof fetch = async (input, init) => {
    init?.signal?.throwIfAborted()
    const url = new URL(String(input))
    const key = new Headers(init?.headers).get('idempotency-key')
    requests.push({ method: init?.method ?? '', url: url.pathname + url.search, key, body: init?.body })
    if (init?.method === 'GET' && !/\/(events|stream)$/.test(url.pathname))
      return Response.json({ run_id: 'r', attempt: 1, last_event_id: 0, status: 'completed', ...run })
    const connection = streams[next++] ?? 500
    if (typeof connection === 'number')
      return connection === 204
        ? new Response(null, { status: 204 })
        : Response.json(body, { status: connection, headers })
    return new Response(toStream(connection, init?.signal), { headers: { 'content-type': 'text/event-stream' } })
  }
  const { runs, threads } = createClient({ baseUrl: 'http://any.example', fetch: send }).agency('a')
  const paths = () => requests.map(({ method, url }) => `${method} ${url}`)
  return { runs, threads, requests, paths }
}

function toStream(connection: string | readonly string[], signal: AbortSignal | null | undefined) {
  const chunks = connection === 'hang' ? [] : typeof connection === 'string' ? [connection] : [...connection]
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => signal?.addEventListener('abort', () => controller.error(signal.reason)),
      async pull(controller) {
        const chunk = chunks.shift()
        if (chunk !== undefined) controller.enqueue(new TextEncoder().encode(chunk))
        else if (connection === 'hang') await new Promise(() => {})
        else controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}

const collect = async (stream: AsyncIterable<RunEvent>): Promise<RunEvent[]> => {
  const events: RunEvent[] = []
  for await (const event of stream) events.push(event)
  return events
}
const failureOf = async (work: Promise<unknown>): Promise<ClientError> => {
  const caught = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(caught).toBeInstanceOf(ClientError)
  return caught as ClientError
}
const texts = (events: readonly RunEvent[]) => events.flatMap((event) => (event.kind === 'text' ? [event.text] : []))
const ids = (events: readonly RunEvent[]) => events.map(({ id }) => id)

test('deltas are live, and an attempt takes back what is void', async () => {
  const chunks = [meta, delta(2, 'Good '), delta(3, 'mor'), attempt(4, 2, 2), delta(5, 'evening'), ending(6)]
  const { runs } = handMade({ streams: [chunks] })
  const stream = runs.stream('Hello')
  const seen: string[] = []
  for await (const event of stream) seen.push(`${event.id} ${stream.view.text}`)
  expect(seen).toEqual(['1 ', '2 Good ', '3 Good mor', '4 Good ', '5 Good evening', '6 Good evening', '7 Good evening'])
  expect(stream.view.attempt).toBe(2)
})

test('a replay never shows what is void, whatever the chunks', async () => {
  const frames = [meta, delta(2, 'A'), delta(3, 'x'), attempt(4, 2, 2), delta(5, 'y'), attempt(6, 3, 4), delta(7, 'B')]
  for (const chunks of [[...frames, ending(8)], [frames.join('') + ending(8)]]) {
    const { runs, paths } = handMade({ streams: [chunks], run: { attempt: 3, last_event_id: 9 } })
    const stream = runs.events('r')
    const events = await collect(stream)
    expect(ids(events)).toEqual([1, 2, 4, 6, 7, 8, 9])
    expect(texts(events)).toEqual(['A', 'B'])
    expect(stream.view.text).toBe('AB')
    expect(paths()).toEqual(['GET /a/runs/r/events', 'GET /a/runs/r'].slice(0, paths().length))
  }
})

test('events that wait for their attempt over a cut are not shown', async () => {
  const { runs } = handMade({
    streams: [
      [RETRY, meta, delta(2, 'A'), delta(3, 'x')],
      [delta(4, 'x'), attempt(5, 2, 2), delta(6, 'B'), ending(7)],
    ],
    run: { attempt: 2, last_event_id: 6 },
  })
  expect(ids(await collect(runs.events('r')))).toEqual([1, 2, 5, 6, 7, 8])
})

test('events that wait for their attempt are not shown when it cannot come', async () => {
  const { runs } = handMade({
    streams: [[RETRY, meta, delta(2, 'x')], 404],
    run: { attempt: 2, last_event_id: 6 },
  })
  const shown: RunEvent[] = []
  const read = async () => {
    for await (const event of runs.events('r')) shown.push(event)
  }
  expect(await failureOf(read())).toMatchObject({ kind: 'not_found' })
  expect(shown).toEqual([])
})

test('a reader that goes on after the attempt does not wait for it', async () => {
  const { runs } = handMade({
    streams: [[delta(6, 'C'), delta(7, 'D'), ending(8)]],
    run: { attempt: 2, last_event_id: 7 },
  })
  const stream = runs.events('r', { after: 5 })
  expect(ids(await collect(stream))).toEqual([6, 7, 8, 9])
})

test('what a boundary covers beyond the void is said again', async () => {
  // Billing speaks in 3 and 4, uncovered; Research calls in 5, covered: 5 is said again as 7.
  const { runs } = handMade({
    streams: [
      [
        meta,
        delta(2, 'Wait. '),
        delta(3, 'half', 'Billing', 'CEO'),
        item(4, 'tool_called', {}, 'Billing', 'CEO'),
        item(5, 'tool_output', { output: 'found' }, 'Research', 'CEO'),
        attempt(6, 2, 2),
        item(7, 'tool_output', { output: 'found' }, 'Research', 'CEO'),
        ending(8),
      ],
    ],
  })
  const stream = runs.stream('Hello')
  const sizes: number[] = []
  for await (const _ of stream) sizes.push(stream.view.items.length)
  expect(sizes).toEqual([0, 0, 0, 1, 2, 0, 1, 1, 1])
  expect(stream.view).toMatchObject({ text: 'Wait. ', items: [{ id: 7, output: 'found' }] })
})

test('approvals that are void go, and those said again come back', async () => {
  const asked = {
    approvals: [{ approval_id: 'a1', agent: 'CEO', tool: 't', call_id: 'c1', arguments: {}, expires_at: '' }],
  }
  const chunks = [
    meta,
    frame(2, 'queued', { position: 1 }),
    frame(3, 'requires_action', asked),
    attempt(4, 2, 2),
    frame(5, 'requires_action', asked),
    item(6, 'tool_output', { output: 'done' }),
    ending(7),
  ]
  const stream = handMade({ streams: [chunks] }).runs.stream('Hello')
  const seen: unknown[] = []
  for await (const { kind } of stream) seen.push([kind, stream.view.approvals.length, stream.view.queuePosition])
  expect(seen).toEqual([
    ['meta', 0, null],
    ['queued', 0, 1],
    ['requires_action', 1, 1],
    ['attempt', 0, 1],
    ['requires_action', 1, 1],
    ['item', 0, 1],
    ['messages', 0, 1],
    ['end', 0, 1],
  ])
})

test('a broken stream goes on from its last event, and repeats are dropped', async () => {
  const { runs, paths, requests } = handMade({
    streams: [
      [RETRY, meta, delta(2, 'A')],
      [delta(2, 'A'), delta(3, 'B'), 'id: 4\ndata: {"half'],
      [delta(4, 'C'), ending(5)],
    ],
  })
  const stream = runs.stream('Hello')
  expect(ids(await collect(stream))).toEqual([1, 2, 3, 4, 5, 6])
  expect(stream.view.text).toBe('ABC')
  const streams = paths().filter((path) => !path.endsWith('runs/r'))
  expect(streams).toEqual([
    'POST /a/runs',
    'GET /a/runs/r/events?starting_after=2',
    'GET /a/runs/r/events?starting_after=3',
  ])
  expect(requests[0]?.key).toMatch(/^[\x21-\x7e]{16,}$/)
})

test('a lost start is repeated with the same key and body', async () => {
  const { runs, requests } = handMade({ streams: [503, [RETRY], [meta, ending(2)]], headers: { 'retry-after': '0' } })
  expect(ids(await collect(runs.stream('Hello', { idempotencyKey: 'mine' })))).toEqual([1, 2, 3])
  const posts = requests.filter(({ method }) => method === 'POST')
  expect(posts).toHaveLength(3)
  for (const post of posts) expect(post).toEqual(posts[0])
  expect(posts[0]).toMatchObject({ key: 'mine', body: '{"message":"Hello","stream":true}' })
})

test('what changes a run is repeated with the same key when it is lost', async () => {
  const sent: [url: string, key: string | null, body: unknown][] = []
  let lost = 0
  const send: typeof fetch = async (input, init) => {
    sent.push([new URL(String(input)).pathname, new Headers(init?.headers).get('idempotency-key'), init?.body])
    if (++lost % 2 === 1) throw new TypeError('the connection broke')
    return Response.json({ run_id: 'r' })
  }
  const { runs, threads } = createClient({ baseUrl: 'http://any.example', fetch: send }).agency('a')
  await runs.start('Hello')
  await runs.cancel('r', { mode: 'after_turn', waitMs: 0 })
  await runs.approve('r', 'a/1', { arguments: { order: 2 } })
  expect(sent.map(([url]) => url)).toEqual([
    ...['/a/runs', '/a/runs'],
    ...['/a/runs/r/cancel', '/a/runs/r/cancel'],
    ...['/a/runs/r/approvals/a%2F1', '/a/runs/r/approvals/a%2F1'],
  ])
  for (const index of [0, 2, 4]) expect(sent[index + 1]).toEqual(sent[index])
  expect(new Set(sent.map(([, key]) => key)).size).toBe(3)
  expect(sent[2]?.[2]).toBe('{"mode":"after_turn","wait_ms":0}')
  lost = 0
  await expect(threads.create({}, { retries: 0 })).rejects.toThrow('the connection broke')
})

test('a reader that leaves during a wait leaves nothing behind', async () => {
  const { runs } = handMade({ streams: [[RETRY, meta], 404] })
  const events = runs.stream('Hello')[Symbol.asyncIterator]()
  await events.next()
  const last = events.next()
  await events.return?.()
  expect(await failureOf(last)).toMatchObject({ kind: 'aborted' })
  expect(await events.next().catch(({ kind }) => kind)).toBe('aborted')
})

test('a stream ends clearly at 204, and stays away after a refusal', async () => {
  const known = handMade({ streams: [204] })
  const over = known.runs.events('r', { after: 9 })
  expect(await collect(over)).toEqual([])
  expect(await over.result()).toMatchObject({ status: 'completed' })
  for (const [status, kind] of [
    [401, 'unauthorized'],
    [404, 'not_found'],
    [422, 'invalid_request'],
    [409, 'conflict'],
  ] as const) {
    const { runs, requests } = handMade({ streams: [[RETRY, meta], status], body: { detail: 'no', code: 'X' } })
    const shown: RunEvent[] = []
    const read = async () => {
      for await (const event of runs.stream('Hello')) shown.push(event)
    }
    expect(await failureOf(read())).toMatchObject({ kind, status, code: 'X' })
    expect(ids(shown)).toEqual([1])
    expect(requests).toHaveLength(2)
  }
})

test('events that are no longer kept end the stream, not the result', async () => {
  const body = { detail: 'gone', code: 'EVENTS_EXPIRED' }
  const stream = handMade({ streams: [410], body }).runs.events('r')
  expect(await stream.result()).toMatchObject({ run_id: 'r', status: 'completed' })
  const expired = handMade({ streams: [410], body }).runs.events('r')
  expect(await failureOf(collect(expired))).toMatchObject({ kind: 'gone', code: 'EVENTS_EXPIRED' })
})

test('waits grow, honour the server, and end after the given number', async () => {
  const waits: number[] = []
  const { runs, requests } = handMade({ streams: [[RETRY, meta], 503, 502, 429], headers: { 'retry-after': '0' } })
  const stream = runs.stream('Hello', { retries: 3, onRetry: ({ delayMs }) => waits.push(delayMs) })
  expect(await failureOf(collect(stream))).toMatchObject({ kind: 'rate_limited' })
  expect(waits).toHaveLength(3)
  for (const [index, wait] of waits.entries()) {
    expect(wait).toBeGreaterThanOrEqual(50 * 2 ** index)
    expect(wait).toBeLessThanOrEqual(100 * 2 ** index)
  }
  expect(requests).toHaveLength(4)
  const asked: number[] = []
  const slow = handMade({ streams: [503, [meta, ending(2)]], headers: { 'retry-after': '2' } })
  await collect(slow.runs.stream('Hello', { onRetry: ({ delayMs }) => asked.push(delayMs) }))
  expect(asked).toEqual([2000])
})

test('a full queue and a first answer that never comes are told soon', async () => {
  const full = handMade({ streams: [429], body: { detail: 'full', code: 'THREAD_QUEUE_FULL' } })
  expect(await failureOf(collect(full.runs.stream('Hello')))).toMatchObject({ code: 'THREAD_QUEUE_FULL' })
  expect(full.requests).toHaveLength(1)
  const failures: number[] = []
  const nobody = createClient({ baseUrl: 'http://127.0.0.1:1' }).agency('a')
  const stream = nobody.runs.stream('Hello', { onRetry: (retry) => failures.push(retry.failures) })
  expect(await failureOf(stream.result())).toMatchObject({ kind: 'network' })
  expect(failures).toEqual([1, 2, 3])
}, 20_000)

test('a silent connection is replaced', async () => {
  const { runs, paths } = handMade({ streams: [[RETRY, meta, 'x'], 'hang', [ending(2)]] })
  expect(ids(await collect(runs.stream('Hello', { silenceMs: 50 })))).toEqual([1, 2, 3])
  expect(paths().filter((path) => path.includes('events'))).toHaveLength(2)
})

test('the signal ends the stream, its waits and its result', async () => {
  const stop = new AbortController()
  const { runs } = handMade({ streams: [[meta], 'hang'] })
  const stream = runs.stream('Hello', { signal: stop.signal, onRetry: () => stop.abort() })
  expect(await failureOf(collect(stream))).toMatchObject({ kind: 'aborted' })
  expect(await failureOf(stream.result())).toMatchObject({ kind: 'aborted' })
})

test('errors that are not of the connection are not retried', async () => {
  const wrong = new Error('my own')
  const { runs, requests } = handMade({ streams: [[meta, 'id: 2\ndata: {nonsense\n\n'], [meta]] })
  const throwing = runs.stream('Hello', {
    onFrame: ({ id }) => {
      if (id === '1') throw wrong
    },
  })
  await expect(collect(throwing)).rejects.toBe(wrong)
  const broken = handMade({ streams: [[meta, 'id: 2\ndata: {nonsense\n\n']] })
  expect(await failureOf(collect(broken.runs.stream('Hello')))).toMatchObject({ kind: 'bad_answer' })
  expect(requests).toHaveLength(1)
})

/** A log with three attempts: the user's text, a sub-agent's half text, an item that a boundary covers and that is said again. */
const LOG = [
  meta,
  delta(2, 'One '),
  item(3, 'message_output_created'),
  delta(4, 'x'),
  delta(5, 'x'),
  attempt(6, 2, 3),
  delta(7, 'Two '),
  delta(8, 'half', 'Billing', 'CEO'),
  item(9, 'tool_output', {}, 'Research', 'CEO'),
  delta(10, 'y', 'Billing', 'CEO'),
  attempt(11, 3, 7),
  item(12, 'tool_output', {}, 'Research', 'CEO'),
  delta(13, 'z'),
  attempt(14, 4, 12),
  delta(15, 'Three'),
]
const ENDED = [...LOG, ending(16)]
/** Void frame -> the attempt that says so. */
const VOID = new Map([
  [4, 6],
  [5, 6],
  [8, 11],
  [9, 11],
  [10, 11],
  [13, 14],
])

/** Follows a run over three connections, made while the log ends at `first`, at `second` and with the run. */
async function followOver(first: number, second: number) {
  let connections = 0
  const send: typeof fetch = async (input, init) => {
    const url = new URL(String(input))
    const isStream = init?.method === 'POST' || url.pathname.endsWith('/events')
    const last = [first, second][connections - (isStream ? 0 : 1)] ?? ENDED.length
    const attempts = [6, 11, 14].filter((id) => id <= last).length + 1
    if (!isStream) return Response.json({ run_id: 'r', attempt: attempts, last_event_id: last, status: 'completed' })
    connections++
    const after = Number(url.searchParams.get('starting_after') ?? 0)
    const chunks = [RETRY, ...ENDED.slice(after, last)]
    return new Response(toStream(chunks, init?.signal), { headers: { 'content-type': 'text/event-stream' } })
  }
  const stream = createClient({ baseUrl: 'http://any.example', fetch: send }).agency('a').runs.stream('Hello')
  const shown: number[] = []
  for await (const { id } of stream) shown.push(id)
  return { shown, text: stream.view.text, items: stream.view.items.map(({ id }) => id) }
}

test('wherever a run is cut, three attempts show what happened, once', async () => {
  const pairs = LOG.flatMap((_, first) => LOG.slice(first).map((_, more) => [first + 1, first + more + 1] as const))
  expect(pairs).toHaveLength(120)
  await Promise.all(
    pairs.map(async ([first, second]) => {
      const { shown, text, items } = await followOver(first, second)
      const place = `${first}, ${second}: ${shown}`
      expect(`${place} ${text} ${items}`).toBe(`${place} One Two Three 3,12`)
      const happened = Array.from({ length: 17 }, (_, index) => index + 1).filter((id) => !VOID.has(id))
      expect(shown.filter((id) => !VOID.has(id))).toEqual(happened)
      // What is void was only shown live: at a time when nothing said so.
      for (const id of shown) {
        const judged = VOID.get(id)
        if (judged !== undefined)
          expect(id <= first || (id <= second && judged > second), `${id} of ${place}`).toBe(true)
      }
    }),
  )
})
