/** The same scenes over every protocol, each played with its own client: the same text, and the same calls where they are shown. */
import { HttpAgent } from '@ag-ui/client'
import { Client as McpClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient, type RunView } from '../src/client/index.ts'
import { memory, type RunningServer, serve } from '../src/index.ts'
import { answerIn, openClient, read, say } from './support/a2a.ts'
import { openChat, textsIn, toolIn, until } from './support/ai-sdk.ts'
import { COUNTED, createSceneTeam, SCENES, type SceneName, scriptScenes, wordsOf } from './support/scenes.ts'
import { startUpstream } from './support/upstream.ts'

/** What a client shows at the end of a scene. */
interface Played {
  text: string
  /** Undefined where the protocol shows no calls. */
  calls?: string[]
  failed?: boolean
}
interface Door {
  /** False where handoffs are not shown as calls. */
  transfers?: false
  play(words: string): Promise<Played>
  /** Plays up to a call that waits, approves it and reads on. */
  approve?(words: string): Promise<Played>
  /** Leaves in the middle of the text, comes back and reads on. */
  comeBack?(words: string): Promise<Played>
}

const before = { ...process.env }
let upstream: Awaited<ReturnType<typeof startUpstream>>
let server: RunningServer
let legacyAgui: RunningServer
beforeAll(async () => {
  upstream = await startUpstream(scriptScenes)
  Object.assign(process.env, { OPENAI_BASE_URL: upstream.baseURL, OPENAI_API_KEY: 'sk-x' })
  const common = { host: '127.0.0.1', port: 0, banner: false, handleSignals: false }
  const open = (doors: object) =>
    serve({ agencies: { team: createSceneTeam() }, runs: { store: memory() }, ...doors, ...common })
  server = await open({ openai: true, aiSdk: true, agui: true, mcp: true, a2a: true })
  legacyAgui = await open({ enableAgui: true })
}, 60_000)
afterAll(async () => {
  await Promise.all([server.close(), legacyAgui.close(), upstream.close()])
  for (const name of ['OPENAI_BASE_URL', 'OPENAI_API_KEY']) {
    if (before[name] === undefined) delete process.env[name]
    else process.env[name] = before[name]
  }
})

const team = () => createClient({ baseUrl: server.url }).agency('team')
const showRun = ({ text, items, failure }: RunView): Played => ({
  text,
  calls: items.flatMap(({ name, item, callerAgent }) =>
    name === 'tool_called' && callerAgent === null ? [String(item.name)] : [],
  ),
  failed: failure !== undefined,
})
async function follow(stream: ReturnType<ReturnType<typeof team>['runs']['stream']>): Promise<Played> {
  for await (const event of stream) if (event.kind === 'messages') break
  return showRun(stream.view)
}
const native: Door = {
  play: (words) => follow(team().runs.stream(words)),
  async approve(words) {
    const { runs } = team()
    const asking = runs.stream(words)
    for await (const event of asking) if (event.kind === 'requires_action') break
    const { runId, approvals } = asking.view
    await runs.get(runId as string, { wait: 10 })
    await runs.approve(runId as string, approvals[0]?.approval_id as string)
    return follow(runs.events(runId as string))
  },
  async comeBack(words) {
    const cut = team().runs.stream(words)
    for await (const _ of cut) if (cut.view.text.length > 10) break
    const { runId, lastEventId, text } = cut.view
    const rest = await follow(team().runs.events(runId as string, { after: lastEventId }))
    return { ...rest, text: text + rest.text }
  },
}

const openai = () => new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0 })
const showResponse = ({ output, status }: OpenAI.Responses.Response): Played => ({
  text: output
    .flatMap((item) => (item.type === 'message' ? item.content : []))
    .map((part) => (part.type === 'output_text' ? part.text : ''))
    .join(''),
  calls: output.flatMap((item) => (item.type === 'mcp_call' ? [item.name] : [])),
  failed: status === 'failed',
})
const responses: Door = {
  transfers: false,
  play: async (input) => showResponse(await openai().responses.stream({ model: 'team', input }).finalResponse()),
  async approve(input) {
    const asked = await openai().responses.create({ model: 'team', input })
    const request = asked.output.find(({ type }) => type === 'mcp_approval_request')
    const answer = { type: 'mcp_approval_response' as const, approval_request_id: String(request?.id), approve: true }
    const previous = { model: 'team', previous_response_id: asked.id }
    return showResponse(await openai().responses.create({ ...previous, input: [answer] }))
  },
  async comeBack(input) {
    let text = ''
    let id = ''
    let after = 0
    const take = (event: OpenAI.Responses.ResponseStreamEvent) => {
      if (event.type === 'response.created') id = event.response.id
      if (event.type === 'response.output_text.delta') text += event.delta
      after = event.sequence_number
    }
    for await (const event of await openai().responses.create({
      model: 'team',
      input,
      background: true,
      stream: true,
    })) {
      take(event)
      if (text.length > 10) break
    }
    for await (const event of await openai().responses.retrieve(id, { stream: true, starting_after: after }))
      take(event)
    return { text }
  },
}

const completions: Door = {
  async play(content) {
    try {
      const messages = [{ role: 'user' as const, content }]
      const answer = await openai().chat.completions.stream({ model: 'team', messages }).finalContent()
      return { text: answer ?? '' }
    } catch {
      return { text: '', failed: true }
    }
  },
}

let chats = 0
const openPage = (id = `chat-${++chats}`, init = {}) => openChat(`${server.url}/team/chat`, { id, ...init })
const showChat = ({ lastMessage, error }: ReturnType<typeof openPage>): Played => ({
  text: textsIn(lastMessage?.parts ?? []).join(''),
  calls: (lastMessage?.parts ?? []).flatMap(({ type }) => (type.startsWith('tool-') ? [type.slice(5)] : [])),
  failed: error !== undefined,
})
const aiSdk: Door = {
  async play(text) {
    const chat = openPage()
    await chat.sendMessage({ text })
    return showChat(chat)
  },
  async approve(text) {
    const chat = openPage()
    await chat.sendMessage({ text })
    await chat.addToolApprovalResponse({ id: toolIn(chat.lastMessage, 'refund').approval.id, approved: true })
    await until(() => showChat(chat).text !== '' && chat.status === 'ready')
    return showChat(chat)
  },
  async comeBack(text) {
    const first = openPage()
    const sent = first.sendMessage({ text })
    await until(() => showChat(first).text.length > 10)
    await first.stop()
    await sent
    const second = openPage(first.id, { messages: first.messages.slice(0, 1) })
    await second.resumeStream()
    return showChat(second)
  },
}

let threads = 0
const openAgent = (url: string, options = {}) => new HttpAgent({ url, threadId: `thread-${++threads}`, ...options })
async function runAgent(agent: HttpAgent, input: Parameters<HttpAgent['runAgent']>[0] = {}) {
  let failed = false
  let interrupts: { id: string }[] = []
  const onRunErrorEvent = () => {
    failed = true
  }
  const onRunFinishedEvent = ({ event }: { event: { outcome?: unknown } }) => {
    interrupts = (event.outcome as { interrupts?: typeof interrupts } | undefined)?.interrupts ?? []
  }
  await agent.runAgent(input, { onRunErrorEvent, onRunFinishedEvent })
  return { ...showAgent(agent, failed), interrupts }
}
const playAgui = (url: string, content: string) => {
  const agent = openAgent(url)
  agent.addMessage({ id: 'u1', role: 'user', content })
  return runAgent(agent)
}
const aguiUrl = () => `${server.url}/team/agui`
const aguiDoor: Door = {
  play: (words) => playAgui(aguiUrl(), words),
  async approve(content) {
    const agent = openAgent(aguiUrl())
    agent.addMessage({ id: 'u1', role: 'user', content })
    const { interrupts } = await runAgent(agent)
    const resume = interrupts.map(({ id }) => ({
      interruptId: id,
      status: 'resolved' as const,
      payload: { approved: true },
    }))
    return runAgent(agent, { resume })
  },
  async comeBack(content) {
    const question = { id: 'u1', role: 'user' as const, content }
    const first = openAgent(aguiUrl())
    const run = { runId: `cut-${threads}`, forwardedProps: { on_disconnect: 'continue' } }
    first.addMessage(question)
    const onTextMessageContentEvent = ({ textMessageBuffer }: { textMessageBuffer: string }) => {
      if (textMessageBuffer.length > 10) first.abortRun()
    }
    await first.runAgent(run, { onTextMessageContentEvent }).catch(() => {})
    const second = openAgent(aguiUrl(), { threadId: first.threadId, headers: { 'last-event-id': '0' } })
    second.addMessage(question)
    return runAgent(second, run)
  },
}
const legacyAguiDoor: Door = { play: (words) => playAgui(`${legacyAgui.url}/team/get_response_stream`, words) }
/** Messages of agents that work for another one are not part of the answer. */
function showAgent({ messages }: HttpAgent, failed: boolean): Played {
  const isOwn = ({ metadata }: { metadata?: unknown }) => (metadata as { callerAgent?: unknown }).callerAgent === null
  const own = messages.flatMap((message) => (message.role === 'assistant' && isOwn(message) ? [message] : []))
  return {
    text: own.map(({ content }) => content ?? '').join(''),
    calls: own.flatMap(({ toolCalls = [] }) => toolCalls.map((call) => call.function.name)),
    failed,
  }
}

async function askHost(message: string, fetchIt: typeof fetch = fetch) {
  const client = new McpClient({ name: 'test', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`), { fetch: fetchIt }))
  const { content, isError = false } = await client.callTool({ name: 'ask_team', arguments: { message } })
  await client.close()
  return { text: String((content as { text: string }[])[0]?.text), isError }
}
const mcp: Door = {
  async play(message) {
    const { text, isError } = await askHost(message)
    return isError ? { text: '', failed: true } : { text }
  },
  /** A host cannot decide: it is told which call waits, and where a person decides. */
  async approve(message) {
    const { text, isError } = await askHost(message)
    expect([isError, text]).toEqual([true, expect.stringContaining('"refund" of Desk')])
    const [, runId = '', approvalId = ''] = /runs\/(\S+)\/approvals\/([^;.\s]+)/.exec(text) ?? []
    await team().runs.approve(runId, approvalId)
    return follow(team().runs.events(runId))
  },
  /** The stream of the call breaks after its first bytes; the client opens it again by itself. */
  async comeBack(message) {
    let cuts = 0
    const cutting: typeof fetch = async (url, init) => {
      const answer = await fetch(url, init)
      const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream') === true
      if (!isStream || init?.method !== 'POST' || !String(init.body).includes('tools/call')) return answer
      cuts++
      const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
      const { value } = await reader.read()
      await reader.cancel()
      return new Response(value?.slice(), answer)
    }
    const { text } = await askHost(message, cutting)
    expect(cuts).toBe(1)
    return { text }
  },
}

const a2aClient = () => openClient(`${server.url}/team`)
const showTask = (known: Awaited<ReturnType<typeof read>>): Played => ({
  text: answerIn(known),
  failed: known.states.at(-1) === 'TASK_STATE_FAILED',
})
const a2a: Door = {
  play: async (words) => showTask(await read((await a2aClient()).sendMessageStream(say(words)))),
  async approve(words) {
    const client = await a2aClient()
    const asked = await read(client.sendMessageStream(say(words)))
    return showTask(await read(client.sendMessageStream(say('approve', { taskId: String(asked.task?.id) }))))
  },
  async comeBack(words) {
    const client = await a2aClient()
    const cut = await read(client.sendMessageStream(say(words)), (known) => answerIn(known).length > 10)
    return showTask(await read(client.resubscribeTask({ tenant: '', id: String(cut.task?.id) })))
  },
}

const DOORS: { [name: string]: Door } = {
  native,
  Responses: responses,
  'Chat Completions': completions,
  'AI SDK': aiSdk,
  'AG-UI': aguiDoor,
  'AG-UI by enableAgui': legacyAguiDoor,
  MCP: mcp,
  A2A: a2a,
}

describe.for(Object.keys(DOORS))('%s', (name) => {
  const { play, approve, comeBack, transfers = true } = DOORS[name] as Door
  const plain = (Object.keys(SCENES) as SceneName[]).filter((scene) => scene !== 'approval' && scene !== 'cut')
  const judge = (scene: SceneName, played: Played) => {
    const { text, calls: all } = SCENES[scene]
    const calls = all.filter((call) => transfers || !call.startsWith('transfer_'))
    expect(played.text).toBe(text)
    if (played.calls !== undefined) expect(played.calls.sort()).toEqual([...calls].sort())
    expect(played.failed ?? false).toBe(scene === 'failure')
  }
  test.for(plain)('plays: %s', async (scene) => judge(scene, await play(wordsOf(scene))))
  if (approve !== undefined)
    test('goes on with an approved call', async () => judge('approval', await approve(wordsOf('approval'))))
  if (comeBack !== undefined) test('comes back to a run', async () => judge('cut', await comeBack(wordsOf('cut'))))
})

describe('Chat Completions has no runs that wait or are kept', () => {
  test('a call that needs approval is not run, and the model reads why', async () => {
    const { text } = await completions.play(wordsOf('approval'))
    expect(text).toContain("needs a person's approval, which is not available here. It was not run.")
  })

  test('a client that is cut stops the run, and gets the whole answer anew', async () => {
    const messages = [{ role: 'user' as const, content: wordsOf('cut') }]
    for await (const { choices } of await openai().chat.completions.create({ model: 'team', messages, stream: true }))
      if (choices[0]?.delta.content) break
    await upstream.seen.at(-1)?.aborted
    expect(await completions.play(wordsOf('cut'))).toEqual({ text: COUNTED })
  })
})
