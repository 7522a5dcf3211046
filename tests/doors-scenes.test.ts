/** The same scenes over every protocol, each played with its own client: the same text, and the same calls where they are shown. */
import { HttpAgent } from '@ag-ui/client'
import { Client as McpClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient, type RunView } from '../src/client/index.ts'
import { memory, type RunningServer, serve } from '../src/index.ts'
import { answerIn, openClient, read, say } from './support/a2a.ts'
import { openChat, textsIn, toolIn, until } from './support/ai-sdk.ts'
import { createSceneTeam, SCENES, type SceneName, scriptScenes, wordsOf } from './support/scenes.ts'
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
let agui: RunningServer
beforeAll(async () => {
  upstream = await startUpstream(scriptScenes)
  Object.assign(process.env, { OPENAI_BASE_URL: upstream.baseURL, OPENAI_API_KEY: 'sk-x' })
  const common = { host: '127.0.0.1', port: 0, banner: false, handleSignals: false }
  const open = (doors: object) =>
    serve({ agencies: { team: createSceneTeam() }, runs: { store: memory() }, ...doors, ...common })
  server = await open({ openai: true, aiSdk: true, mcp: true, a2a: true })
  agui = await open({ enableAgui: true })
}, 60_000)
afterAll(async () => {
  await Promise.all([server.close(), agui.close(), upstream.close()])
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
const openAgent = () => new HttpAgent({ url: `${agui.url}/team/get_response_stream`, threadId: `thread-${++threads}` })
const aguiDoor: Door = {
  async play(content) {
    const agent = openAgent()
    agent.addMessage({ id: 'u1', role: 'user', content })
    let failed = false
    const onRunErrorEvent = () => {
      failed = true
    }
    await agent.runAgent({}, { onRunErrorEvent })
    return showAgent(agent, failed)
  },
}
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

const mcp: Door = {
  async play(message) {
    const client = new McpClient({ name: 'test', version: '1.0.0' })
    await client.connect(new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`)))
    const { content, isError = false } = await client.callTool({ name: 'ask_team', arguments: { message } })
    await client.close()
    const [part] = content as { text: string }[]
    return isError ? { text: '', failed: true } : { text: String(part?.text) }
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
