/** Chats of the AI SDK whose runs are cut, resumed, stopped or wait for a person. */
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { createChatTransport } from '../src/client/index.ts'
import { Agency, Agent, tool } from '../src/index.ts'
import { postgres } from '../src/postgres.ts'
import { assistant } from './support/agui-server.ts'
import { CHAT, openChat, readChunks, serveChat, textOf, toolIn, until, userMessage } from './support/ai-sdk.ts'
import { post, useUpstream } from './support/client.ts'
import { createDatabase, hasPostgres } from './support/postgres.ts'

type Json = { [key: string]: unknown }
const outputsOf = ({ input }: Json) => (input as Json[]).filter(({ type }) => type === 'function_call_output')

/** A model that counts slowly, so that there is time to leave. */
const slowly = { text: '', deltas: 60, delayMs: 20 }
const COUNTED = Array.from({ length: 60 }, (_, index) => `${index} `).join('')

type Store = Awaited<ReturnType<typeof serveChat>>['store']
const threadOf = (store: Store) => store.read({ kind: 'thread', ...CHAT })
const runsOf = async (store: Store) => (await store.read({ kind: 'runs', ...CHAT, limit: 10 })).data
const isStopped = async (store: Store) => (await threadOf(store)).activeRunId === null
/** Resolves when no run of the chat is alive. */
async function ended(store: Store) {
  for (let tries = 0; tries < 1_000 && !(await isStopped(store)); tries++)
    await new Promise((resolve) => setTimeout(resolve, 10))
  return (await runsOf(store)).map(({ status }) => status)
}

describe('a page that leaves', () => {
  test('and comes back reads the run from its start, under the same id', async () => {
    await useUpstream(() => slowly)
    const { chat: url, store } = await serveChat(new Agency(assistant()))
    const first = openChat(url)
    const sent = first.sendMessage({ text: 'Count' })
    await until(() => textOf(first.lastMessage).length > 20)
    await first.stop()
    await sent
    const second = openChat(url, { messages: first.messages.slice(0, 1) })
    await second.resumeStream()
    expect(second.error).toBeUndefined()
    expect(second.messages).toHaveLength(2)
    expect(textOf(second.lastMessage)).toBe(COUNTED)
    expect(second.lastMessage?.id).toBe(first.lastMessage?.id)
    expect(await ended(store)).toEqual(['completed'])
  })

  test('and does not come back ends the run after the grace time', async () => {
    await useUpstream(() => slowly)
    const { chat: url, store } = await serveChat(new Agency(assistant()), { aiSdk: { disconnectGraceMs: 50 } })
    const chat = openChat(url)
    const sent = chat.sendMessage({ text: 'Count' })
    await until(() => textOf(chat.lastMessage).length > 10)
    await chat.stop()
    await sent
    expect(await ended(store)).toEqual(['cancelled'])
  })

  test('may ask for the end at once, or for none', async () => {
    const { seen } = await useUpstream(() => slowly)
    const { chat: url, store } = await serveChat(new Agency(assistant()), { aiSdk: { disconnectGraceMs: 0 } })
    const leave = async (on_disconnect: string) => {
      const gone = new AbortController()
      const body = { id: 'chat-1', messages: [userMessage('Count', on_disconnect)], on_disconnect }
      await post(url, body, {}, gone.signal)
      const count = seen.length
      await until(() => seen.length > count || seen.length > 0)
      gone.abort()
      return (await ended(store))[0]
    }
    expect(await leave('continue')).toBe('completed')
    expect(await leave('cancel')).toBe('cancelled')
  })

  test('and sends the next message at once does not wait for the old run', async () => {
    await useUpstream(({ input }) => (JSON.stringify(input).includes('Next') ? { text: 'Here.' } : slowly))
    const { chat: url, store } = await serveChat(new Agency(assistant()), { aiSdk: { disconnectGraceMs: 60_000 } })
    const chat = openChat(url)
    const sent = chat.sendMessage({ text: 'Count' })
    await until(() => textOf(chat.lastMessage).length > 10)
    await chat.stop()
    await sent
    await chat.sendMessage({ text: 'Next' })
    expect(textOf(chat.lastMessage)).toBe('Here.')
    expect((await runsOf(store)).map(({ status }) => status)).toEqual(['completed', 'cancelled'])
  })
})

describe.skipIf(!hasPostgres)('a page behind two servers', { timeout: 60_000 }, () => {
  /** Servers on one database, as behind a load balancer. */
  async function serveTwo(disconnectGraceMs: number) {
    const database = await createDatabase()
    onTestFinished(database.drop)
    const start = () =>
      serveChat(new Agency(assistant()), {
        aiSdk: { disconnectGraceMs },
        runs: { store: postgres({ url: database.url, poolSize: 3 }) },
        limits: { readerReturnMs: 600_000 },
      })
    return [await start(), await start()] as const
  }

  test('that comes back to the other keeps its run', async () => {
    await useUpstream(() => ({ text: '', deltas: 60, delayMs: 50 }))
    const [one, other] = await serveTwo(1_000)
    const first = openChat(one.chat)
    const sent = first.sendMessage({ text: 'Count' })
    await until(() => textOf(first.lastMessage).length > 10)
    await first.stop()
    await sent
    const second = openChat(other.chat, { messages: first.messages.slice(0, 1) })
    await second.resumeStream()
    expect(textOf(second.lastMessage)).toBe(COUNTED)
  })

  test('that has left one does not wait for its run at the other', async () => {
    await useUpstream(({ input }) => (JSON.stringify(input).includes('Next') ? { text: 'Here.' } : slowly))
    const [one, other] = await serveTwo(60_000)
    const first = openChat(one.chat)
    const sent = first.sendMessage({ text: 'Count' })
    await until(() => textOf(first.lastMessage).length > 5)
    await first.stop()
    await sent
    const second = openChat(other.chat, { messages: first.messages })
    await second.sendMessage({ text: 'Next' })
    const { data } = (await (await fetch(other.runs)).json()) as { data: Json[] }
    expect(data.map(({ status }) => status)).toEqual(['completed', 'cancelled'])
  })
})

test('a chat without a live run has no stream', async () => {
  await useUpstream(() => ({ text: 'Hi.' }))
  const { chat: url } = await serveChat(new Agency(assistant()))
  expect((await fetch(`${url}/unknown/stream`)).status).toBe(204)
  const chat = openChat(url)
  await chat.sendMessage({ text: 'Hi' })
  expect((await fetch(`${url}/chat-1/stream`)).status).toBe(204)
  await chat.resumeStream()
  expect(chat.messages.map(textOf)).toEqual(['Hi', 'Hi.'])
})

test('chats of another owner do not exist', async () => {
  await useUpstream(() => slowly)
  const identify = ({ headers }: { headers: Json }) => String(headers['x-user'])
  const { chat: url } = await serveChat(new Agency(assistant()), { runs: { identify } })
  const gone = new AbortController()
  const body = { id: 'chat-1', messages: [userMessage('Count')], on_disconnect: 'cancel' }
  await post(url, body, { 'x-user': 'ann' }, gone.signal)
  const streamOf = (user: string) => fetch(`${url}/chat-1/stream`, { headers: { 'x-user': user }, signal: gone.signal })
  expect((await streamOf('ben')).status).toBe(204)
  expect((await streamOf('ann')).status).toBe(200)
  gone.abort()
})

test('a cancelled run ends the stream of its readers', async () => {
  await useUpstream(() => slowly)
  const { chat: url, store } = await serveChat(new Agency(assistant()))
  const response = await post(url, { id: 'chat-1', messages: [userMessage('Count')] })
  const [run] = await runsOf(store)
  await store.write({ kind: 'cancel', ...CHAT, runId: run?.runId as string, mode: 'immediate', now: Date.now() })
  const chunks = await readChunks(response)
  expect(chunks.at(-1)).toMatchObject({ type: 'abort' })
})

describe('approvals', () => {
  const refunded: number[] = []
  const refund = tool({
    name: 'refund',
    parameters: z.object({ order: z.int() }),
    needsApproval: true,
    execute: ({ order }) => {
      refunded.push(order)
      return `refunded ${order}`
    },
  })
  const askRefund = (body: Json) =>
    outputsOf(body).length === 0
      ? { calls: [{ name: 'refund', arguments: { order: 17 }, id: 'c1' }] }
      : { text: String(outputsOf(body)[0]?.output) }

  test('an approved call runs, and the same message goes on', async () => {
    refunded.length = 0
    await useUpstream(askRefund)
    const { chat: url, store } = await serveChat(new Agency(assistant({ tools: [refund] })))
    const chat = openChat(url)
    await chat.sendMessage({ text: 'Refund 17' })
    const part = toolIn(chat.lastMessage, 'refund')
    expect(part).toMatchObject({ state: 'approval-requested', input: { order: 17 } })
    expect(refunded).toEqual([])
    await chat.addToolApprovalResponse({ id: part.approval.id, approved: true })
    await until(() => textOf(chat.lastMessage) !== '')
    expect(chat.error).toBeUndefined()
    expect(chat.messages).toHaveLength(2)
    expect(refunded).toEqual([17])
    expect(textOf(chat.lastMessage)).toBe('refunded 17')
    expect(toolIn(chat.lastMessage, 'refund')).toMatchObject({ state: 'output-available', output: 'refunded 17' })
    expect(chat.lastMessage?.parts.filter(({ type }) => type === 'step-start')).toHaveLength(2)
    expect((await runsOf(store)).map(({ status }) => status)).toEqual(['completed'])
  })

  test('a refused call is denied, and the model reads why', async () => {
    refunded.length = 0
    await useUpstream(askRefund)
    const { chat: url } = await serveChat(new Agency(assistant({ tools: [refund] })))
    const chat = openChat(url)
    await chat.sendMessage({ text: 'Refund 17' })
    const { approval } = toolIn(chat.lastMessage, 'refund')
    await chat.addToolApprovalResponse({ id: approval.id, approved: false, reason: 'too much' })
    await until(() => textOf(chat.lastMessage) !== '')
    expect(refunded).toEqual([])
    expect(toolIn(chat.lastMessage, 'refund')).toMatchObject({ state: 'output-denied' })
    expect(textOf(chat.lastMessage)).toContain('too much')
  })

  test('a page that is loaded again shows what waits', async () => {
    await useUpstream(askRefund)
    const { chat: url } = await serveChat(new Agency(assistant({ tools: [refund] })), {
      aiSdk: { disconnectGraceMs: 0 },
    })
    const chat = openChat(url)
    await chat.sendMessage({ text: 'Refund 17' })
    const again = openChat(url, { messages: chat.messages.slice(0, 1) })
    await again.resumeStream()
    const { state, approval } = toolIn(again.lastMessage, 'refund')
    expect(state).toBe('approval-requested')
    await again.addToolApprovalResponse({ id: approval.id, approved: true })
    await until(() => textOf(again.lastMessage) === 'refunded 17')
  })

  test("a sub-agent's call is shown for its approval", async () => {
    refunded.length = 0
    await useUpstream((body) => {
      const isClerk = JSON.stringify(body.tools ?? []).includes('"refund"')
      if (isClerk) return askRefund(body)
      return outputsOf(body).length === 0
        ? { calls: [{ name: 'send_message', id: 's1', arguments: { recipient_agent: 'Clerk', message: 'Refund 17' } }] }
        : { text: 'All done.' }
    })
    const boss = new Agent({ name: 'Boss', model: 'gpt-4.1' })
    const clerk = new Agent({ name: 'Clerk', model: 'gpt-4.1', tools: [refund] })
    const { chat: url } = await serveChat(new Agency(boss, { communicationFlows: [[boss, clerk]] }))
    const chat = openChat(url)
    await chat.sendMessage({ text: 'Refund 17' })
    const { approval } = toolIn(chat.lastMessage, 'refund')
    await chat.addToolApprovalResponse({ id: approval.id, approved: true })
    await until(() => textOf(chat.lastMessage) !== '')
    expect(textOf(chat.lastMessage)).toBe('All done.')
    expect(refunded).toEqual([17])
    expect(toolIn(chat.lastMessage, 'refund')).toMatchObject({ state: 'output-available' })
  })

  test('a decision on an unknown run is refused', async () => {
    const { chat: url } = await serveChat(new Agency(assistant({ model: 'demo', tools: [refund] })))
    const part = {
      type: 'tool-refund',
      toolCallId: 'c1',
      state: 'approval-responded',
      approval: { id: 'a', approved: true },
    }
    const response = await post(url, { id: 'chat-1', messages: [{ id: 'nothing', role: 'assistant', parts: [part] }] })
    expect([response.status, await response.text()]).toEqual([404, expect.stringMatching(/run/i)])
  })
})

describe('the transport of the client', () => {
  test('answers, and shows refusals', async () => {
    await useUpstream(() => ({ text: 'Hi.' }))
    const { url } = await serveChat(new Agency(assistant()))
    const chat = openChat('', { transport: createChatTransport({ baseUrl: url, agency: 'agency' }) })
    await chat.sendMessage({ text: 'Hi' })
    expect(textOf(chat.lastMessage)).toBe('Hi.')
    const wrong = createChatTransport({ baseUrl: url, agency: 'agency', body: { recipient_agent: 'Nobody' } })
    const refused = openChat('', { id: 'chat-2', transport: wrong })
    await refused.sendMessage({ text: 'Hi' })
    expect(refused.error?.message).toContain('recipient_agent')
  })

  test('resumes a run on the same page without doubling its text', async () => {
    await useUpstream(() => slowly)
    const { url } = await serveChat(new Agency(assistant()))
    const transport = createChatTransport({ baseUrl: url, agency: 'agency' })
    const writer = openChat(`${url}/agency/chat`)
    const sent = writer.sendMessage({ text: 'Count' })
    await until(() => textOf(writer.lastMessage).length > 20)
    await writer.stop()
    await sent
    const reader = openChat('', { transport, messages: writer.messages })
    await reader.resumeStream()
    expect(reader.messages).toHaveLength(2)
    expect(textOf(reader.lastMessage)).toBe(COUNTED)
  })

  test('cancels the run when the chat is stopped', async () => {
    await useUpstream(() => slowly)
    const { url, store } = await serveChat(new Agency(assistant()), { aiSdk: { disconnectGraceMs: 600_000 } })
    const chat = openChat('', { transport: createChatTransport({ baseUrl: url, agency: 'agency' }) })
    const sent = chat.sendMessage({ text: 'Count' })
    await until(() => textOf(chat.lastMessage).length > 10)
    await chat.stop()
    await sent
    expect(chat.status).toBe('ready')
    expect(await ended(store)).toEqual(['cancelled'])
  })

  test('cancels a run that is stopped before the answer has come', async () => {
    await useUpstream(() => ({ hang: true }))
    const { url, store } = await serveChat(new Agency(assistant()), { aiSdk: { disconnectGraceMs: 600_000 } })
    const gate = Promise.withResolvers<void>()
    const slow: typeof fetch = async (...args) => {
      const answer = await fetch(...args)
      await gate.promise
      return answer
    }
    const chat = openChat('', { transport: createChatTransport({ baseUrl: url, agency: 'agency', fetch: slow }) })
    const sent = chat.sendMessage({ text: 'Hang' })
    await vi.waitFor(async () => expect(await runsOf(store)).toHaveLength(1))
    await chat.stop()
    await sent
    expect(chat.status).toBe('ready')
    gate.resolve()
    expect(await ended(store)).toEqual(['cancelled'])
  })
})
