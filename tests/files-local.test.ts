import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, type ServeOptions } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, postAndRead, startServer, useUpstream } from './support/client.ts'
import { PDF, page, startFileHost } from './support/file-host.ts'
import { useFolder } from './support/folder.ts'

/** A server with a folder `allowed` and a folder `outside` beside it; `ask` attaches these files, `told` gives what it is told. */
async function start(options: ServeOptions = {}) {
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const folder = useFolder()
  const allowed = join(folder, 'allowed')
  const outside = join(folder, 'outside')
  mkdirSync(join(allowed, 'sub'), { recursive: true })
  mkdirSync(outside)
  writeFileSync(join(allowed, 'plan.txt'), 'the plan')
  writeFileSync(join(allowed, 'sub', 'deep.txt'), 'the deep plan')
  writeFileSync(join(outside, 'secret.txt'), 'the secret')
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' })) },
    allowedLocalFileDirs: [allowed],
    ...options,
  })
  const ask = (...files: string[]) => {
    const file_urls = Object.fromEntries(files.map((file, index) => [`file ${index}`, file]))
    return postAndRead(`${url}/solo/get_response`, { message: 'Read', file_urls })
  }
  /** The one sentence of a refusal, without the path in it; a refusal stores nothing and asks no model. */
  const refused = async (...files: string[]): Promise<string> => {
    const before = upstream.files.asked.length
    const { status, body } = await ask(...files)
    expect([status, Object.keys(body)], files.join()).toEqual([200, ['error']])
    expect(upstream.files.asked).toHaveLength(before)
    const text: string = body.error
    return files.reduce((known, file) => known.replace(file, '...'), text)
  }
  const contents = () => [...upstream.files.stored.values()].map(({ bytes }) => bytes.toString())
  const metadata = async () => (await (await fetch(`${url}/solo/get_metadata`)).json()) as { [key: string]: unknown }
  return { upstream, url, folder, allowed, outside, ask, refused, contents, metadata }
}

test('files in allowed folders can be named in any valid spelling', async () => {
  promise('A8', 'C6')
  const { allowed, ask, contents, upstream } = await start()
  const odd = join(allowed, 'ä 100% #1?.txt')
  writeFileSync(odd, 'odd')
  writeFileSync(join(allowed, '%2e%2e.txt'), 'not decoded')
  symlinkSync('plan.txt', join(allowed, 'link.txt'))
  symlinkSync(join(allowed, 'sub'), join(allowed, 'folder-link'))
  const files: [named: string, content: string][] = [
    [join(allowed, 'plan.txt'), 'the plan'],
    [join(allowed, 'sub', 'deep.txt'), 'the deep plan'],
    [join(allowed, 'link.txt'), 'the plan'],
    [join(allowed, 'folder-link', 'deep.txt'), 'the deep plan'],
    [`${allowed}/sub/../plan.txt`, 'the plan'],
    [`${allowed}//sub/./deep.txt`, 'the deep plan'],
    [odd, 'odd'],
    [join(allowed, '%2e%2e.txt'), 'not decoded'],
    [`file://${allowed}/plan.txt`, 'the plan'],
    [`FILE://localhost${allowed}/sub/deep.txt`, 'the deep plan'],
    [`file:${allowed}/plan.txt`, 'the plan'],
    [`file://${allowed}/sub/%2e%2e/pl%61n.txt`, 'the plan'],
    [`file://${allowed}/%C3%A4%20100%25%20%231%3F.txt`, 'odd'],
  ]
  for (const [named, content] of files) {
    const { body } = await ask(named)
    expect(body.response, JSON.stringify(body)).toBe('Read')
    expect(contents().at(-1), named).toBe(content)
  }
  expect([...upstream.files.stored.values()][2]?.name).toBe('link.txt')
})

test('files outside get one answer, whether they exist or not', async () => {
  promise('C9')
  const { allowed, outside, folder, refused, contents } = await start()
  mkdirSync(join(folder, 'allowed-twin'))
  writeFileSync(join(folder, 'allowed-twin', 'a.txt'), 'twin')
  symlinkSync(join(outside, 'secret.txt'), join(allowed, 'out.txt'))
  symlinkSync(join(outside, 'missing.txt'), join(allowed, 'dangling.txt'))
  symlinkSync('../outside', join(allowed, 'out'))
  symlinkSync('out', join(allowed, 'out-again'))
  symlinkSync('/dev/zero', join(allowed, 'zero.txt'))
  symlinkSync('/proc/self/environ', join(allowed, 'environ.txt'))
  const paths = [
    join(outside, 'secret.txt'),
    join(outside, 'missing.txt'),
    join(outside, 'secret.txt', 'x.txt'),
    join(outside, 'nowhere', 'x.txt'),
    `${allowed}/../outside/secret.txt`,
    `${allowed}/../outside/missing.txt`,
    `${allowed}/../outside/nowhere/../../allowed/../outside/secret.txt`,
    join(allowed, 'out.txt'),
    join(allowed, 'dangling.txt'),
    join(allowed, 'out', 'secret.txt'),
    join(allowed, 'out', 'missing.txt'),
    join(allowed, 'out-again', 'secret.txt'),
    join(folder, 'allowed-twin', 'a.txt'),
    join(folder, 'allowed.txt'),
    join(allowed, 'zero.txt'),
    join(allowed, 'environ.txt'),
    '/etc/passwd.txt',
    '/proc/self/cwd/package.json',
    `file://${outside}/secret.txt`,
    `file://${allowed}/../outside/secret.txt`,
    `file://${allowed}/%2e%2e/outside/secret.txt`,
    `file:///${allowed}\\..\\outside/secret.txt`,
    ` file://${outside}/secret.txt`,
    `${'/a'.repeat(5000)}.txt`,
  ]
  const said = new Set<string>()
  for (const path of paths) said.add((await refused(path)).replace(/\/a(\/a)+\.\.\.$/, '...'))
  expect([...said]).toEqual(['Error downloading file from provided urls: Local file not in allowed directories: ...'])
  // A folder that exists or not on the way makes no difference either: `..` goes first.
  expect(await refused(`${allowed}/gone/../missing.txt`)).toBe(await refused(`${allowed}/sub/../missing.txt`))
  expect(contents()).toEqual([])
})

test('an address that is not a local path is refused before any file is read', async () => {
  promise('C9')
  const { allowed, outside, refused } = await start()
  expect(await refused(`file://other-host${allowed}/plan.txt`)).toContain('Not the URI of a local file')
  expect(await refused(`file://${allowed}/..%2foutside%2Fsecret.txt`)).toContain('Not the URI of a local file')
  expect(await refused(`file://${allowed}/plan.txt%00.txt`)).toContain('NUL')
  expect(await refused(`${outside}/secret.txt\0.txt`)).toContain('NUL')
  expect(await refused('//share/plan.txt')).toContain('URL scheme is required')
  expect(await refused('\\\\share\\plan.txt')).toContain('Unsupported URL scheme: none')
  expect(await refused('C:\\plan.txt')).toContain('Unsupported URL scheme: c')
  expect(await refused('plan.txt')).toContain('Unsupported URL scheme: none')
  expect(await refused('../allowed/plan.txt')).toContain('Unsupported URL scheme: none')
  expect(await refused('~/plan.txt')).toContain('Unsupported URL scheme: none')
})

test('what lies at a path is looked at before the extension of its name', async () => {
  promise('C9')
  const { allowed, outside, refused } = await start()
  for (const name of ['folder', 'folder.d', 'folder.exe']) mkdirSync(join(allowed, name))
  for (const name of ['program.exe', 'README', 'trailing.']) writeFileSync(join(allowed, name), 'x')
  writeFileSync(join(outside, 'secret.exe'), 'x')
  symlinkSync(join(allowed, 'folder'), join(allowed, 'link.go'))
  for (const [path, told] of [
    [join(outside, 'secret.exe'), 'Local file not in allowed directories: ...'],
    [join(outside, 'none'), 'Local file not in allowed directories: ...'],
    [join(allowed, 'none.exe'), 'Local file not found: ...'],
    [join(allowed, 'none'), 'Local file not found: ...'],
    [join(allowed, 'folder'), 'Local path must be a file: ...'],
    [join(allowed, 'folder.d'), 'Local path must be a file: ...'],
    [join(allowed, 'folder.exe'), 'Local path must be a file: ...'],
    [join(allowed, 'link.go'), 'Local path must be a file: ...'],
    [`file://${allowed}/folder/`, 'Local path must be a file: ...'],
    [join(allowed, 'program.exe'), 'Unsupported file extension: .exe for file ...'],
    [join(allowed, 'README'), 'Unsupported file extension: none for file ...'],
    [join(allowed, 'trailing.'), 'Unsupported file extension: none for file ...'],
  ] as const)
    expect(await refused(path), path).toContain(told)
})

test('without allowed folders, every local path is rejected', async () => {
  promise('C9')
  const { allowed, refused } = await start({ allowedLocalFileDirs: [] })
  for (const name of ['plan.txt', 'program.exe', 'folder'])
    expect(await refused(join(allowed, name))).toContain('Local file access is disabled')
})

test('missing files, folders, pipes and sockets are rejected at once', async () => {
  promise('C9')
  const { allowed, refused } = await start()
  mkdirSync(join(allowed, 'folder.txt'))
  execFileSync('mkfifo', [join(allowed, 'pipe.txt')])
  const socket = net.createServer().listen(join(allowed, 'socket.txt'))
  onTestFinished(() => void socket.close())
  symlinkSync('loop.txt', join(allowed, 'loop.txt'))
  expect(await refused(join(allowed, 'none.txt'))).toContain('Local file not found: ...')
  expect(await refused(join(allowed, 'plan.txt', 'x.txt'))).toContain('Local file not found: ...')
  for (const name of ['folder.txt', 'pipe.txt', 'socket.txt'])
    expect(await refused(join(allowed, name)), name).toContain('Local path must be a file: ...')
  expect(await refused(`${allowed}/../allowed`)).toContain('Local path must be a file: ...')
  await refused(join(allowed, 'loop.txt'))
})

test('after one rejected entry, nothing is fetched or stored', async () => {
  promise('C9')
  const host = await startFileHost({ '/a.pdf': page(PDF) })
  const { allowed, outside, refused, url, upstream } = await start({ trustedFileOrigins: [host.origin] })
  const remote = `${host.origin}/a.pdf`
  const plan = join(allowed, 'plan.txt')
  await refused(remote, plan, join(outside, 'secret.txt'))
  await refused(remote, plan, 'ftp://files.example/a.pdf')
  await refused(remote, plan, join(allowed, 'none.txt'))
  await refused(remote, plan, join(allowed, 'movie.mp4'))
  await refused(remote, plan, 'http://127.0.0.1:1/a.pdf')
  const file_urls = { 'a.pdf': remote, 'b.txt': join(outside, 'secret.txt') }
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Hi', file_urls })
  expect(frames.map(({ event, data }) => event ?? Object.keys(data))).toEqual([['error'], 'end'])
  expect(host.hits).toHaveLength(0)
  expect(upstream.files.asked).toEqual([])
  expect(upstream.seen).toEqual([])
})

test('without a list local files are refused; so they are with an empty one', async () => {
  promise('A8')
  for (const allowedLocalFileDirs of [undefined, []]) {
    const { allowed, refused, metadata } = await start({ allowedLocalFileDirs } as ServeOptions)
    expect(await refused(join(allowed, 'plan.txt'))).toContain('Local file access is disabled')
    expect((await metadata()).allowed_local_file_dirs).toEqual(allowedLocalFileDirs ?? null)
  }
})

test('a folder may appear later, and a file in the list is an error', async () => {
  promise('C10', 'B8')
  const folder = useFolder()
  const [later, wrong, link] = ['later', 'wrong', 'link'].map((name) => join(folder, name)) as [string, string, string]
  const { allowed, ask, refused, metadata } = await start({ allowedLocalFileDirs: [later, wrong, link] })
  const listed = async () => (await metadata()).allowed_local_file_dirs
  expect(await refused(join(later, 'a.txt'))).toContain('Local file access is disabled')
  expect(await listed()).toEqual([])
  mkdirSync(later)
  writeFileSync(join(later, 'a.txt'), 'later')
  symlinkSync(allowed, link)
  expect((await ask(join(later, 'a.txt'))).body.response).toBe('Read')
  expect((await ask(join(link, 'plan.txt'))).body.response).toBe('Read')
  expect((await ask(join(allowed, 'plan.txt'))).body.response).toBe('Read')
  expect(await listed()).toEqual([later, allowed])
  writeFileSync(wrong, '')
  expect(await refused(join(later, 'a.txt'))).toContain('Allowed path must be a directory')
  expect(await listed()).toEqual([later, allowed])
  unlinkSync(wrong)
  expect((await ask(join(later, 'a.txt'))).body.response).toBe('Read')
})

test('~ in the list is the home folder', async () => {
  promise('A8')
  const home = useFolder()
  mkdirSync(join(home, 'shared'))
  writeFileSync(join(home, 'shared', 'a.txt'), 'home')
  const before = process.env.HOME
  process.env.HOME = home
  onTestFinished(() => {
    process.env.HOME = before ?? ''
  })
  const { ask, metadata } = await start({ allowedLocalFileDirs: ['~/shared', '~nobody'] })
  expect((await ask(join(home, 'shared', 'a.txt'))).body.response).toBe('Read')
  expect((await metadata()).allowed_local_file_dirs).toEqual([join(home, 'shared')])
})

test('files that are too large are refused unread', async () => {
  promise('C9')
  const { allowed, ask, refused } = await start({ limits: { fileBytes: 1000, fileTotalBytes: 1500 } })
  writeFileSync(join(allowed, 'large.txt'), Buffer.alloc(1001))
  execFileSync('truncate', ['-s', '200G', join(allowed, 'huge.txt')])
  for (const name of ['a.txt', 'b.txt']) writeFileSync(join(allowed, name), Buffer.alloc(900))
  expect(await refused(join(allowed, 'large.txt'))).toContain('larger than the limit of 1000 bytes')
  expect(await refused(join(allowed, 'huge.txt'))).toContain('larger than the limit of 1000 bytes')
  expect(await refused(join(allowed, 'a.txt'), join(allowed, 'b.txt'))).toContain('limit of 1500 bytes')
  expect((await ask(join(allowed, 'a.txt'))).body.response).toBe('Read')
})

test('the options of the list are checked at start', async () => {
  promise('A8', 'A12')
  const solo = new Agency(new Agent({ name: 'Assistant', model: 'demo' }))
  const wrong = [
    { allowedLocalFileDirs: '/srv' },
    { allowedLocalFileDirs: [''] },
    { allowed_local_file_dirs: ['/srv'] },
    { trustedFileOrigins: ['files.example'] },
    { limits: { fileBytes: -1 } },
  ]
  for (const options of wrong)
    await expect(startServer({ agencies: { solo }, ...(options as object) })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    })
})
