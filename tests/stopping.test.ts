import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  Agency,
  type AgencyOptions,
  Agent,
  type AgentOptions,
  type FunctionTool,
  type Model,
  type StoredMessage,
  tool,
} from '../src/index.ts'
import { promise } from './promises.ts'
import { type Frame, final, post, readFrames, startServer, startWithHub, useUpstream } from './support/client.ts'

const never = () => new Promise<never>(() => {})
const sleeps = tool({ name: 'sleeps', execute: never })
const quick = tool({ name: 'quick', execute: () => 'done' })
const gated = (isEnabled: FunctionTool['isEnabled']) => tool({ name: 'gated', execute: () => 'done', isEnabled })

/** A model that does not look at its signal. */
const deaf: Model = {
  name: 'deaf',
  streamTurn: () => ({ [Symbol.asyncIterator]: () => ({ next: never }) }),
  completeTurn: never,
}
const ask = { recipient_agent: 'Helper', message: 'help', additional_instructions: '' }

/** Where a run can be when it is stopped: what its model does, and what its agent is like. */
const STAGES: {
  [stage: string]: {
    script?: Parameters<typeof useUpstream>[0]
    options?: Partial<AgentOptions>
    saveThreads?: AgencyOptions['saveThreads']
  }
} = {
  'before the first byte of the model': { script: () => ({ hang: true, early: true }) },
  'after its headers': { script: () => ({ hang: true }) },
  'in the middle of a text': { script: () => ({ text: 'x', deltas: 10_000, delayMs: 10 }) },
  'while a retry is waited for': { script: () => ({ status: 503, message: 'down', retryAfter: '15' }) },
  'while a tool runs that ignores its signal': { script: () => ({ calls: [{ name: 'sleeps', arguments: {} }] }) },
  'while a sub-agent waits for its model': {
    script: (body) =>
      String(body.instructions).includes('Helper')
        ? { hang: true }
        : {
            calls: [
              { name: 'send_message', arguments: ask },
              { name: 'quick', arguments: {} },
            ],
          },
  },
  'while instructions are made': { options: { instructions: never } },
  'while a hook hangs': { options: { hooks: { onAgentStart: never } } },
  'while an input guardrail hangs': { options: { inputGuardrails: [never] } },
  'while an output guardrail hangs': { options: { outputGuardrails: [never] } },
  'while a reminder is made': { options: { systemReminders: [never] } },
  'while it is asked which tools are enabled': { options: { tools: [gated(never)] } },
  'while it is asked whether a called tool is enabled': {
    script: () => ({ calls: [{ name: 'gated', arguments: {} }] }),
    options: { tools: [gated(({ toolCallId }) => toolCallId === '' || never())] },
  },
  'while its first save hangs': { saveThreads: never },
  'while the save of a turn hangs': {
    script: () => ({ calls: [{ name: 'quick', arguments: {} }] }),
    saveThreads: (messages) => (messages.length > 1 ? never() : undefined),
  },
  'while its last save hangs': {
    script: () => ({ text: 'Done' }),
    saveThreads: (messages) => (messages.length > 1 ? never() : undefined),
  },
  'while a model of its own hangs': { options: { model: deaf } },
}

async function serveStage({ script, options = {}, saveThreads }: (typeof STAGES)[string]) {
  const upstream = await useUpstream(script ?? (() => ({ text: 'Done' })))
  const lead = new Agent({ name: 'Lead', instructions: 'Lead.', model: 'gpt-4.1', tools: [sleeps, quick], ...options })
  const helper = new Agent({ name: 'Helper', instructions: 'Helper.', model: 'gpt-4.1' })
  const agency = () => new Agency(lead, { communicationFlows: [[lead, helper]], ...(saveThreads && { saveThreads }) })
  const server = await startWithHub({ agencies: { team: agency(), other: agency() } })
  /** The run has got as far as it can. */
  const stuck = async () => {
    const before = upstream.seen.length
    await expect.poll(() => server.hub.size).toBe(1)
    if (script !== undefined) await expect.poll(() => upstream.seen.length).toBeGreaterThan(before)
    for (let last = -1; last !== upstream.seen.length; ) {
      last = upstream.seen.length
      await new Promise((resolve) => setTimeout(resolve, 40))
    }
  }
  return { ...server, upstream, stuck }
}

/** What a list of messages must never be: half a call, or a text that is not finished. */
function expectWhole(messages: StoredMessage[], label: string): void {
  const ids = (type: string) => messages.filter((message) => message.type === type).map((message) => message.call_id)
  expect(ids('function_call').sort(), label).toEqual(ids('function_call_output').sort())
  for (const message of messages) expect(message.status ?? 'completed', label).toBe('completed')
}

for (const [stage, setup] of Object.entries(STAGES))
  test(`a client that leaves ${stage} ends its run and model call`, async () => {
    promise('B7')
    const { url, hub, upstream, stuck } = await serveStage(setup)
    // A plain answer comes all at once: there is no middle.
    const endpoints = stage.includes('text') ? ['get_response_stream'] : ['get_response', 'get_response_stream']
    for (const endpoint of endpoints) {
      const leave = new AbortController()
      const arrived = stuck()
      const gone = post(`${url}/team/${endpoint}`, { message: 'Hi' }, {}, leave.signal)
        .then((response) => response.text())
        .catch(() => 'left')
      await arrived
      const calls = upstream.seen.length
      leave.abort()
      await expect.poll(() => [hub.size, upstream.open()], { timeout: 3_000 }).toEqual([0, 0])
      expect(await gone).toBe('left')
      expect(upstream.seen).toHaveLength(calls) // no further turn
    }
  })

test('a client that leaves before its run has begun costs no call to a model', async () => {
  promise('B7')
  const upstream = await useUpstream(() => ({ hang: true }))
  const ready = Promise.withResolvers<void>()
  let loads = 0
  const make = () =>
    new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' }), {
      loadThreads: async () => {
        loads++
        await ready.promise
        return []
      },
    })
  const { url, hub, app } = await startWithHub({ agencies: { solo: make } })
  let closed = 0
  app.server.on('request', (_request, response) => response.once('close', () => closed++))
  const leave = new AbortController()
  const asked = ['get_response', 'get_response_stream'].map((endpoint) =>
    post(`${url}/solo/${endpoint}`, { message: 'Hi' }, {}, leave.signal).catch(() => 'left'),
  )
  await expect.poll(() => loads).toBe(2)
  leave.abort()
  expect(await Promise.all(asked)).toEqual(['left', 'left'])
  await expect.poll(() => closed).toBe(2)
  ready.resolve()
  await expect.poll(() => [hub.size, upstream.open()]).toEqual([0, 0])
  expect(upstream.seen).toHaveLength(0)
})

for (const [stage, setup] of Object.entries(STAGES))
  test(`a cancel ${stage} answers within two seconds`, async () => {
    promise('B4', 'B5')
    const { url, hub, upstream, stuck } = await serveStage(setup)
    const frames: Frame[] = []
    const cancel = (agency: string, run_id: unknown, cancel_mode = 'immediate') =>
      post(`${url}/${agency}/cancel_response_stream`, { run_id, cancel_mode })
    const arrived = stuck()
    const reading = (async () => {
      for await (const frame of readFrames(`${url}/team/get_response_stream`, { message: 'Hi' })) frames.push(frame)
    })()
    await arrived
    await expect.poll(() => frames[0]?.data?.run_id).toBeTypeOf('string')
    const runId = frames[0]?.data.run_id
    expect(runId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    // Another agency's run, unknown ones and ids of another kind: 404, and the run goes on.
    for (const [agency, id] of [
      ['other', runId],
      ['team', 'nobody'],
      ['team', '__proto__'],
      ['team', `${runId} `],
      ['team', ''],
    ])
      expect((await cancel(String(agency), id)).status).toBe(404)
    expect(hub.size).toBe(1)
    const asked = performance.now()
    const answers = await Promise.all([
      cancel('team', runId, 'after_turn'),
      cancel('team', runId),
      cancel('team', runId),
    ])
    expect(performance.now() - asked).toBeLessThan(2_000)
    const live = answers.filter(({ status }) => status === 200)
    expect(live.length).toBeGreaterThan(0)
    expect(answers.filter(({ status }) => status === 404)).toHaveLength(3 - live.length) // those that came too late
    for (const answer of live) {
      const body = (await answer.json()) as { new_messages: StoredMessage[] }
      expect(body).toMatchObject({ ok: true, cancelled: true, timed_out: false, run_id: runId })
      expectWhole(body.new_messages, stage)
      expect(body.new_messages[0]).toMatchObject({ role: 'user' })
    }
    await reading
    expect(frames.flatMap((frame) => frame.event ?? [])).toEqual(['meta', 'messages', 'end'])
    expect(final(frames)).toMatchObject({ cancelled: true })
    await expect.poll(() => upstream.open(), { timeout: 3_000 }).toBe(0)
    expect((await cancel('team', runId)).status).toBe(404)
  })

test('any number of cancels leaves a complete conversation', async () => {
  promise('B4', 'B6')
  await useUpstream((body) => {
    const done = (body.input as { type?: string }[]).filter((item) => item.type === 'function_call_output').length
    return done < 3 ? { calls: [{ name: 'waits', arguments: {} }] } : { text: 'x', deltas: 5, delayMs: 4 }
  })
  const waits = tool({ name: 'waits', execute: () => new Promise((resolve) => setTimeout(resolve, 6, 'waited')) })
  const agent = new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [waits] })
  const { url } = await startServer({ agencies: { solo: new Agency(agent) } })
  const cancels = fc.array(fc.record({ afterMs: fc.nat(80), mode: fc.constantFrom('immediate', 'after_turn', null) }), {
    maxLength: 5,
  })
  await fc.assert(
    fc.asyncProperty(cancels, async (schedule) => {
      const frames: Frame[] = []
      const answers: Promise<{ status: number; body: { new_messages?: StoredMessage[]; timed_out?: boolean } }>[] = []
      for await (const frame of readFrames(`${url}/solo/get_response_stream`, { message: 'Go' })) {
        frames.push(frame)
        if (frames.length > 1) continue
        const run_id = frame.data.run_id
        for (const { afterMs, mode } of schedule)
          answers.push(
            new Promise((resolve) => setTimeout(resolve, afterMs)).then(async () => {
              const answer = await post(`${url}/solo/cancel_response_stream`, { run_id, cancel_mode: mode })
              return { status: answer.status, body: (await answer.json()) as object }
            }),
          )
      }
      const settled = await Promise.all(answers)
      const label = JSON.stringify({ schedule, settled })
      expect(
        frames.flatMap((frame) => frame.event ?? []),
        label,
      ).toEqual(['meta', 'messages', 'end'])
      expectWhole(final(frames).new_messages, label)
      for (const { status, body } of settled) {
        expect([200, 404], label).toContain(status)
        if (status !== 200) continue
        expect(body.timed_out, label).toBe(false)
        expect(body.new_messages, label).toEqual(final(frames).new_messages)
      }
      expect(
        settled.some(({ status }) => status === 200),
        label,
      ).toBe(final(frames).cancelled)
    }),
    { numRuns: 25 },
  )
}, 30_000)
