import { expect, onTestFinished, test, vi } from 'vitest'
import { Agency, type AgencyStream, Agent, type RunOptions } from '../src/index.ts'
import { promise } from './promises.ts'
import { useUpstream } from './support/client.ts'

const agent = () => new Agent({ name: 'Solo', model: 'gpt-4.1' })
const agency = () => new Agency(agent())

/** A window of 64 KiB, and a reader that may stand still for a fifth of a second. */
function shortLimits(): void {
  vi.stubEnv('AGENCY_SLOW_READER_BYTES', '65536')
  vi.stubEnv('AGENCY_IDLE_TIMEOUT_MS', '200')
  onTestFinished(() => void vi.unstubAllEnvs())
}

test.each([
  ['awaits finalResult alone', (stream: AgencyStream) => stream.finalResult],
  ['asks for finalResult twice', async (stream: AgencyStream) => (await stream.finalResult) && stream.finalResult],
  ['reads beside it', async (stream: AgencyStream) => (await Promise.all([stream.finalResult, readAll(stream)]))[0]],
  [
    'reads its text beside it',
    async (stream: AgencyStream) => {
      const [result] = await Promise.all([stream.finalResult, readAll(stream.textStream())])
      return result
    },
  ],
  [
    'takes finalResult first and reads then',
    async (stream: AgencyStream) => {
      const { finalResult } = stream
      await readAll(stream)
      return finalResult
    },
  ],
])('an answer above the window arrives whole for a caller that %s', async (_name, use) => {
  promise('F1')
  shortLimits()
  await useUpstream(() => ({ text: 'whole', deltas: 3_000 }))
  const { finalOutput, cancelled } = await use(agency().getResponseStream('Hi'))
  expect([cancelled, String(finalOutput)]).toEqual([false, 'whole'])
})

const readAll = async <T>(source: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const value of source) all.push(value)
  return all
}

test.each([
  ['two loops', (stream: AgencyStream) => [readAll(stream), readAll(stream)]],
  ['a loop and its text', (stream: AgencyStream) => [readAll(stream), readAll(stream.textStream())]],
  ['its text twice', (stream: AgencyStream) => [readAll(stream.textStream()), readAll(stream.textStream())]],
  ['its text and a loop', (stream: AgencyStream) => [readAll(stream.textStream()), readAll(stream)]],
])('a second reader gets a TypeError and takes nothing from the first: %s', async (_name, read) => {
  promise('F1')
  await useUpstream(() => ({ text: 'x', deltas: 150 }))
  const stream = agency().getResponseStream('Hi')
  const [first, second] = await Promise.allSettled(read(stream))
  expect(second).toMatchObject({ status: 'rejected', reason: expect.any(TypeError) })
  expect((first as PromiseFulfilledResult<unknown[]>).value.length).toBeGreaterThanOrEqual(150)
  expect((await stream.finalResult).cancelled).toBe(false)
})

test('a reader that comes after finalResult was awaited gets a TypeError', async () => {
  promise('F1')
  await useUpstream(() => ({ text: 'x' }))
  const stream = agency().getResponseStream('Hi')
  await stream.finalResult
  await expect(readAll(stream)).rejects.toThrow(/finalResult/)
  await expect(readAll(stream.textStream())).rejects.toThrow(TypeError)
})

/** Reads one value of an endless answer and leaves in one of the ways there are. */
const LEAVING: { [way: string]: (stream: AgencyStream, abort: AbortController) => Promise<unknown> } = {
  break: async (stream) => {
    for await (const _ of stream) break
  },
  'break out of the text': async (stream) => {
    for await (const _ of stream.textStream()) break
  },
  'an error in the loop': (stream) =>
    (async () => {
      for await (const _ of stream) throw new Error('mine')
    })().catch((error) => expect(error.message).toBe('mine')),
  'return() after a value': async (stream) => {
    const events = stream[Symbol.asyncIterator]()
    await events.next()
    await events.return?.()
    expect(await events.next()).toEqual({ done: true, value: undefined })
  },
  'return() before any value': async (stream) => stream[Symbol.asyncIterator]().return?.(),
  'return() of the text before any value': async (stream) => stream.textStream().return?.(),
  'a signal after a value': async (stream, abort) => {
    for await (const _ of stream) abort.abort()
  },
  'a signal while the run is prepared': async (_stream, abort) => abort.abort(),
  'cancel()': async (stream) => stream.cancel(),
}

test.each(Object.entries(LEAVING))('the run is stopped and its model left by %s', async (_way, leave) => {
  promise('F1', 'B5')
  const upstream = await useUpstream(() => ({ text: 'x', deltas: 100_000, delayMs: 5 }))
  const abort = new AbortController()
  const own = agency()
  const stream = own.getResponseStream('Hi', { signal: abort.signal })
  await leave(stream, abort)
  const { cancelled, finalOutput, newMessages } = await stream.finalResult
  expect([cancelled, finalOutput]).toEqual([true, undefined])
  expect(newMessages.map(({ role }) => role)).toEqual(['user'])
  await Promise.all(upstream.seen.map(({ aborted }) => aborted))
  expect(upstream.open()).toBe(0)
})

test('messages of a broken turn stay in the conversation', async () => {
  promise('F1')
  const upstream = await useUpstream((_body, index) => ({ text: 'x', deltas: index === 0 ? 100_000 : 1, delayMs: 1 }))
  const own = agency()
  for await (const _ of own.getResponseStream('First')) break
  await own.getResponse('Second')
  expect(upstream.seen.at(-1)?.body.input).toMatchObject([{ content: 'First' }, { content: 'Second' }])
})

test('failures at the start reach reader, text and finalResult', async () => {
  promise('F1')
  const start = () => agency().getResponseStream('Hi', { recipientAgent: 'Ghost' })
  for (const use of [
    readAll<unknown>,
    (one: AgencyStream) => readAll(one.textStream()),
    (one: AgencyStream) => one.finalResult,
  ])
    await expect(use(start())).rejects.toMatchObject({ code: 'UNKNOWN_AGENT' })
})

test.each<[options: unknown, says: RegExp]>([
  [{ recipient: 'Solo' }, /"recipient". Use instead: recipientAgent/],
  [{ recipient_agent: 'Solo' }, /"recipient_agent". Write "recipientAgent"/],
  [{ context: {} }, /Use instead: contextOverride/],
  [{ hooks_override: {} }, /Use instead: hooks/],
  [{ abortSignal: AbortSignal.timeout(9) }, /Use instead: signal/],
  [{ maxTurn: 3 }, /no option "maxTurn".*Known options: recipientAgent/],
  [{ clientConfig: { apiKey: 'sk' } }, /clientConfig of a run.*Use instead: api_key/],
  [{ clientConfig: { base_url: 'ftp://x' } }, /clientConfig\.base_url/],
  [{ clientConfig: { default_headers: { host: 'x' } } }, /clientConfig\.default_headers\.host/],
  [{ clientConfig: 'sk-key' }, /clientConfig/],
  [{ maxTurns: 0 }, /maxTurns/],
  [{ maxTurns: 1.5 }, /maxTurns/],
  [{ maxTurns: '3' }, /maxTurns/],
  [{ recipientAgent: 7 }, /recipientAgent: Input should be a valid string/],
  [{ additionalInstructions: ['Be brief'] }, /additionalInstructions: Input should be a valid string/],
  [{ contextOverride: 'pro' }, /contextOverride/],
  [{ fileIds: 'file-1' }, /fileIds: Input should be a valid list/],
  [{ fileUrls: ['https://x.example/a.pdf'] }, /fileUrls: Input should be a valid dictionary/],
  [{ allowedLocalFileDirs: '/srv' }, /allowedLocalFileDirs/],
  [{ signal: new AbortController() }, /signal of a run is an AbortSignal/],
  [{ hooks: () => {} }, /hooks/],
  [{ generateChatName: 'perhaps' }, /generateChatName/],
  ['Solo', /not a text.*recipientAgent/],
  [agent(), /not an Agent.*recipientAgent/],
  [null, /not null/],
])('a run refuses the option %j by its name', async (options, says) => {
  promise('A12')
  const upstream = await useUpstream(() => ({ text: 'x' }))
  const own = agency()
  for (const call of [
    () => own.getResponse('Hi', options as RunOptions),
    () => own.getResponseStream('Hi', options as RunOptions).finalResult,
    () => agent().getResponse('Hi', options as RunOptions),
  ])
    await expect(call()).rejects.toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(says) })
  expect(upstream.seen).toHaveLength(0)
})

test.each([
  [undefined, 'INVALID_OPTION'],
  [null, 'INVALID_OPTION'],
  [7, 'INVALID_OPTION'],
  [true, 'INVALID_OPTION'],
  [[], 'INVALID_OPTION'],
  [['Hi'], 'INVALID_OPTION'],
  [[null], 'INVALID_OPTION'],
  [{ role: 'user', content: 'Hi' }, 'INVALID_OPTION'],
  [() => 'Hi', 'INVALID_OPTION'],
  ['', 'EMPTY_MESSAGE'],
  [' \n\t', 'EMPTY_MESSAGE'],
  ['\u00a0\u2028', 'EMPTY_MESSAGE'],
])('the message %j is refused before a model is asked', async (message, code) => {
  promise('F1')
  const upstream = await useUpstream(() => ({ text: 'x' }))
  const own = agency()
  for (const call of [
    () => own.getResponse(message as string),
    () => own.getResponseStream(message as string).finalResult,
    () => readAll(own.getResponseStream(message as string)),
    () => agent().getResponse(message as string),
  ])
    await expect(call()).rejects.toMatchObject({ code, message: expect.stringMatching(/message/) })
  expect(upstream.seen).toHaveLength(0)
})
