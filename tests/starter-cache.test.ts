import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Agency, Agent, tool } from '../src/index.ts'
import { allFrames, final, postAndRead, startServer, useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'

/** The place of the cache until the test is over. */
function useCache() {
  const folder = useFolder()
  process.env.AGENCY_SWARM_CHATS_DIR = folder
  onTestFinished(() => void delete process.env.AGENCY_SWARM_CHATS_DIR)
  return { folder, list: () => readdirSync(join(folder, 'starter_cache')) }
}

const agentOf = (more: object = {}) =>
  new Agent({
    name: 'Help Desk',
    model: 'gpt-4.1',
    conversationStarters: ['What can you do?'],
    quickReplies: ['Yes'],
    cacheConversationStarters: true,
    ...more,
  })
const countingUpstream = () => useUpstream((_, index) => ({ text: `Answer ${index}, in words.`, deltas: 3 }))

test('a starter is answered again without asking the model', async () => {
  const { list } = useCache()
  const upstream = await countingUpstream()
  for (const text of ['What can you do?', 'What can you do?', '  what CAN you do? '])
    expect((await agentOf().getResponse(text)).finalOutput).toBe('Answer 0, in words.')
  expect(list()).toEqual([expect.stringMatching(/^Help_Desk_[0-9a-f]{12}\.json$/)])
  expect(upstream.seen).toHaveLength(1)
})

test('a replayed stream has the events of a live one, with new ids', async () => {
  useCache()
  const upstream = await countingUpstream()
  const { url } = await startServer({ agencies: { desk: new Agency(agentOf()) } })
  const ask = () => allFrames(`${url}/desk/get_response_stream`, { message: 'What can you do?' })
  const [live, replayed] = [await ask(), await ask()]
  expect(upstream.seen).toHaveLength(1)
  const kinds = (frames: typeof live) => [
    ...new Set(
      frames.map(({ event, data }) => data?.data?.data?.type ?? data?.data?.name ?? data?.data?.type ?? event),
    ),
  ]
  // As of every model that does not speak the Responses API itself.
  const missing = ['response.in_progress', 'response.output_text.done']
  expect(kinds(replayed)).toEqual(expect.arrayContaining(kinds(live).filter((kind) => !missing.includes(kind))))
  const texts = replayed.flatMap(({ data }) =>
    data?.data?.data?.type === 'response.output_text.delta' ? [data.data.data.delta] : [],
  )
  expect(texts.length).toBeGreaterThan(3)
  expect(texts.join('')).toBe('Answer 0, in words.')
  const [, liveMessage] = final(live).new_messages
  const [, message] = final(replayed).new_messages
  expect(message).toMatchObject({ agent: 'Help Desk', role: 'assistant', content: [{ text: 'Answer 0, in words.' }] })
  expect(message.id).not.toBe(liveMessage.id)
  expect(message.agent_run_id).not.toBe(liveMessage.agent_run_id)
  expect(final(replayed).usage).toMatchObject({ input_tokens: 0, output_tokens: 0, total_cost: 0 })
})

test('a quick reply is kept only as the first message', async () => {
  useCache()
  const upstream = await countingUpstream()
  const ask = async (history: object[]) => {
    const agency = new Agency(agentOf(), { loadThreads: () => history as never })
    return (await agency.getResponse('Yes')).finalOutput
  }
  const history = [{ role: 'user', content: 'Hi', agent: 'Help Desk', callerAgent: null, timestamp: 1 }]
  expect(await ask([])).toBe('Answer 0, in words.')
  expect(await ask(history)).toBe('Answer 1, in words.')
  expect(await ask([])).toBe('Answer 0, in words.')
  expect(upstream.seen).toHaveLength(2)
})

test.for<[string, object]>([
  ['instructions', { instructions: 'Be brief.' }],
  ['settings', { modelSettings: { temperature: 0 } }],
  ['tools', { tools: [tool({ name: 'x', execute: () => '' })] }],
  ['the model', { model: 'gpt-5.4' }],
])('another answer is made when %s changed', async ([, change]) => {
  useCache()
  const upstream = await countingUpstream()
  for (const more of [{}, change, change]) await agentOf(more).getResponse('Yes')
  expect(upstream.seen).toHaveLength(2)
})

test.for<[string, object, string]>([
  ['without the option', { cacheConversationStarters: false }, 'Yes'],
  ['for other messages', {}, 'Hello'],
  ['with output guardrails', { outputGuardrails: [() => undefined] }, 'Yes'],
])('nothing is kept %s', async ([, more, message]) => {
  const { folder } = useCache()
  await countingUpstream()
  await agentOf(more).getResponse(message)
  expect(readdirSync(folder)).toEqual([])
})

test('nothing of a request with its own model or instructions is kept', async () => {
  const { folder } = useCache()
  await countingUpstream()
  const { url } = await startServer({ agencies: { desk: new Agency(agentOf()) } })
  const ask = (more: object) => postAndRead(`${url}/desk/get_response`, { message: 'Yes', ...more })
  expect((await ask({ client_config: { model: 'gpt-4.1' } })).body.response).toContain('Answer')
  expect((await ask({ additional_instructions: 'Rhyme.' })).body.response).toContain('Answer')
  expect(readdirSync(folder)).toEqual([])
})

test('an answer that calls tools is made anew each time', async () => {
  const { folder } = useCache()
  const upstream = await useUpstream((_, index) =>
    index % 2 === 0 ? { calls: [{ name: 'clock', arguments: {} }] } : { text: 'It is noon.' },
  )
  const tools = [tool({ name: 'clock', execute: () => '12:00' })]
  for (const _ of [1, 2]) await agentOf({ tools }).getResponse('Yes')
  expect(upstream.seen).toHaveLength(4)
  expect(readdirSync(folder)).toEqual([])
})

test('a broken file is written anew, and one of the original is not taken', async () => {
  const { folder, list } = useCache()
  const upstream = await countingUpstream()
  await agentOf().getResponse('Yes')
  const file = join(folder, 'starter_cache', list()[0] as string)
  const kept = JSON.parse(readFileSync(file, 'utf8'))
  expect(kept).toMatchObject({ prompt: 'Yes', agent: 'Help Desk', metadata: { source: 'live_run' } })
  for (const text of ['{', JSON.stringify({ ...kept, metadata: { fingerprint: 'theirs' } })]) {
    writeFileSync(file, text)
    await agentOf().getResponse('Yes')
  }
  expect(upstream.seen).toHaveLength(3)
  expect((await agentOf().getResponse('Yes')).finalOutput).toBe('Answer 2, in words.')
})

test('a disk that cannot be written to costs a warning, not the run', async () => {
  const { folder } = useCache()
  writeFileSync(join(folder, 'starter_cache'), '')
  mkdirSync(join(folder, 'other'))
  await countingUpstream()
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  expect((await agentOf().getResponse('Yes')).finalOutput).toBe('Answer 0, in words.')
  expect(warn).toHaveBeenCalledWith(expect.stringContaining('could not be kept'))
})
