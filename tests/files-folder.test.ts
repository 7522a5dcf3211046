import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { Agency, Agent, codeInterpreter, fileSearch } from '../src/index.ts'
import { postAndRead, startServer, useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'

const hello = () => ({ text: 'Hello.' })

/** A folder with these files, beside which nothing lies. */
function folderOf(files: { [name: string]: string }) {
  const root = useFolder()
  const folder = join(root, 'files')
  mkdirSync(folder)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const home = () => join(root, readdirSync(root).find((name) => name.startsWith('files_vs_')) ?? 'files')
  return { root, folder, home, list: () => readdirSync(home()).sort() }
}

const agentOf = (filesFolder: string, more: object = {}) =>
  new Agent({ name: 'Desk', model: 'gpt-5.4', filesFolder, ...more })
const quiet = () => vi.spyOn(console, 'error').mockImplementation(() => {})
/** Asks a new agent over the folder once, as a new start of the program would. */
const start = (folder: string, more: object = {}) => agentOf(folder, more).getResponse('Hi')
// biome-ignore lint/suspicious/noExplicitAny: foreign JSON
const toolsSent = (upstream: { seen: { body: any }[] }) => upstream.seen.at(-1)?.body.tools

test('documents are stored in a vector store and searched', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder, home, list } = folderOf({ 'a.md': 'apples', 'b.txt': 'pears', '.hidden': '' })
  await start(folder)
  const [id] = upstream.stores.stores.keys()
  expect(home()).toBe(`${folder}_${id}`)
  expect(upstream.stores.names().sort()).toEqual(['a.md', 'b.txt'])
  expect(list()).toEqual([
    '.hidden',
    expect.stringMatching(/^a_file-\d+\.md$/),
    expect.stringMatching(/^b_file-\d+\.txt$/),
  ])
  expect(toolsSent(upstream)).toEqual([{ type: 'file_search', vector_store_ids: [id] }])
  expect(upstream.seen[0]?.headers.authorization).toBe('Bearer sk-server-key')
})

test('code, data and images go to the code interpreter only', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder } = folderOf({ 'a.csv': '1,2', 'b.py': 'print(1)', 'c.png': 'x' })
  await start(folder)
  expect(upstream.stores.names()).toEqual([])
  const ids = [...upstream.files.stored.keys()]
  expect(toolsSent(upstream)).toEqual([
    { type: 'code_interpreter', container: { type: 'auto', file_ids: expect.arrayContaining(ids) } },
  ])
  expect(ids).toHaveLength(3)
})

test('a second start stores nothing again', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder } = folderOf({ 'a.md': 'apples', 'b.csv': '1' })
  await start(folder)
  const before = [...upstream.files.stored.keys()]
  await start(folder)
  expect([...upstream.files.stored.keys()]).toEqual(before)
  expect(upstream.stores.stores.size).toBe(1)
  expect(toolsSent(upstream)).toEqual([
    { type: 'file_search', vector_store_ids: [...upstream.stores.stores.keys()] },
    { type: 'code_interpreter', container: { type: 'auto', file_ids: [before[1]] } },
  ])
})

test('one agent stores its folder once, however many runs it has', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder } = folderOf({ 'a.md': 'apples' })
  const agent = agentOf(folder)
  await Promise.all([1, 2, 3].map(() => new Agency(agent).getResponse('Hi')))
  await new Agency(agent).getResponse('Hi')
  expect(upstream.files.asked.filter(({ method }) => method === 'POST')).toHaveLength(1)
})

test('a changed file replaces the stored one', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder, home, list } = folderOf({ 'a.md': 'apples', 'b.md': 'pears' })
  await start(folder)
  const name = list()[0] as string
  writeFileSync(join(home(), name), 'more apples')
  const later = Date.now() / 1000 + 60
  utimesSync(join(home(), name), later, later)
  await start(folder)
  expect(upstream.files.removed).toEqual(['a.md'])
  expect(upstream.files.find(/^a\.md$/)?.[1].bytes.toString()).toBe('more apples')
  expect(upstream.stores.names().sort()).toEqual(['a.md', 'b.md'])
  expect(list()).toEqual([`a_${upstream.files.find(/^a/)?.[0]}.md`, `b_${upstream.files.find(/^b/)?.[0]}.md`])
})

test('a deleted file is removed from the account', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder, home, list } = folderOf({ 'a.md': '1', 'b.md': '2', 'c.md': '3', 'd.md': '4', 'e.md': '5' })
  await start(folder)
  rmSync(join(home(), list()[4] as string))
  await start(folder)
  expect(upstream.files.removed).toEqual(['e.md'])
  expect(upstream.stores.names().sort()).toEqual(['a.md', 'b.md', 'c.md', 'd.md'])
})

test('a new file under the old name of the folder moves to the others', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder, list } = folderOf({ 'a.md': 'apples' })
  await start(folder)
  mkdirSync(folder)
  writeFileSync(join(folder, 'a.md'), 'ignored, because a file of this name is stored')
  writeFileSync(join(folder, 'b.md'), 'pears')
  await start(folder)
  expect(readdirSync(folder)).toEqual(['a.md'])
  expect(list()).toHaveLength(2)
  expect(upstream.stores.names().sort()).toEqual(['a.md', 'b.md'])
})

test('the time of a stored file is that of its storing', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  upstream.files.createdAt = () => 1_700_000_000
  const { folder, home, list } = folderOf({ 'a.md': 'apples' })
  await start(folder)
  expect(statSync(join(home(), list()[0] as string)).mtimeMs).toBe(1_700_000_000_000)
})

test('tools that the agent has already get the ids of its folders', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder } = folderOf({ 'a.md': 'apples', 'b.csv': '1' })
  const tools = [
    fileSearch({ vectorStoreIds: 'vs_own', maxNumResults: 3 }),
    codeInterpreter({ container: { type: 'auto', fileIds: ['file-own'] } }),
  ]
  await start(folder, { tools, includeSearchResults: true })
  const [store] = upstream.stores.stores.keys()
  expect(toolsSent(upstream)).toEqual([
    { type: 'file_search', vector_store_ids: ['vs_own', store], max_num_results: 3 },
    {
      type: 'code_interpreter',
      container: { type: 'auto', file_ids: ['file-own', upstream.files.find(/csv/)?.[0]] },
    },
  ])
  expect(upstream.seen[0]?.body.include).toContain('file_search_call.results')
})

test('a shared folder is stored once and searched by every agent', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder } = folderOf({ 'a.md': 'apples' })
  const own = folderOf({ 'b.md': 'pears' })
  const [a, b] = [new Agent({ name: 'A', model: 'gpt-5.4' }), agentOf(own.folder)]
  const agency = new Agency([a, b], { sharedFilesFolder: folder })
  await agency.getResponse('Hi')
  const stores = [...upstream.stores.stores.keys()]
  expect(toolsSent(upstream)[0].vector_store_ids).toHaveLength(1)
  await agency.getResponse('Hi', { recipientAgent: b })
  expect(new Set(toolsSent(upstream)[0].vector_store_ids)).toEqual(new Set(stores))
  expect(stores).toHaveLength(2)
})

test('a server stores its folders before it listens', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder } = folderOf({ 'a.md': 'apples' })
  const { url } = await startServer({ agencies: { desk: new Agency(agentOf(folder)) } })
  expect(upstream.stores.names()).toEqual(['a.md'])
  const { body } = await postAndRead(`${url}/desk/get_response`, { message: 'Hi' })
  expect(body.response).toBe('Hello.')
  expect(toolsSent(upstream)[0].type).toBe('file_search')
})

test('agents that a factory makes per request share what was stored', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder } = folderOf({ 'a.md': 'apples' })
  const { url } = await startServer({ agencies: { desk: () => new Agency(agentOf(folder)) } })
  for (let index = 0; index < 3; index++) await postAndRead(`${url}/desk/get_response`, { message: 'Hi' })
  expect(upstream.files.asked.filter(({ method }) => method === 'POST')).toHaveLength(1)
  expect(toolsSent(upstream)[0].vector_store_ids).toEqual([...upstream.stores.stores.keys()])
})

test('progress is printed on the console', async () => {
  const said = quiet()
  await useUpstream(hello)
  const { folder } = folderOf({ 'a.md': 'apples' })
  await start(folder)
  expect(said.mock.calls.flat()).toEqual([
    `Storing 1 of 1 files of ${folder} ...`,
    `The files of ${folder} are stored: 1 added, 0 removed.`,
  ])
})

test('files are waited for until they are processed', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  let looked = 0
  upstream.stores.status = (_name, look) => {
    looked = look
    return { status: look < 3 ? 'in_progress' : 'completed' }
  }
  await start(folderOf({ 'a.md': 'apples' }).folder)
  expect(looked).toBe(3)
})

test('a file that cannot be processed is named with the reason', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  upstream.stores.status = () => ({ status: 'failed', last_error: { code: 'x', message: 'It is encrypted' } })
  const { folder } = folderOf({ 'a.pdf': 'apples' })
  await expect(start(folder)).rejects.toMatchObject({
    code: 'FOLDER_FAILED',
    message: expect.stringContaining('OpenAI could not process a.pdf: It is encrypted'),
  })
})

test('a type that is not supported is refused before anything is stored', async () => {
  const upstream = await useUpstream(hello)
  const { folder } = folderOf({ 'a.md': 'apples', 'b.exe': '' })
  await expect(start(folder)).rejects.toThrow(/the type of b\.exe is not supported.*\.md/)
  expect(upstream.files.asked).toEqual([])
  expect(readdirSync(folder)).toEqual(['a.md', 'b.exe'])
})

test('after a failure the next run goes on where it ended', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  upstream.files.fate = (name) => (name === 'b.md' ? 'refuse' : 'keep')
  const { folder } = folderOf({ 'a.md': 'apples', 'b.md': 'pears' })
  const agent = agentOf(folder)
  await expect(agent.getResponse('Hi')).rejects.toThrow(/could not be stored.*scripted refusal/)
  upstream.files.fate = () => 'keep'
  expect((await agent.getResponse('Hi')).finalOutput).toBe('Hello.')
  expect(upstream.stores.names().sort()).toEqual(['a.md', 'b.md'])
  expect(upstream.stores.stores.size).toBe(1)
})

test('the error names the way out when the store is of another account', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder, home } = folderOf({ 'a.md': 'apples' })
  renameSync(folder, `${folder}_vs_123456789012345678`)
  await expect(start(folder)).rejects.toThrow(/has no vector store vs_123456789012345678.*rename/)
  renameSync(home(), folder)
  await start(folder)
  expect(upstream.stores.names()).toEqual(['a.md'])
})

test('an empty folder needs no store, and a missing one is refused', async () => {
  const upstream = await useUpstream(hello)
  const { folder, root } = folderOf({})
  await start(folder)
  expect(upstream.stores.asked).toEqual([])
  expect(toolsSent(upstream) ?? []).toEqual([])
  expect(() => agentOf(join(root, 'other'))).toThrow(/filesFolder of agent "Desk".*there is no folder ".*other"/)
})

test('the demo model leaves the folder as it is', async () => {
  const { folder } = folderOf({ 'a.md': 'apples' })
  const agent = new Agent({ name: 'Desk', model: 'demo', filesFolder: folder })
  expect((await agent.getResponse('Hi')).finalOutput).toBeTruthy()
  expect(readFileSync(join(folder, 'a.md'), 'utf8')).toBe('apples')
})

test('a server without a key of its own starts, and says what is missing', async () => {
  const upstream = await useUpstream(hello)
  process.env.OPENAI_API_KEY = ''
  const { folder } = folderOf({ 'a.md': 'apples' })
  const { url } = await startServer({ keyPerRequest: true, agencies: { desk: new Agency(agentOf(folder)) } })
  const { body } = await postAndRead(`${url}/desk/get_response`, { message: 'Hi', client_config: { api_key: 'sk-x' } })
  expect(JSON.stringify(body)).toMatch(/no key for the Files API/)
  expect(upstream.stores.asked).toEqual([])
})

test('the metadata shows the tools of a folder before it is stored', () => {
  const { folder } = folderOf({ 'a.md': 'apples', 'b.py': '' })
  const [, , desk] = new Agency(agentOf(folder)).getMetadata().nodes
  expect(desk?.data).toMatchObject({ capabilities: ['reasoning', 'code_interpreter', 'file_search'] })
})

test('a copy of an agent has its folder', async () => {
  quiet()
  const upstream = await useUpstream(hello)
  const { folder } = folderOf({ 'a.md': 'apples' })
  const agent = agentOf(folder)
  await agent.getResponse('Hi')
  await agent.clone({ name: 'Other' }).getResponse('Hi')
  expect(toolsSent(upstream)[0].vector_store_ids).toEqual([...upstream.stores.stores.keys()])
})
