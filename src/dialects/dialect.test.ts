import { expect, test } from 'vitest'
import { RecordingFeed, recordLog, scriptedPlan } from '../../tests/support/scripted-run.ts'
import { readLimits } from '../base/limits.ts'
import { gatewayRefused } from '../base/model-errors.ts'
import { fileUrlFailed } from '../base/request-errors.ts'
import { nothingToAnswer } from '../base/run-errors.ts'
import type { RunEvent } from '../runs/events.ts'
import type { Batch } from '../runs/feed.ts'
import { Runner } from '../runs/runner.ts'
import { CLIENT_CONFIG_FIELDS } from '../wire/client-config.ts'
import type { FrameText } from '../wire/sse.ts'
import { createAguiDialect } from './agui/dialect.ts'
import { createNumbering, type FrameWriter } from './dialect.ts'
import { createNativeDialect } from './native/dialect.ts'
import { createNativeView } from './stored-view.ts'

const rules = { historyItems: 100, clientConfig: CLIENT_CONFIG_FIELDS }
const native = createNativeDialect({ scalars: 'json', rules })
const agui = createAguiDialect({ rules, events: {} })
const served = { path: 'solo', preview: { agentNames: ['Solo'], entryPoints: [{ name: 'Solo' }] } } as never
const nativeBody = { message: 'Hi' }
const aguiBody = {
  threadId: 't',
  runId: 'r',
  protocolVersion: '1.0',
  state: {},
  messages: [{ id: 'm1', role: 'user', content: 'Hi' }],
  tools: [],
  context: [],
  forwardedProps: {},
}

/** The batches of a real run. Its note stands for one about files, and its last item has no id. */
async function recordRun(answer = 'Hello'): Promise<readonly Batch[]> {
  const feed = new RecordingFeed()
  const plan = await scriptedPlan(() => answer)
  const options = { limits: readLimits(), exposeErrors: false, redact: String, log: recordLog(), logFailures: false }
  const notes = [{ role: 'system', content: 'The files: a.txt' }]
  const run = new Runner(options).start({ ...plan, notes }, { owner: 'solo', feed })
  await run.done
  const who = feed.events.flatMap((event) => (event.kind === 'agent' ? [event.who] : []))[0]
  if (who === undefined) throw new Error('no agent spoke')
  const call = { type: 'function_call', name: 'look', call_id: '', arguments: '{}' }
  const event: RunEvent = {
    kind: 'model',
    who,
    event: { type: 'response.output_item.done', output_index: 3, item: call },
  }
  return [...feed.batches.slice(0, -1), { first: feed.events.length, events: [event] }, ...feed.batches.slice(-1)]
}

const nativeWriter = async () => native.writer(await native.read(nativeBody, served))
const aguiWriter = async () => agui.writer(await agui.read(aguiBody, served))
const writers: [string, () => Promise<FrameWriter>][] = [
  ['native', nativeWriter],
  ['AG-UI', aguiWriter],
]
/** Gives each frame its number as its id; frames up to `after` are left out. */
function withIds(writer: FrameWriter, after = 0): FrameWriter {
  const numbering = createNumbering(after)
  return { frames: (batch) => numbering.add(writer.frames(batch)) }
}
const textOf = (frames: FrameText) => (typeof frames === 'string' ? frames : [...frames].join(''))
const framesOf = (writer: FrameWriter, batches: readonly Batch[]) =>
  batches.map((batch) => textOf(writer.frames(batch))).join('')

test.for(writers)('the same events give the same %s frames in every process', async ([, create]) => {
  const batches = await recordRun()
  const frames = framesOf(await create(), batches)
  const elsewhere: Batch[] = JSON.parse(JSON.stringify(batches)) // no object is shared: not even speakers
  expect(framesOf(await create(), elsewhere)).toBe(frames)
  const inOneBatch = { first: 1, events: elsewhere.flatMap(({ events }) => events) }
  expect(textOf((await create()).frames(inOneBatch))).toBe(frames)
})

test('the native stream begins with meta and ends with messages and end', async () => {
  const frames = framesOf(await nativeWriter(), await recordRun()).split('\n\n')
  expect(frames[0]).toMatch(/^event: meta\ndata: \{"run_id":"[\w-]{36}"\}$/)
  expect(frames.at(-3)).toMatch(/^event: messages\ndata: .*"new_messages"/)
  expect(frames.at(-2)).toBe('event: end\ndata: [DONE]')
})

test('AG-UI streams go from RUN_STARTED to RUN_FINISHED and keep notes', async () => {
  const frames = framesOf(await aguiWriter(), await recordRun()).split('\n\n')
  expect(frames[0]).toMatch(/"type":"RUN_STARTED"/)
  expect(frames.at(-2)).toMatch(/"type":"RUN_FINISHED"/)
  expect(frames.join()).toMatch(/"id":"system_file_urls_[0-9a-f]{32}","role":"system","content":"The files: a\.txt"/)
})

test.for(writers)('%s frames get their number as id, and go on after any of them', async ([, create]) => {
  const batches = await recordRun()
  const plain = framesOf(await create(), batches)
  const numbered = framesOf(withIds(await create()), batches)
  expect(numbered.replaceAll(/^id: \d+\n/gm, '')).toBe(plain)
  const blocks = numbered.split('\n\n').slice(0, -1)
  expect(blocks.map((block) => /^id: (\d+)\n/.exec(block)?.[1])).toEqual(blocks.map((_, index) => String(index + 1)))
  for (let after = 0; after <= blocks.length; after++) {
    const rest = framesOf(withIds(await create(), after), batches)
    expect(rest).toBe(
      blocks
        .slice(after)
        .map((block) => `${block}\n\n`)
        .join(''),
    )
  }
})

test('frames that are written in pieces get the same numbers', async () => {
  const batches = await recordRun('Hello \n\n'.repeat(100_000))
  const writer = await nativeWriter()
  const pieces = batches.map((batch) => writer.frames(batch))
  expect(pieces.some((frames) => typeof frames !== 'string')).toBe(true)
  const plain = framesOf(await nativeWriter(), batches)
  const numbered = framesOf(withIds(await nativeWriter()), batches)
  expect(numbered.replaceAll(/^id: \d+\n/gm, '')).toBe(plain)
  const blocks = numbered.split('\n\n').slice(0, -1)
  expect(blocks.map((block) => /^id: (\d+)\n/.exec(block)?.[1])).toEqual(blocks.map((_, index) => String(index + 1)))
  const rest = framesOf(withIds(await nativeWriter(), 3), batches)
  expect(rest).toBe(`${blocks.slice(3).join('\n\n')}\n\n`)
})

test('frames of stored runs are the same in pieces, and leave out the end', async () => {
  const batches = await recordRun('Hello \n\n'.repeat(100_000))
  const events = batches.flatMap((batch) => batch.events).map((event, index) => ({ number: index + 1, event }))
  const frames = createNativeView(await nativeWriter()).frames(events)
  expect(typeof frames).not.toBe('string')
  const numbered = framesOf(withIds(await nativeWriter()), batches)
  expect(textOf(frames)).toBe(numbered.slice(0, numbered.lastIndexOf('id: ')))
})

test('each dialect says which errors its stream reports', async () => {
  const file = fileUrlFailed('a.txt')
  const body = await native.read(nativeBody, served)
  expect(native.refuse(file, body)).toBe(
    'data: {"error":"Error downloading file from provided urls: a.txt"}\n\nevent: end\ndata: [DONE]\n\n',
  )
  expect(native.refuse(nothingToAnswer('x'), body)).toBeUndefined()
  const request = await agui.read(aguiBody, served)
  for (const error of [file, nothingToAnswer('x')])
    expect(agui.refuse(error, request)).toMatch(/^data: .*RUN_STARTED.*\n\ndata: .*RUN_ERROR.*"code":"[A-Z_]+"/)
  expect(agui.refuse(gatewayRefused('host'), request)).toBeUndefined()
})
