/** A2A: cards, methods and refusals, as other agents see them. */
import { TaskState } from '@a2a-js/sdk'
import Fastify from 'fastify'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { agencySwarm } from '../src/fastify.ts'
import { Agency, Agent, buildApp, flow } from '../src/index.ts'
import { openClient, openLegacyClient, say, serveA2a, textOf } from './support/a2a.ts'
import { post, postAndRead, useUpstream } from './support/client.ts'

const CARD = '/.well-known/agent-card.json'
const V1 = { 'a2a-version': '1.0' }

const agent = (name: string, options = {}) =>
  new Agent({ name, instructions: `You are ${name}.`, model: 'gpt-4.1', ...options })
function team(model = 'gpt-4.1') {
  const desk = agent('Desk', { description: 'Answers customers.', model })
  const rates = agent('Rates', { description: 'Knows rates.', model })
  return new Agency(desk, { communicationFlows: [flow(desk, rates)] })
}

const getJson = async (url: string, headers = {}) => {
  const response = await fetch(url, { headers })
  // biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that tests look into
  return { status: response.status, headers: response.headers, body: (await response.json()) as any }
}
const call = (url: string, method: string, params: object = {}, headers: { [name: string]: string } = V1) =>
  postAndRead(url, { jsonrpc: '2.0', id: 7, method, params }, headers)
const message = (text = 'Hi', more = {}) => ({ messageId: 'm1', role: 'ROLE_USER', parts: [{ text }], ...more })

function useToken(token: string): void {
  const before = process.env.APP_TOKEN
  process.env.APP_TOKEN = token
  onTestFinished(() => {
    if (before === undefined) delete process.env.APP_TOKEN
    else process.env.APP_TOKEN = before
  })
}

describe('cards', () => {
  test('the public card names no inner agent, and needs no token', async () => {
    useToken('secret')
    const { url, base, rpc } = await serveA2a(team('demo'))
    const { status, headers, body } = await getJson(base + CARD, V1)
    expect(status).toBe(200)
    expect(body).toEqual({
      name: 'support',
      description: 'Answers customers.',
      version: '1.0.0',
      supportedInterfaces: [
        { url: rpc, protocolBinding: 'JSONRPC', protocolVersion: '1.0' },
        { url: rpc, protocolBinding: 'JSONRPC', protocolVersion: '0.3' },
      ],
      capabilities: { streaming: true, pushNotifications: false, extendedAgentCard: true },
      securitySchemes: { bearer: { httpAuthSecurityScheme: { scheme: 'Bearer' } } },
      securityRequirements: [{ schemes: { bearer: { list: [] } } }],
      defaultInputModes: expect.arrayContaining(['text/plain']),
      defaultOutputModes: ['text/plain', 'application/json'],
      skills: [{ id: 'support', name: 'support', description: 'Answers customers.', tags: ['agency'] }],
    })
    expect(headers.get('cache-control')).toBe('public, max-age=300')
    const etag = headers.get('etag') as string
    expect((await fetch(base + CARD, { headers: { ...V1, 'if-none-match': etag } })).status).toBe(304)
    expect((await getJson(url + CARD, V1)).body).toEqual(body)
    const legacy = (await getJson(base + CARD)).body
    expect(legacy).toMatchObject({ url: rpc, protocolVersion: '0.3.0', supportsAuthenticatedExtendedCard: true })
    const client = await openClient(base, { authorization: 'Bearer secret' })
    expect((await client.getAgentCard()).skills.map(({ name }) => name)).toEqual(['support', 'Desk', 'Rates'])
  })

  test('the operator says what cards tell, and under which address', async () => {
    const skills = [{ id: 'refund', name: 'Refunds', description: 'Pays money back.', tags: ['money'] }]
    const app = await buildApp({
      agencies: { support: team('demo'), sales: team('demo') },
      serverUrl: 'https://agents.example.com/ai/',
      a2a: { cards: { support: { name: 'Help', description: 'Helps.', version: '2.1.0', skills } } },
    })
    onTestFinished(() => app.close())
    const read = async (path: string) => (await app.inject({ url: path, headers: V1 })).json()
    expect(await read(`/support${CARD}`)).toMatchObject({
      name: 'Help',
      description: 'Helps.',
      version: '2.1.0',
      skills,
    })
    expect((await read(`/sales${CARD}`)).supportedInterfaces[0].url).toBe('https://agents.example.com/ai/sales/a2a')
    expect((await app.inject(CARD)).statusCode).toBe(404)
  })

  test('the plugin names its prefix', async () => {
    const app = Fastify()
    onTestFinished(() => app.close())
    await app.register(agencySwarm, { prefix: '/ai', agencies: { 'R&D team': team('demo') }, a2a: true })
    const headers = { host: 'example.com' }
    const card = (await app.inject({ url: `/ai/R%26D_team${CARD}`, headers })).json()
    expect(card.url).toBe('http://example.com/ai/R%26D_team/a2a')
    expect((await app.inject({ url: `/ai${CARD}`, headers })).json()).toEqual(card)
  })

  test('without authentication there is no other card', async () => {
    const { base, rpc } = await serveA2a(team('demo'))
    expect((await getJson(base + CARD)).body.capabilities.extendedAgentCard).toBe(false)
    expect((await call(rpc, 'GetExtendedAgentCard')).body.error.code).toBe(-32004)
  })

  test.for([
    [{ a2a: 'yes' }, /a2a has to be true/],
    [{ a2a: { port: 1 } }, /no option "port"/],
    [{ a2a: { allow: ['message'] } }, /a2a.allow is a list/],
    [{ a2a: { cards: { other: {} } } }, /"other", which is no agency/],
    [{ a2a: { cards: { support: { skills: [{ id: 'x' }] } } } }, /skills are objects/],
  ] as const)('an option that does not fit is refused: %j', async ([options, reason]) => {
    await expect(buildApp({ agencies: { support: team('demo') }, ...(options as object) })).rejects.toThrow(reason)
  })

  test('the first segment of the root card is reserved where A2A is spoken', async () => {
    const agencies = { '.well-known': team('demo') }
    await expect(buildApp({ agencies, a2a: true })).rejects.toThrow(/needs that path itself/)
    await (await buildApp({ agencies })).close()
  })
})

describe('refusals', () => {
  let rpc = ''
  let close = async () => {}
  beforeAll(async () => {
    const app = await buildApp({ agencies: { support: team('demo') }, a2a: true, limits: { bodyBytes: 4_096 } })
    rpc = `${await app.listen({ host: '127.0.0.1', port: 0 })}/support/a2a`
    close = () => app.close()
    return () => close()
  })

  test.for([
    ['malformed JSON', '{', V1, 200, -32700, null],
    ['a batch', '[]', V1, 200, -32600, null],
    ['no JSON-RPC', '{"method":"GetTask","id":1}', V1, 200, -32600, null],
    ['an unknown method', { method: 'DoIt' }, V1, 200, -32601, 7],
    ['a method of 0.3 in 1.0', { method: 'message/send' }, V1, 200, -32601, 7],
    ['a method of 1.0 without a version', { method: 'SendMessage' }, {}, 200, -32009, 7],
    ['a version of the future', { method: 'SendMessage' }, { 'a2a-version': '2.0' }, 200, -32009, 7],
    ['a message without parts', { params: { message: message('', { parts: [] }) } }, V1, 200, -32602, 7],
    [
      'a part with two contents',
      { params: { message: message('', { parts: [{ text: 'a', url: 'b' }] }) } },
      V1,
      200,
      -32602,
      7,
    ],
    [
      'a part of 0.3 without content',
      { method: 'message/send', params: { message: { ...message(), role: 'user', parts: [{ kind: 'x' }] } } },
      {},
      200,
      -32602,
      7,
    ],
    [
      'an address that is none',
      { params: { message: message('', { parts: [{ url: 'file:///etc/passwd' }] }) } },
      V1,
      200,
      -32602,
      7,
    ],
    [
      'a context that cannot be a thread',
      { params: { message: message('', { contextId: 'a b' }) } },
      V1,
      200,
      -32602,
      7,
    ],
    [
      'a field that the operator does not allow',
      { params: { message: message(), metadata: { agencySwarm: { recipient_agent: 'Rates' } } } },
      V1,
      200,
      -32602,
      7,
    ],
    ['an unknown task', { method: 'GetTask', params: { id: 'nobody' } }, V1, 200, -32001, 7],
    ['a message to an unknown task', { params: { message: message('Hi', { taskId: 'x' }) } }, V1, 200, -32001, 7],
    ['push notifications', { method: 'CreateTaskPushNotificationConfig' }, V1, 200, -32003, 7],
    [
      'a push notification of a message',
      { params: { message: message(), configuration: { taskPushNotificationConfig: { url: 'https://x' } } } },
      V1,
      200,
      -32003,
      7,
    ],
    [
      'push notifications of 0.3',
      { method: 'tasks/pushNotificationConfig/list', params: { id: 'x' } },
      {},
      200,
      -32003,
      7,
    ],
    ['a page token that is none', { method: 'ListTasks', params: { pageToken: 'x' } }, V1, 200, -32602, 7],
    ['a large body', JSON.stringify({ text: 'x'.repeat(5_000) }), V1, 413, -32000, null],
  ] as const)('%s', async ([, body, headers, status, code, id]) => {
    const sent = typeof body === 'string' ? body : { jsonrpc: '2.0', id: 7, method: 'SendMessage', ...body }
    const answer = await postAndRead(rpc, sent, headers as { [name: string]: string })
    expect(answer).toMatchObject({ status, body: { jsonrpc: '2.0', id, error: { code, message: expect.any(String) } } })
    const reasons = answer.body.error.data?.map(({ reason, domain }: { reason: string; domain: string }) => [
      reason,
      domain,
    ])
    const isOwn = code <= -32001 && code > -32100
    expect(reasons).toEqual(isOwn ? [[expect.stringMatching(/^[A-Z_]+$/), 'a2a-protocol.org']] : undefined)
  })
})

test('a refused token is an answer with 401 in the shape of JSON-RPC', async () => {
  useToken('secret')
  const { base, rpc } = await serveA2a(team('demo'))
  const response = await post(rpc, { jsonrpc: '2.0', id: 1, method: 'ListTasks' }, V1)
  expect(response.status).toBe(401)
  expect(response.headers.get('www-authenticate')).toBe('Bearer')
  expect(await response.json()).toMatchObject({ jsonrpc: '2.0', error: { code: -32000, message: 'Not authenticated' } })
  await expect((await openClient(base)).sendMessage(say('Hi'))).rejects.toThrow('Not authenticated')
})

test('tasks of other owners do not exist', async () => {
  await useUpstream(() => ({ text: 'x', deltas: 10_000, delayMs: 5 }))
  const identify = ({ headers }: { headers: { [name: string]: unknown } }) => headers['x-user'] as string | undefined
  const { base, rpc } = await serveA2a(team(), { runs: { identify } })
  const ann = await openClient(base, { 'x-user': 'ann' })
  const ben = await openClient(base, { 'x-user': 'ben' })
  const configuration = { acceptedOutputModes: [], taskPushNotificationConfig: undefined, returnImmediately: true }
  const { id } = (await ann.sendMessage({ ...say('Hi', { contextId: 'talk' }), configuration })) as { id: string }
  for (const method of ['GetTask', 'CancelTask', 'SubscribeToTask'])
    expect((await call(rpc, method, { id }, { ...V1, 'x-user': 'ben' })).body.error.code).toBe(-32001)
  const message = { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'approve' }], taskId: id }
  expect((await call(rpc, 'SendMessage', { message }, { ...V1, 'x-user': 'ben' })).body.error.code).toBe(-32001)
  const list = { tenant: '', contextId: '', status: 0, pageToken: '', statusTimestampAfter: undefined }
  expect(await ben.listTasks(list)).toMatchObject({ tasks: [], totalSize: 0 })
  expect((await ann.listTasks(list)).tasks.map((task) => task.id)).toEqual([id])
  expect((await call(rpc, 'ListTasks')).status).toBe(401)
  await ann.cancelTask({ tenant: '', id, metadata: undefined })
})

test('tasks are listed by page, context, state and time', async () => {
  await useUpstream(({ input }) =>
    JSON.stringify(input).includes('Fail') ? { status: 400, message: 'No' } : { text: 'Yes' },
  )
  const { base } = await serveA2a(team())
  const client = await openClient(base)
  const ids: string[] = []
  for (const [text, contextId] of [
    ['One', 'a'],
    ['Fail', 'c'],
    ['Two', 'a'],
    ['Three', 'b'],
  ] as const)
    ids.unshift(((await client.sendMessage(say(text, { contextId }))) as { id: string }).id)
  const all = { tenant: '', contextId: '', status: 0, pageToken: '', statusTimestampAfter: undefined }
  const first = await client.listTasks({ ...all, pageSize: 3 })
  expect(first).toMatchObject({ pageSize: 3, totalSize: 4 })
  expect(first.tasks.every(({ artifacts, history }) => artifacts.length + history.length === 0)).toBe(true)
  const second = await client.listTasks({ ...all, pageSize: 3, pageToken: first.nextPageToken })
  expect([...first.tasks, ...second.tasks].map(({ id }) => id)).toEqual(ids)
  expect(second).toMatchObject({ nextPageToken: '', totalSize: 4 })
  const find = async (more: Partial<Parameters<typeof client.listTasks>[0]>) =>
    (await client.listTasks({ ...all, ...more })).tasks
  expect((await find({ contextId: 'a' })).map(({ id }) => id)).toEqual([ids[1], ids[3]])
  expect((await find({ status: TaskState.TASK_STATE_FAILED })).map(({ id }) => id)).toEqual([ids[2]])
  expect(await find({ statusTimestampAfter: '2999-01-01T00:00:00Z' })).toEqual([])
  const [whole] = await find({ pageSize: 1, includeArtifacts: true, historyLength: 5 })
  expect(textOf(whole as never)).toBe('Yes')
  expect(whole?.history[0]?.parts[0]?.content?.value).toBe('Three')
})

test('texts, data and bytes reach the model, and stand in the history', async () => {
  const { seen } = await useUpstream(() => ({ text: 'Seen' }))
  const { base } = await serveA2a(team())
  const part = { metadata: undefined, filename: '', mediaType: '' }
  const parts = [
    { ...part, content: { $case: 'text' as const, value: 'Look' } },
    { ...part, content: { $case: 'data' as const, value: { order: 17 } } },
    { ...part, mediaType: 'image/png', content: { $case: 'raw' as const, value: Buffer.from('PNG') } },
    {
      ...part,
      mediaType: 'application/pdf',
      filename: 'a.pdf',
      content: { $case: 'raw' as const, value: Buffer.from('PDF') },
    },
  ]
  for (const client of [await openClient(base), await openLegacyClient(base)]) {
    const task = (await client.sendMessage(say('', { parts }))) as Awaited<ReturnType<typeof client.getTask>>
    const input = seen.at(-1)?.body.input as { content: object[] }[] | undefined
    expect(input?.at(-1)?.content).toMatchObject([
      { type: 'input_text', text: 'Look' },
      { type: 'input_text', text: '{"order":17}' },
      { type: 'input_image', image_url: 'data:image/png;base64,UE5H' },
      { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,UERG' },
    ])
    expect(task.history[0]?.parts.map((one) => one.content?.$case)).toEqual(['text', 'text', 'raw', 'raw'])
    const bare = await client.getTask({ tenant: '', id: task.id, historyLength: 0 })
    expect(bare.history).toEqual([])
  }
})

test('an address of a file is fetched by the server, within its rules', async () => {
  await useUpstream(() => ({ text: 'Seen' }))
  const { base } = await serveA2a(team())
  const part = { metadata: undefined, filename: 'a.txt', mediaType: '' }
  const parts = [{ ...part, content: { $case: 'url' as const, value: 'http://169.254.169.254/a.txt' } }]
  const task = (await (await openClient(base)).sendMessage(say('', { parts }))) as {
    status: { state: number; message: object }
  }
  expect(task.status.state).toBe(TaskState.TASK_STATE_FAILED)
  expect(JSON.stringify(task.status.message)).toMatch(/169\.254\.169\.254/)
})

test('callers set the fields of a run that the operator allows', async () => {
  const { seen } = await useUpstream(() => ({ text: 'Three' }))
  const { rpc } = await serveA2a(team(), { a2a: { allow: ['recipient_agent'] } })
  const send = (fields: object) => call(rpc, 'SendMessage', { message: message(), metadata: { agencySwarm: fields } })
  await send({ recipient_agent: 'Rates' })
  expect(seen[0]?.body.instructions).toBe('You are Rates.')
  expect((await send({ recipient_agent: 'Nobody' })).body.error.message).toMatch(/Invalid agent name/)
  expect((await send({ user_context: {} })).body.error.message).toMatch(/does not let callers set/)
})
