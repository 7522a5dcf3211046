import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'
import { expect, onTestFinished, test, vi } from 'vitest'
import { agency as starter } from '../examples/starter/agency.ts'
import { Agency, Agent, chatCompletions, codeInterpreter, Handoff, responses, tool, webSearch } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, final, post, startServer, useUpstream } from './support/client.ts'
import { PDF, PNG, page, startFileHost } from './support/file-host.ts'
import { useFolder } from './support/folder.ts'
import { setEnv } from './support/providers.ts'

const agent = (options = {}) => new Agent({ name: 'Assistant', model: 'gpt-4.1', ...options })
const solo = () => new Agency(agent())
const ask = async (url: string, body: object) => {
  const answer = await post(`${url}/solo/get_response`, { message: 'Read this', ...body })
  // biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that tests look into
  return { status: answer.status, body: (await answer.json()) as any }
}
/** What is printed until the test is over. */
function quiet(method: 'error' | 'warn') {
  const spy = vi.spyOn(console, method).mockImplementation(() => {})
  onTestFinished(() => spy.mockRestore())
  return spy
}
/** What the model was sent the n-th time. */
const sent = (upstream: Awaited<ReturnType<typeof useUpstream>>, index: number) =>
  // biome-ignore lint/suspicious/noExplicitAny: bodies are foreign JSON that tests look into
  (upstream.seen[index]?.body ?? {}) as any

test('file_ids reach the model by type, in order', async () => {
  promise('C5', 'C8')
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const { files } = upstream
  const ids = [
    files.put('file-code1', 'table.CSV'),
    files.put('assistant-image', 'photo.jpeg'),
    files.put('file-pdf', 'a.pdf'),
    files.put('other/style?id', 'deck.pptx'),
  ]
  const { url } = await startServer({ agencies: { solo: solo() } })
  const { body } = await ask(url, { file_ids: ids })
  const stored = [
    { type: 'input_text', text: 'Read this' },
    { type: 'input_file', file_id: 'file-pdf' },
    { type: 'input_image', file_id: 'assistant-image' },
  ]
  expect(body.new_messages[0]).toMatchObject({ role: 'user', content: stored })
  expect(body).not.toHaveProperty('file_ids_map')
  const { input, tools } = sent(upstream, 0)
  const { content } = input[0]
  expect(content.slice(0, 3)).toEqual(stored)
  expect(content[3]).toMatchObject({
    type: 'input_text',
    text: expect.stringContaining('["table.CSV","deck.pptx"]'),
  })
  expect(tools).toEqual([
    { type: 'code_interpreter', container: { type: 'auto', file_ids: ['file-code1', 'other/style?id'] } },
  ])
  expect(files.asked.every(({ path }) => /^\/v1\/files\/[^/?]+$/.test(path))).toBe(true)
})

test('every type of the list has its route, and no other has one', async () => {
  promise('C8')
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const { url } = await startServer({ agencies: { solo: solo() }, limits: { fileCount: 100 } })
  const put = (name: string) => upstream.files.put(`file-${name}`, `x.${name}`)
  const images = ['jpeg', 'jpg', 'gif', 'png']
  const code = 'c cs cpp csv html java json php py rb css js sh ts pkl tar xlsx xml zip doc docx md pptx tex txt'.split(
    ' ',
  )
  await ask(url, { file_ids: [...images, ...code].map(put) })
  const { input, tools } = sent(upstream, 0)
  expect(input[0].content).toMatchObject([{}, ...images.map((name) => ({ file_id: `file-${name}` })), {}])
  expect(tools[0].container.file_ids).toEqual(code.map((name) => `file-${name}`))
  for (const name of ['go', 'mp4', 'exe', 'pdf2']) {
    const { status, body } = await ask(url, { file_ids: [put(name)] })
    expect([status, body]).toEqual([200, { error: expect.stringContaining(`.${name} for file x.${name}`) }])
  }
  const bare = upstream.files.put('file-bare', 'README')
  expect((await ask(url, { file_ids: [bare] })).body.error).toContain('Unsupported file extension: none')
  expect(upstream.seen).toHaveLength(1)
})

test('an unknown file id is a file failure on both endpoints', async () => {
  promise('C5')
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  quiet('error')
  const { url } = await startServer({ agencies: { solo: solo() } })
  for (const id of ['file-unknown', '', '..', '../responses', 'a b', '\ud800', 'x'.repeat(5000), 'a\r\nb: c']) {
    const { status, body } = await ask(url, { file_ids: [id] })
    expect([status, Object.keys(body)]).toEqual([200, ['error']])
    const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi', file_ids: [id] })
    expect(frames).toEqual([
      { event: undefined, data: { error: body.error } },
      { event: 'end', data: '[DONE]' },
    ])
  }
  expect(upstream.seen).toHaveLength(0)
  expect(upstream.files.asked.every(({ method, path }) => method === 'GET' && /^\/v1\/files\/[^/]+$/.test(path))).toBe(
    true,
  )
})

test('addresses, paths and file URIs are stored in their order', async () => {
  promise('C6', 'C7')
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const host = await startFileHost({ '/doc/report.pdf': page(PDF), '/img': page(PNG) })
  const folder = useFolder()
  writeFileSync(join(folder, 'my notes.txt'), 'notes')
  writeFileSync(join(folder, 'b.pdf'), PDF)
  const { url } = await startServer({
    agencies: { solo: solo() },
    trustedFileOrigins: [host.origin],
    allowedLocalFileDirs: [folder],
  })
  const file_urls = {
    'report.pdf': `${host.origin}/doc/report.pdf?secret=1`,
    anything: join(folder, 'b.pdf'),
    picture: `${host.origin}/img`,
    notes: `file://${folder}/my%20notes.txt`,
  }
  const { body } = await ask(url, { file_ids: [upstream.files.put('file-old', 'old.pdf')], file_urls })
  const id = (name: RegExp) => upstream.files.find(name)?.[0]
  const ids = {
    'report.pdf': id(/^report_[0-9a-f]{8}\.pdf$/),
    anything: id(/^b\.pdf$/),
    picture: id(/^picture_[0-9a-f]{8}\.png$/),
    notes: id(/^my notes\.txt$/),
  }
  expect(body.file_ids_map).toEqual(ids)
  expect(Object.keys(body.file_ids_map)).toEqual(Object.keys(file_urls))
  expect(Object.keys(body)).toEqual(['response', 'new_messages', 'usage', 'file_ids_map'])
  const stored = [...upstream.files.stored.values()].slice(1)
  expect(stored.map(({ purpose }) => purpose)).toEqual(Array(4).fill('assistants'))
  expect(upstream.files.find(/^report/)?.[1].bytes).toEqual(PDF)
  expect(upstream.files.find(/^my notes/)?.[1].bytes.toString()).toBe('notes')
  const [note, user] = body.new_messages
  expect(note).toMatchObject({ role: 'system', agent: 'Assistant', callerAgent: null })
  const sources = Object.entries(file_urls).map(([name, source]) => [
    name,
    { url: source, oai_file_id: ids[name as keyof typeof ids] },
  ])
  expect(JSON.parse(note.content.split('\n').at(-1))).toEqual(Object.fromEntries(sources))
  const attached = user.content.slice(1).map((part: { file_id: string }) => part.file_id)
  expect(attached).toEqual(['file-old', ids['report.pdf'], ids.anything, ids.picture])

  await ask(url, { message: 'And now?', chat_history: body.new_messages })
  const { input, tools } = sent(upstream, 1)
  expect(input[0]).toEqual({ role: 'system', content: note.content, type: 'message' })
  expect(input[1]).toMatchObject({ content: user.content })
  expect(tools).toEqual([])
})

test('the stream tells the ids in its messages frame, an empty map too', async () => {
  promise('C6', 'C7', 'B2')
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const host = await startFileHost({ '/data.json': page('{}') })
  const { url } = await startServer({ agencies: { solo: solo() }, trustedFileOrigins: [host.origin] })
  const stream = (body: object) => allFrames(`${url}/solo/get_response_stream`, { message: 'Hi', ...body })
  const frames = await stream({ file_urls: { 'data.json': `${host.origin}/data.json` } })
  const [id] = upstream.files.find(/^data_/) ?? []
  expect(final(frames).file_ids_map).toEqual({ 'data.json': id })
  expect(Object.keys(final(frames))).toEqual(['new_messages', 'run_id', 'cancelled', 'file_ids_map', 'usage'])
  expect(final(frames).new_messages[1].content).toEqual([{ type: 'input_text', text: 'Hi' }])
  const empty = final(await stream({ file_urls: {} }))
  expect(empty).toMatchObject({ file_ids_map: {}, new_messages: [{ role: 'user', content: 'Hi' }, {}] })
  expect((await ask(url, { file_urls: {} })).body.file_ids_map).toEqual({})
  expect(final(await stream({}))).not.toHaveProperty('file_ids_map')
  expect(final(await stream({ file_urls: null, file_ids: [] }))).not.toHaveProperty('file_ids_map')
})

test('a message may consist of files; its own parts stay first', async () => {
  promise('C1', 'C5')
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const { url } = await startServer({ agencies: { solo: solo() } })
  const file_ids = [upstream.files.put('file-1', 'a.pdf')]
  const attached = { type: 'input_file', file_id: 'file-1' }
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: '  ', file_ids })
  expect(final(frames).new_messages[0].content).toEqual([attached])
  const parts = [
    { type: 'input_image', image_url: 'data:image/png;base64,AAAA' },
    { type: 'input_file', file_id: 'file-other' },
  ]
  const { body } = await ask(url, { message: [{ role: 'user', content: parts }], file_ids })
  expect(body.new_messages[0].content).toEqual([...parts, attached])
  const warn = quiet('warn')
  const message = [{ role: 'developer', content: 'Be brief' }]
  expect((await ask(url, { message, file_ids })).body.new_messages[0].content).toBe('Be brief')
  expect(warn.mock.lastCall?.[0]).toContain('not attached')
})

test('the code interpreter follows a handoff, not a sub-agent', async () => {
  promise('C8')
  const upstream = await useUpstream(({ instructions, input }) => {
    const items = input as { type: string }[]
    if (instructions === 'Lead.' && items.length === 1)
      return {
        calls: [
          {
            name: 'send_message',
            arguments: { recipient_agent: 'Worker', message: 'Do', additional_instructions: '' },
          },
        ],
      }
    if (instructions === 'Lead.')
      return { calls: [{ name: 'transfer_to_Clerk', arguments: { recipient_agent: 'Clerk' } }] }
    return { text: 'Done' }
  })
  const lead = agent({ name: 'Lead', instructions: 'Lead.' })
  const worker = agent({ name: 'Worker', instructions: 'Worker.' })
  const clerk = agent({ name: 'Clerk', instructions: 'Clerk.' })
  const team = new Agency(lead, {
    communicationFlows: [
      [lead, worker],
      [lead, clerk, Handoff],
    ],
  })
  const { url } = await startServer({ agencies: { solo: team } })
  await ask(url, { file_ids: [upstream.files.put('file-1', 'a.csv')] })
  const told = upstream.seen.map(({ body }) => [
    body.instructions,
    JSON.stringify(body.tools).includes('file-1'),
    JSON.stringify(body.input).includes('code_interpreter'),
  ])
  expect(told).toEqual([
    ['Lead.', true, true],
    ['Worker.', false, false],
    ['Lead.', true, true],
    ['Clerk.', true, true],
  ])
})

test("an agent's own code interpreter gets the files, too", async () => {
  promise('C8')
  const upstream = await useUpstream(() => ({ text: 'Done' }))
  const container = { type: 'auto' as const, fileIds: ['file-own'], memoryLimit: '4g' as const }
  const agents = {
    own: agent({ tools: [codeInterpreter({ container }), webSearch()] }),
    fixed: agent({ tools: [codeInterpreter({ container: 'cntr_1' })] }),
  }
  const { url } = await startServer({ agencies: { own: new Agency(agents.own), fixed: new Agency(agents.fixed) } })
  const file_ids = [upstream.files.put('file-1', 'a.csv'), upstream.files.put('file-own', 'b.csv')]
  for (const name of ['own', 'fixed']) await post(`${url}/${name}/get_response`, { message: 'Hi', file_ids })
  await post(`${url}/own/get_response`, { message: 'Hi' })
  const code = { type: 'code_interpreter', container: { type: 'auto', memory_limit: '4g' } }
  const withFiles = (ids: string[]) => ({ ...code, container: { ...code.container, file_ids: ids } })
  expect(sent(upstream, 0).tools).toEqual([withFiles(['file-own', 'file-1']), { type: 'web_search' }])
  expect(sent(upstream, 1).tools).toEqual([{ type: 'code_interpreter', container: 'cntr_1' }])
  expect(sent(upstream, 2).tools).toEqual([withFiles(['file-own']), { type: 'web_search' }])
})

test('a model that has no code interpreter is offered a stand-in that says so', async () => {
  const upstream = await useUpstream(() => ({ status: 400, message: 'enough' }))
  quiet('error')
  const { url } = await startServer({ agencies: { solo: new Agency(agent({ model: chatCompletions('gpt-4.1') })) } })
  await ask(url, { file_ids: [upstream.files.put('file-1', 'a.csv')] })
  expect(sent(upstream, 0).tools).toMatchObject([{ type: 'function', function: { name: 'code_interpreter' } }])
})

test('a guardrail hears the user, not the note about files', async () => {
  const heard: unknown[] = []
  await useUpstream(() => ({ text: 'Done' })).then(({ files }) => files.put('file-1', 'a.csv'))
  const guarded = agent({
    inputGuardrails: [(input: unknown) => ({ tripwire: heard.push(input) === 0 })],
  })
  const { url } = await startServer({ agencies: { solo: new Agency(guarded) } })
  await ask(url, { file_ids: ['file-1'] })
  expect(heard).toEqual(['Read this'])
})

test('a file is used once the provider is done with it', async () => {
  promise('C6')
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const host = await startFileHost({ '/a.pdf': page(PDF) })
  const { url } = await startServer({ agencies: { solo: solo() }, trustedFileOrigins: [host.origin] })
  const file_urls = { 'a.pdf': `${host.origin}/a.pdf` }
  upstream.files.status = (_name, look) => (look === 1 ? 'uploaded' : 'processed')
  expect((await ask(url, { file_urls })).body.response).toBe('Read')
  expect(upstream.files.asked.map(({ method }) => method)).toEqual(['POST', 'GET', 'GET'])
  upstream.files.status = () => 'error'
  const failed = await ask(url, { file_urls })
  expect(failed.body.error).toMatch(/File processing failed: file-/)
  expect(upstream.files.removed).toEqual([expect.stringMatching(/^a_/)])
  expect(upstream.seen).toHaveLength(1)
})

test('when one file cannot be stored, those that were are removed again', async () => {
  promise('C6')
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const error = quiet('error')
  const host = await startFileHost({ '/a.pdf': page(PDF) })
  const { url } = await startServer({ agencies: { solo: solo() }, trustedFileOrigins: [host.origin] })
  upstream.files.fate = (name) => (name.startsWith('bad') ? 'refuse' : 'keep')
  const file_urls = Object.fromEntries(
    ['one.pdf', 'two.pdf', 'three.pdf', 'four.pdf', 'five.pdf', 'bad.pdf'].map((name) => [
      name,
      `${host.origin}/a.pdf`,
    ]),
  )
  const { status, body } = await ask(url, { file_urls })
  expect([status, body]).toEqual([200, { error: expect.stringMatching(/bad_\w+\.pdf could not be stored \(cause: /) }])
  expect(body.error).not.toContain('scripted refusal')
  expect(String(error.mock.lastCall)).toContain('scripted refusal')
  expect(upstream.files.stored.size).toBe(0)
  expect(upstream.seen).toHaveLength(0)
})

test("a request's own gateway keeps its files, with its own key", async () => {
  promise('C13')
  const gateway = await useUpstream(() => ({ text: 'Gateway' }))
  const own = await useUpstream(() => ({ text: 'Own' }))
  const host = await startFileHost({ '/a.pdf': page(PDF) })
  const { url } = await startServer({
    agencies: { solo: solo() },
    trustedFileOrigins: [host.origin],
    trustedModelOrigins: [gateway.origin],
  })
  const file_urls = { 'a.pdf': `${host.origin}/a.pdf` }
  const client_config = { base_url: gateway.baseURL, api_key: 'sk-of-request' }
  const there = await ask(url, { file_urls, client_config })
  expect(there.body.response).toBe('Gateway')
  expect(own.files.asked).toEqual([])
  const key = (upstream: typeof own) => [...new Set(upstream.files.asked.map((call) => call.authorization))]
  expect(key(gateway)).toEqual(['Bearer sk-of-request'])
  const here = await ask(url, { file_urls })
  expect(here.body.response).toBe('Own')
  expect(key(own)).toEqual(['Bearer sk-server-key'])
  for (const { headers } of host.hits) {
    expect(Object.keys(headers).sort()).toEqual(['accept', 'accept-encoding', 'connection', 'host', 'user-agent'])
    expect(JSON.stringify(headers)).not.toMatch(/sk-/)
  }
})

test("files go to the agent's own client, or to OpenAI", async () => {
  promise('C5', 'C13')
  const own = await useUpstream(() => ({ text: 'Own' }))
  const server = await useUpstream(() => ({ text: 'Server' }))
  quiet('error')
  setEnv({ GROQ_API_KEY: 'sk-groq', GROQ_API_BASE: server.baseURL })
  const client = new OpenAI({ apiKey: 'sk-own', baseURL: own.baseURL })
  const { url } = await startServer({
    agencies: {
      solo: new Agency(agent({ model: responses('gpt-4.1', { client }) })),
      other: new Agency(agent({ model: 'groq/llama-3.3-70b' })),
    },
  })
  const { body } = await ask(url, { file_ids: [own.files.put('file-1', 'a.pdf')] })
  expect(body.response).toBe('Own')
  expect(own.files.asked.map((call) => call.authorization)).toEqual(['Bearer sk-own'])
  await ask(url, { file_ids: ['file-1'], client_config: { api_key: 'sk-of-request' } })
  expect(own.files.asked.at(-1)?.authorization).toBe('Bearer sk-of-request')
  expect(server.files.asked).toEqual([])

  const other = { message: 'Read', file_ids: [server.files.put('file-2', 'b.pdf')] }
  await post(`${url}/other/get_response`, other)
  expect(server.files.asked.map((call) => call.authorization)).toEqual(['Bearer sk-server-key'])
  expect(sent(server, 0).messages[0].content[1]).toEqual({ type: 'file', file: { file_id: 'file-2' } })
  setEnv({ OPENAI_API_KEY: undefined })
  const { url: keyless } = await startServer({
    agencies: { other: new Agency(agent({ model: 'groq/llama-3.3-70b' })) },
  })
  const refused = await post(`${keyless}/other/get_response`, other)
  expect(await refused.json()).toEqual({ error: expect.stringContaining('there is no key for the Files API') })
})

test("a key in a provider's error is masked in answer and log", async () => {
  promise('D6')
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const error = quiet('error')
  const { url } = await startServer({
    agencies: { solo: solo() },
    exposeErrors: true,
    trustedModelOrigins: [upstream.origin],
  })
  const client_config = { base_url: upstream.baseURL, api_key: 'file-is-my-key' }
  const { body } = await ask(url, { file_ids: ['file-is-my-key'], client_config })
  expect(body.error).toContain('No such File object: [redacted]')
  expect(String(error.mock.lastCall)).toContain('No such File object: [redacted]')
})

test('files work in process and with the demo model, which says what it got', async () => {
  promise('C5', 'C6', 'F10')
  const folder = useFolder()
  writeFileSync(join(folder, 'plan.pdf'), PDF)
  writeFileSync(join(folder, 'sums.csv'), '1,2')
  const agency = new Agency(agent({ model: 'demo' }))
  const fileUrls = { 'plan.pdf': join(folder, 'plan.pdf'), sums: join(folder, 'sums.csv') }
  const first = await agency.getResponse('Look', { fileUrls, allowedLocalFileDirs: [folder] })
  expect(first.finalOutput).toContain(
    `With it came plan.pdf (${PDF.length} bytes), sums.csv (3 bytes); I cannot read files.`,
  )
  const fileIds = Object.values(first.fileIdsMap ?? {})
  expect(fileIds).toHaveLength(2)
  expect((await agency.getResponse('Again', { fileIds })).finalOutput).toContain('plan.pdf')
  await expect(agency.getResponse('Look', { fileUrls })).rejects.toMatchObject({ code: 'FILE_FAILED' })
  await expect(agency.getResponse('Look', { fileIds: ['file-none'] })).rejects.toThrow(/No such File object: file-none/)
  const { url } = await startServer({ agencies: { solo: starter }, allowedLocalFileDirs: [folder] })
  expect((await ask(url, { file_urls: fileUrls })).body.response).toContain('plan.pdf')
})

test('a Chat Completions model is told about images it cannot see', async () => {
  const upstream = await useUpstream(() => ({ status: 400, message: 'enough' }))
  quiet('error')
  const { url } = await startServer({ agencies: { solo: new Agency(agent({ model: chatCompletions('gpt-4.1') })) } })
  await ask(url, { file_ids: [upstream.files.put('file-1', 'a.png'), upstream.files.put('file-2', 'a.pdf')] })
  expect(upstream.seen[0]?.body.messages).toMatchObject([
    {
      content: [
        { type: 'text', text: 'Read this' },
        { type: 'file', file: { file_id: 'file-2' } },
        { type: 'text', text: expect.stringContaining('file-1 cannot be shown') },
      ],
    },
  ])
})

test('the API document and the metadata know files', async () => {
  promise('B11')
  const { url } = await startServer({
    agencies: { solo: new Agency(agent({ model: 'demo', tools: [tool({ name: 't', execute: () => '' })] })) },
  })
  // biome-ignore lint/suspicious/noExplicitAny: answers are foreign JSON that tests look into
  const read = async (path: string): Promise<any> => (await fetch(`${url}${path}`)).json()
  const { components } = await read('/openapi.json')
  expect(Object.keys(components.schemas.ModifiedRequest?.properties ?? {})).toEqual(
    expect.arrayContaining(['file_ids', 'file_urls']),
  )
  expect(Object.keys(components.schemas.AgencyResponse?.properties ?? {})).toContain('file_ids_map')
  expect((await read('/solo/get_metadata')).allowed_local_file_dirs).toBeNull()
})
