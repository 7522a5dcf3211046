import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, type ServeOptions } from '../src/index.ts'
import { promise } from './promises.ts'
import { post, postAndRead, startServer, useUpstream } from './support/client.ts'
import { endless, PDF, PNG, page, silent, startFileHost } from './support/file-host.ts'

const MIB = 1024 * 1024
const SOON = { timeout: 5000 }

async function start(options: Partial<ServeOptions> = {}) {
  const upstream = await useUpstream(() => ({ text: 'Read' }))
  const agencies = { solo: new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' })) }
  const { url, app } = await startServer({ agencies, ...options })
  const ask = (file_urls: { [name: string]: string }, signal?: AbortSignal) =>
    postAndRead(`${url}/solo/get_response`, { message: 'Read', file_urls }, {}, signal)
  /** The sentence of a refusal, which stores nothing and asks no model. */
  const refused = async (file_urls: { [name: string]: string }): Promise<string> => {
    const { status, body } = await ask(file_urls)
    expect([status, Object.keys(body)], JSON.stringify(file_urls)).toEqual([200, ['error']])
    expect(upstream.files.asked).toEqual([])
    expect(upstream.seen).toEqual([])
    return body.error
  }
  return { upstream, url, app, ask, refused }
}

test('no spelling of an internal address works, with one answer', async () => {
  promise('C9')
  const host = await startFileHost({ '/a.pdf': page(PDF) })
  const { refused } = await start()
  const at = (name: string) => `http://${name}:${host.port}/a.pdf`
  const inner = [
    ...['127.0.0.1', '127.1', '127.0.0.2', '2130706433', '017700000001', '0x7f000001', '0x7f.0.0.1', '0177.0.0.1'],
    ...[
      'localhost',
      'LOCALHOST',
      'localhost.',
      'LocalHost.',
      '0.0.0.0',
      '0',
      '127.0.0.1.',
      '①②⑦.⓪.⓪.①',
      '127%2e0%2e0%2e1',
    ],
    ...['[::1]', '[::]', '[0:0:0:0:0:0:0:1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::127.0.0.1]', '[::7f00:1]'],
    ...[
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
      '[fe80::1]',
      '[fec0::1]',
      '[fc00::1]',
      '[ff02::1]',
      '[::ffff:0:127.0.0.1]',
    ],
    ...[
      '10.0.0.1',
      '172.16.0.1',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '198.18.0.1',
      '224.0.0.1',
      '240.0.0.1',
    ],
    ...['255.255.255.255', 'name-that-does-not-exist.invalid'],
  ].map(at)
  inner.push(
    `HTTP://127.0.0.1:${host.port}/a.pdf`,
    `http:/127.0.0.1:${host.port}/a.pdf`,
    `\thttp:\n//127.0.0.1:${host.port}/a.pdf`,
  )
  inner.push('http://127.0.0.1/a.pdf', 'https://127.0.0.1/a.pdf', 'http://[::1]:65535/a.pdf')
  const said = new Set<string>()
  for (const url of inner) said.add((await refused({ 'a.pdf': url })).replace(/from \S+ Its/, 'from ... Its'))
  expect([...said]).toEqual([
    'Error downloading file from provided urls: The server does not fetch files from ... Its operator can allow the address with trustedFileOrigins.',
  ])
  expect(host.connections()).toBe(0)
})

test('a trusted origin is scheme, host and port, exactly', async () => {
  promise('C6')
  const host = await startFileHost({ '/a.pdf': page(PDF) })
  const other = await startFileHost({ '/a.pdf': page(PDF) })
  const { ask, refused } = await start({ trustedFileOrigins: [`${host.origin}/some/path`] })
  for (const origin of [
    other.origin,
    host.origin.replace('http:', 'https:'),
    host.origin.replace('127.0.0.1', 'localhost'),
    `http://127.0.0.1:${host.port}.example`,
  ])
    await refused({ 'a.pdf': `${origin}/a.pdf` })
  const named = await refused({ 'a.pdf': host.origin.replace('//', '//user:pass-word@') })
  expect(named).toContain('Credentials in a URL are not accepted')
  expect(named).not.toContain('pass-word')
  expect(host.connections() + other.connections()).toBe(0)
  const fetched = await ask({ 'a.pdf': host.origin.replace('127.0.0.1', '127.1').concat('/a.pdf') })
  expect(fetched.body.response).toBe('Read')
})

test('only an answer with the whole file counts as one', async () => {
  promise('C6')
  const partial = { 'content-range': `bytes 0-${PDF.length - 1}/${10 * PDF.length}` }
  const host = await startFileHost({
    '/part.pdf': (response) => response.writeHead(206, partial).end(PDF),
    '/empty.pdf': (response) => response.writeHead(204).end(),
    '/later.pdf': (response) => response.writeHead(202).end(PDF),
    '/proxied.pdf': (response) => response.writeHead(203).end(PDF),
  })
  const { refused, ask } = await start({ trustedFileOrigins: [host.origin] })
  for (const [path, status] of [
    ['/part.pdf', '206 Partial Content'],
    ['/empty.pdf', '204 No Content'],
    ['/later.pdf', '202 Accepted'],
  ])
    expect(await refused({ 'a.pdf': host.origin + path })).toContain(
      `Response without the whole file '${status}' for url '${host.origin}${path}'`,
    )
  expect((await ask({ 'a.pdf': `${host.origin}/proxied.pdf` })).body.response).toBe('Read')
})

test('redirects are not followed, wherever they lead', async () => {
  promise('C6')
  const host = await startFileHost({
    '/a.pdf': page(PDF),
    '/moved.pdf': (response) => response.writeHead(302, { location: '/a.pdf' }).end(),
    '/inner.pdf': (response) => response.writeHead(307, { location: `http://127.0.0.1:${inner.port}/a.pdf` }).end(),
    '/meta.pdf': (response) => response.writeHead(301, { location: 'http://169.254.169.254/latest' }).end(),
    '/refresh.pdf': (response) => response.writeHead(204, { refresh: '0; url=/a.pdf' }).end(),
  })
  const inner = await startFileHost({ '/a.pdf': page(PDF) })
  const { refused, ask } = await start({ trustedFileOrigins: [host.origin] })
  for (const [path, status] of [
    ['/moved.pdf', '302 Found'],
    ['/inner.pdf', '307 Temporary Redirect'],
    ['/meta.pdf', '301 Moved Permanently'],
  ])
    expect(await refused({ 'a.pdf': host.origin + path })).toContain(
      `Redirect response '${status}' for url '${host.origin}${path}'`,
    )
  expect(await refused({ 'a.pdf': `${host.origin}/gone.pdf` })).toContain("Client error '404 Not Found' for url '")
  await ask({ 'a.pdf': `${host.origin}/refresh.pdf` })
  expect(inner.connections()).toBe(0)
  expect(host.hits.map(({ url }) => url)).toEqual([
    '/moved.pdf',
    '/inner.pdf',
    '/meta.pdf',
    '/gone.pdf',
    '/refresh.pdf',
  ])
})

test('what is too large, endless, or a compressed bomb is stopped at the limit', async () => {
  promise('C9')
  const zeros = gzipSync(Buffer.alloc(256 * MIB))
  let sent = 0
  const host = await startFileHost({
    '/declared.pdf': (response) => {
      response.writeHead(200, { 'content-length': 10_000_000_000 }).flushHeaders()
      response.once('close', () => {
        sent = response.socket?.bytesWritten ?? 0
      })
    },
    '/over.pdf': page(Buffer.alloc(MIB + 1)),
    '/full.pdf': page(Buffer.alloc(MIB)),
    '/endless.pdf': endless(Buffer.alloc(65_536), 1),
    '/bomb.pdf': page(zeros, { 'content-encoding': 'gzip' }),
    '/brotli.pdf': page(brotliCompressSync(Buffer.alloc(64 * MIB)), { 'content-encoding': 'br' }),
    '/lying.pdf': page(zeros, { 'content-encoding': 'gzip', 'content-length': zeros.length }),
  })
  const { refused, ask } = await start({
    trustedFileOrigins: [host.origin],
    limits: { fileBytes: MIB, fileTotalBytes: 3 * MIB, fileTimeoutMs: 10_000 },
  })
  const at = (...paths: string[]) =>
    Object.fromEntries(paths.map((path, index) => [`${index}.pdf`, host.origin + path]))
  const before = process.memoryUsage().rss
  for (const path of ['/declared.pdf', '/over.pdf', '/endless.pdf', '/bomb.pdf', '/brotli.pdf', '/lying.pdf'])
    expect(await refused(at(path)), path).toContain(`larger than the limit of ${MIB} bytes`)
  expect(await refused(at('/full.pdf', '/full.pdf', '/full.pdf', '/full.pdf'))).toContain(`limit of ${3 * MIB} bytes`)
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * MIB)
  await expect.poll(host.open, SOON).toBe(0)
  expect(sent).toBeLessThan(1000)
  expect((await ask(at('/full.pdf'))).body.response).toBe('Read')
})

test('files come as they are meant, whatever a host compressed them with', async () => {
  promise('C6')
  const plain = 'a,b\n1,2\n'.repeat(1000)
  const packed = gzipSync(plain)
  const host = await startFileHost({
    '/gzip.csv': page(packed, { 'content-encoding': 'gzip' }),
    '/deflate.csv': page(deflateSync(plain), { 'content-encoding': 'Deflate' }),
    '/br.csv': page(brotliCompressSync(plain), { 'content-encoding': 'br' }),
    '/zstd.csv': page(zstdCompressSync(plain), { 'content-encoding': 'zstd' }),
    '/identity.csv': page(plain, { 'content-encoding': 'identity' }),
    '/slow.csv': async (response) => {
      for (const char of plain.slice(0, 2000)) response.write(char)
      response.end(plain.slice(2000))
    },
    '/other.csv': page(plain, { 'content-encoding': 'gzip, br' }),
    '/broken.csv': page(packed.subarray(0, packed.length - 12), { 'content-encoding': 'gzip' }),
    '/not-packed.csv': page(plain, { 'content-encoding': 'gzip' }),
  })
  const { ask, refused, upstream } = await start({ trustedFileOrigins: [host.origin] })
  for (const name of ['other', 'broken', 'not-packed']) await refused({ 'a.csv': `${host.origin}/${name}.csv` })
  const names = ['gzip', 'deflate', 'br', 'zstd', 'identity', 'slow']
  const { body } = await ask(Object.fromEntries(names.map((name) => [`${name}.csv`, `${host.origin}/${name}.csv`])))
  expect(body.response, JSON.stringify(body)).toBe('Read')
  for (const { name, bytes } of upstream.files.stored.values()) expect(bytes.toString(), name).toBe(plain)
  expect(host.hits.every(({ headers }) => headers['accept-encoding'] === 'identity')).toBe(true)
})

test('what ends early is an error, never half a file', async () => {
  promise('C9')
  const host = await startFileHost({
    '/short.pdf': (response) => {
      response.writeHead(200, { 'content-length': 1000 })
      response.write(PDF, () => response.destroy())
    },
    '/chunks.pdf': (response) => {
      response.writeHead(200)
      response.write(PDF, () => response.destroy())
    },
    '/nothing.pdf': (response) => void response.destroy(),
  })
  const raw = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (data) => {
      const path = String(data).split(' ')[1]
      if (path === '/two.pdf') socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\nhello')
      else if (path === '/both.pdf')
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
      else if (path === '/headers.pdf') socket.end(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(200_000)}\r\n\r\nhello`)
      else if (path === '/negative.pdf') socket.end('HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello')
      else socket.end('hello\r\n\r\n')
    })
  })
  raw.listen(0, '127.0.0.1')
  await once(raw, 'listening')
  onTestFinished(() => void raw.close())
  const odd = `http://127.0.0.1:${(raw.address() as AddressInfo).port}`
  const { refused } = await start({ trustedFileOrigins: [host.origin, odd] })
  for (const path of ['/short.pdf', '/chunks.pdf', '/nothing.pdf'])
    expect(await refused({ 'a.pdf': host.origin + path }), path).toContain('could not be fetched from')
  for (const path of ['/two.pdf', '/both.pdf', '/headers.pdf', '/negative.pdf', '/nonsense.pdf'])
    expect(await refused({ 'a.pdf': odd + path }), path).toContain('could not be fetched from')
  await expect.poll(host.open, SOON).toBe(0)
})

test('a host that drips, or says nothing, is left when the time is up', async () => {
  promise('C9')
  const host = await startFileHost({
    '/drip.pdf': endless(Buffer.from('x'), 20),
    '/silent.pdf': silent,
    '/early.pdf': (response) => {
      const timer = setInterval(() => response.writeProcessing(), 20)
      response.once('close', () => clearInterval(timer))
    },
  })
  const { refused } = await start({ trustedFileOrigins: [host.origin], limits: { fileTimeoutMs: 300 } })
  for (const path of ['/drip.pdf', '/silent.pdf', '/early.pdf']) {
    const file_urls = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`${index}.pdf`, host.origin + path]))
    expect(await refused(file_urls)).toContain('longer than 300 ms')
    await expect.poll(host.open, SOON).toBe(0)
  }
})

test('the number of files is limited, and how many are fetched at once', async () => {
  promise('C6')
  const host = await startFileHost({ '/a.pdf': (response) => void setTimeout(() => response.end(PDF), 20) })
  const { ask, refused, upstream } = await start({ trustedFileOrigins: [host.origin] })
  const files = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}.pdf`, `${host.origin}/a.pdf`]))
  expect(await refused(files(21))).toContain('at most 20 files')
  expect(await refused(files(1000))).toContain('at most 20 files')
  expect(host.hits).toHaveLength(0)
  expect((await ask(files(20))).body.response).toBe('Read')
  expect(upstream.files.stored.size).toBe(20)
  expect(host.mostBusy()).toBeGreaterThan(1)
  expect(host.mostBusy()).toBeLessThanOrEqual(4)
})

test('the type comes from the name, the address or the content', async () => {
  promise('C8')
  const host = await startFileHost({
    '/photo': page(PNG),
    '/data.csv': page('a,b'),
    '/movie.mp4': page('film'),
    '/text': page('just words'),
    '/program': page(Buffer.from('7f454c4602010100', 'hex')),
    '/encoded%2Epdf': page(PDF),
  })
  const { ask, refused, upstream } = await start({ trustedFileOrigins: [host.origin] })
  expect(await refused({ 'film.mp4': `${host.origin}/data.csv` })).toContain(
    'Unsupported file extension: .mp4 for file film.mp4',
  )
  expect(await refused({ film: `${host.origin}/movie.mp4` })).toContain(
    'Unsupported file extension: .mp4 for file film',
  )
  expect(await refused({ 'a.go': `${host.origin}/data.csv` })).toContain('.go')
  expect(host.hits).toHaveLength(0)
  expect(await refused({ words: `${host.origin}/text` })).toContain(`No extension detected for ${host.origin}/text`)
  expect(await refused({ program: `${host.origin}/program` })).toMatch(
    /Unsupported file extension|No extension detected/,
  )
  await ask({
    photo: `${host.origin}/photo`,
    table: `${host.origin}/data.csv?x=.mp4#.go`,
    'sums.TXT': `${host.origin}/data.csv`,
    pdf: `${host.origin}/encoded%2Epdf`,
  })
  expect([...upstream.files.stored.values()].map(({ name }) => name.replace(/_[0-9a-f]{8}\./, '_*.')).sort()).toEqual([
    'pdf_*.pdf',
    'photo_*.png',
    'sums_*.txt',
    'table_*.csv',
  ])
})

test('names never become paths, headers or other keys', async () => {
  promise('C6')
  const host = await startFileHost({ '/a.pdf': page(PDF) })
  const { ask, refused, upstream, url: server } = await start({ trustedFileOrigins: [host.origin] })
  const url = `${host.origin}/a.pdf`
  for (const name of ['../a.pdf', 'a/b.pdf', '/etc/a.pdf', 'a\\b.pdf', 'C:a.pdf', '.', '..'])
    expect(await refused({ [name]: url }), name).toContain('must not contain path components')
  const names = {
    'a"\r\nX-Evil: 1\r\n\r\n.pdf': /^a___X-Evil: 1_____[0-9a-f]{8}\.pdf$/,
    [`${'long'.repeat(100)}.pdf`]: /^(long){12}lo_[0-9a-f]{8}\.pdf$/,
    'ünïcode 文件 🎉.pdf': /^ünïcode 文件 🎉_[0-9a-f]{8}\.pdf$/,
    '\ud800.pdf': /^\ufffd_[0-9a-f]{8}\.pdf$/,
    '.pdf': /^\.pdf_[0-9a-f]{8}\.pdf$/,
    '': /^file_[0-9a-f]{8}\.pdf$/,
    constructor: /^constructor_[0-9a-f]{8}\.pdf$/,
  }
  const { body } = await ask(Object.fromEntries(Object.keys(names).map((name) => [name, url])))
  expect(body.response, JSON.stringify(body)).toBe('Read')
  expect(Object.keys(body.file_ids_map)).toEqual(Object.keys(names))
  for (const pattern of Object.values(names)) expect(upstream.files.find(pattern), String(pattern)).toBeDefined()
  for (const { name, bytes, purpose } of upstream.files.stored.values()) {
    expect(name).not.toMatch(/[\r\n/\\]/)
    expect([bytes, purpose]).toEqual([PDF, 'assistants'])
  }
  const note: string = body.new_messages[0].content
  expect(Object.keys(JSON.parse(note.split('\n').at(-1) ?? ''))).toEqual(Object.keys(body.file_ids_map))
  expect(note).toMatch(/^[\x20-\x7e\n]*$/)
  const odd = await post(`${server}/solo/get_response`, `{"message":"Hi","file_urls":{"__proto__":"${url}"}}`)
  expect([odd.status, await odd.text()]).toEqual([422, expect.stringContaining('__proto__')])
})

/** A request whose client can hang up. */
function leaving(url: string, endpoint: string, file_urls: { [name: string]: string }) {
  const request = http.request(`${url}/solo/${endpoint}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
  })
  request.on('error', () => {})
  request.end(JSON.stringify({ message: 'Read', file_urls }))
  return () => request.destroy()
}

test.for(['get_response', 'get_response_stream'])(
  '%s: a client that leaves stops everything that is done for its files',
  async (endpoint) => {
    promise('B7')
    const host = await startFileHost({
      '/a.pdf': page(PDF),
      '/drip.pdf': endless(Buffer.from('x'), 5),
      '/silent.pdf': silent,
    })
    const { url, upstream } = await start({ trustedFileOrigins: [host.origin] })
    const { files, seen } = upstream
    for (const path of ['/drip.pdf', '/silent.pdf']) {
      const leave = leaving(url, endpoint, { 'a.pdf': `${host.origin}${path}`, 'b.pdf': `${host.origin}${path}` })
      await expect.poll(host.open, SOON).toBe(2)
      leave()
      await expect.poll(host.open, SOON).toBe(0)
    }
    expect(files.asked).toEqual([])

    files.fate = (name) => (name.startsWith('hang') ? 'hang' : 'keep')
    const file_urls = { 'a.pdf': `${host.origin}/a.pdf`, 'hang.pdf': `${host.origin}/a.pdf` }
    const leaveUpload = leaving(url, endpoint, file_urls)
    await expect.poll(() => [files.hanging(), files.stored.size], SOON).toEqual([1, 1])
    leaveUpload()
    await expect.poll(() => [files.hanging(), files.stored.size], SOON).toEqual([0, 0])

    files.status = () => 'uploaded'
    const leaveWaiting = leaving(url, endpoint, { 'wait.pdf': `${host.origin}/a.pdf` })
    await expect.poll(() => files.asked.filter(({ method }) => method === 'GET').length, SOON).toBeGreaterThan(1)
    leaveWaiting()
    await expect.poll(() => files.removed.length, SOON).toBe(2)
    expect(files.stored.size).toBe(0)
    expect(seen).toEqual([])
  },
)

test('a server that stops does not wait for files', async () => {
  promise('B7')
  const host = await startFileHost({ '/silent.pdf': silent })
  const { app, ask } = await start({ trustedFileOrigins: [host.origin] })
  const answer = ask({ 'a.pdf': `${host.origin}/silent.pdf` })
  await expect.poll(host.open, SOON).toBe(1)
  await app.close()
  expect(await answer).toEqual({ status: 503, body: { detail: expect.stringContaining('shutting down') } })
  expect(host.open()).toBe(0)
})
