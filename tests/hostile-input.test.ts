/** Hostile bytes: framing, paths, encodings and bodies. */
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Agency, Agent } from '../src/index.ts'
import { promise } from './promises.ts'
import { post, startServer } from './support/client.ts'
import { expectAnswer, isWell, PATHS, serveDemo } from './support/demo-server.ts'
import { memoryInUse } from './support/memory.ts'
import { bodyOf, exchange, open, statusOf, toRequest } from './support/raw.ts'

const RUNS = { numRuns: 60, interruptAfterTimeLimit: 8_000, markInterruptAsFailure: false }

test('arbitrary bytes get an answer or a closed connection', async () => {
  const url = await serveDemo()
  const good = toRequest('/solo/get_response', '{"message":"Hi"}').toString('latin1')
  const almost = fc
    .record({ at: fc.nat(good.length - 1), cut: fc.nat(20), put: fc.string({ unit: 'binary', maxLength: 12 }) })
    .map(({ at, cut, put }) => good.slice(0, at) + put + good.slice(at + cut))
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), almost), async (text) => {
      const { socket, closed, text: received } = open(url)
      socket.end(Buffer.from(text, 'latin1')) // what was begun and cannot be completed is closed at its end
      await closed
      expectAnswer(received(), JSON.stringify(text))
    }),
    RUNS,
  )
  await isWell(url)
}, 20_000)

test('arbitrary JSON in any field never causes a 5xx', async () => {
  promise('C18')
  const url = await serveDemo()
  const key = fc.oneof(
    fc.constantFrom(
      '__proto__',
      'constructor',
      'prototype',
      'toString',
      'hasOwnProperty',
      'length',
      'role',
      'type',
      'content',
    ),
    fc.string({ unit: 'binary', maxLength: 8 }),
  )
  const text = fc.oneof(
    fc.constantFrom(
      '\u0000',
      '\ud800',
      '\u2028',
      'event: end\ndata: [DONE]\n\n',
      '$' + '{a}',
      '../../etc/passwd',
      'user',
      'Assistant',
    ),
    fc.string({ unit: 'binary', maxLength: 30 }),
  )
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    ),
  }))
  const items = fc.array(
    fc.record(
      {
        type: value,
        role: value,
        content: value,
        call_id: value,
        name: value,
        arguments: value,
        agent: text,
        callerAgent: value,
      },
      { requiredKeys: [] },
    ),
    { maxLength: 5 },
  )
  const config = fc.record(
    { base_url: value, api_key: value, default_headers: value, litellm_keys: value, model_settings_extra_args: value },
    { requiredKeys: [] },
  )
  const body = fc.oneof(
    value,
    fc.record(
      {
        message: fc.oneof(text, items, value),
        chat_history: fc.oneof(items, value),
        recipient_agent: fc.oneof(fc.constant('Assistant'), value),
        additional_instructions: value,
        user_context: value,
        file_ids: value,
        file_urls: value,
        generate_chat_name: value,
        client_config: fc.oneof(config, value),
        run_id: value,
        cancel_mode: value,
        text: value,
        a: value,
        b: value,
      },
      { requiredKeys: ['message'] },
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PATHS), body, async (path, sent) => {
      const answer = await post(`${url}${path}`, JSON.stringify(sent) ?? 'null')
      const label = `${path} ${JSON.stringify(sent)}\n${answer.status}`
      const told = await answer.text()
      expect(answer.status, `${label} ${told.slice(0, 500)}`).toBeLessThan(500)
      if (answer.headers.get('content-type')?.startsWith('text/event-stream')) {
        for (const line of told.split('\n')) expect(line, label).toMatch(/^((event|data): .*|: .*)?$/)
        expect(told.match(/^event: end$/gm), label).toHaveLength(1)
      } else expect(() => JSON.parse(told), label).not.toThrow()
      expect(Object.keys(Object.prototype)).toEqual([])
    }),
    { ...RUNS, numRuns: 300 },
  )
  await isWell(url)
}, 30_000)

test('unusual texts, charsets and encodings are parsed or rejected', async () => {
  promise('C18')
  const url = await serveDemo()
  const send = async (body: string | Buffer, headers: Record<string, string> = {}) => {
    const answer = await exchange(url, toRequest('/solo/get_response', body, headers))
    return { status: statusOf(answer), body: bodyOf(answer) }
  }
  const hi = '{"message":"Hi"}'
  const cases: [label: string, body: string | Buffer, headers: Record<string, string>, status: number][] = [
    ['plain', hi, {}, 200],
    ['a byte order mark', `\ufeff${hi}`, {}, 200],
    ['a suffix type', hi, { 'Content-Type': 'application/vnd.api+json; charset="UTF-8"' }, 200],
    ['NUL, lone surrogates and line ends in text', JSON.stringify({ message: '\u0000\ud800\u2028\u0085' }), {}, 200],
    [
      'huge and tiny numbers',
      '{"message":"Hi","user_context":{"a":1e999,"b":-1e-999,"c":123456789012345678901234567890}}',
      {},
      200,
    ],
    ['a repeated key', '{"message":5,"message":"Hi"}', {}, 200],
    ['NaN', '{"message":"Hi","user_context":{"a":NaN}}', {}, 422],
    ['Infinity', '{"message":"Hi","user_context":{"a":-Infinity}}', {}, 422],
    ['comments', '{"message":"Hi" /* there */}', {}, 422],
    ['single quotes', "{'message':'Hi'}", {}, 422],
    ['a trailing comma', '{"message":"Hi",}', {}, 422],
    ['two documents', `${hi}${hi}`, {}, 422],
    ['an open string', '{"message":"Hi', {}, 422],
    ['nothing', '', {}, 422],
    ['a list, a number, a text, null', '[]', {}, 422],
    ['UTF-16', Buffer.from(`\ufeff${hi}`, 'utf16le'), {}, 422],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]), {}, 422],
    ['another charset', hi, { 'Content-Type': 'application/json; charset=utf-16' }, 415],
    ['a form', 'message=Hi', { 'Content-Type': 'application/x-www-form-urlencoded' }, 422],
    ['an upload', hi, { 'Content-Type': 'multipart/form-data; boundary=x' }, 422],
    ['text', hi, { 'Content-Type': 'text/plain' }, 422],
    ['something that only begins like JSON', hi, { 'Content-Type': 'application/jsonp' }, 422],
    ['no type', hi, { 'Content-Type': '' }, 415],
    ['gzip', gzipSync(hi), { 'Content-Encoding': 'gzip' }, 415],
    ['a claim of gzip', hi, { 'Content-Encoding': 'gzip, identity' }, 415],
    ['brotli and others', hi, { 'Content-Encoding': 'br' }, 415],
    ['identity', hi, { 'Content-Encoding': 'identity' }, 200],
  ]
  for (const [label, body, headers, status] of cases) {
    const answer = await send(body, headers)
    expect(answer.status, `${label}: ${answer.body}`).toBe(status)
    expect(JSON.parse(answer.body), label).toEqual(
      expect.objectContaining({ [status === 200 ? 'response' : 'detail']: expect.anything() }),
    )
    expect(answer.body.length, label).toBeLessThan(3_000)
  }
  await isWell(url)
})

test('a body that would grow without end gets a small error at once', async () => {
  const url = await serveDemo()
  const bombs = {
    lists: '['.repeat(5_000_000),
    objects: '{"a":'.repeat(1_000_000),
    values: `{"message":"x","user_context":[${'[],'.repeat(3_000_000)}[]]}`,
    keys: `{"message":"x","user_context":{${Array.from({ length: 200_000 }, (_, index) => `"${index}":1`).join()}}}`,
    closers: `${']:'.repeat(2_000_000)}`,
    issues: `{"message":"x","file_ids":[${'1,'.repeat(300_000)}1]}`,
    headers: JSON.stringify({
      message: 'x',
      client_config: {
        default_headers: Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`h${index}`, 1])),
      },
    }),
    'a large wrong value': JSON.stringify({ message: { x: 'y'.repeat(3_000_000) } }),
    'a large missing one': JSON.stringify({ other: 'y'.repeat(3_000_000) }),
    'a long key': JSON.stringify({ message: 'x', client_config: { default_headers: { ['k '.repeat(500_000)]: 'v' } } }),
    'a long address': JSON.stringify({
      message: 'x',
      client_config: { base_url: `http://${'a'.repeat(100_000)}.example` },
    }),
    'a wrong tool body': JSON.stringify({ text: 5, more: 'y'.repeat(3_000_000) }),
  }
  for (const [label, body] of Object.entries(bombs)) {
    const answer = await post(`${url}${label.includes('tool') ? '/tool/echo' : '/solo/get_response'}`, body)
    expect(answer.status, label).toBe(422)
    expect((await answer.text()).length, label).toBeLessThan(20_000)
  }
  await isWell(url)
})

test('ambiguous framing is rejected and closes the connection', async () => {
  const url = await serveDemo()
  const smuggled = 'GET /solo/get_metadata HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const head = (lines: string) =>
    `POST /solo/get_response HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${lines}\r\n`
  const broken = {
    'length and chunks': `${head('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n')}0\r\n\r\n${smuggled}`,
    'two lengths': `${head('Content-Length: 5\r\nContent-Length: 6\r\n')}hello${smuggled}`,
    'a list of lengths': `${head('Content-Length: 5, 6\r\n')}hello${smuggled}`,
    'a negative length': head('Content-Length: -1\r\n') + smuggled,
    'a length with a sign': `${head('Content-Length: +5\r\n')}hello${smuggled}`,
    'a length in hex': head('Content-Length: 0x10\r\n') + smuggled,
    'a length beyond all numbers': head('Content-Length: 99999999999999999999999\r\n') + smuggled,
    'a bad chunk': `${head('Transfer-Encoding: chunked\r\n')}zz\r\n{}\r\n0\r\n\r\n${smuggled}`,
    'a chunk that lies': `${head('Transfer-Encoding: chunked\r\n')}1\r\n{}\r\n0\r\n\r\n${smuggled}`,
    'chunks not last': `${head('Transfer-Encoding: chunked, gzip\r\n')}0\r\n\r\n${smuggled}`,
    'an unknown coding': `${head('Transfer-Encoding: xchunked\r\n')}0\r\n\r\n${smuggled}`,
    'a space before the colon': `${head('Content-Length : 5\r\n')}hello${smuggled}`,
    'a folded header': `${head('X-A: a\r\n b\r\nContent-Length: 2\r\n')}{}${smuggled}`,
    'a NUL in a header': head('X-A: a\u0000b\r\n') + smuggled,
    'a bare line feed': 'POST /solo/get_response HTTP/1.1\nHost: x\n\n',
    'no host': 'GET /healthz HTTP/1.1\r\n\r\n',
    'two hosts': 'GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    'HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    TLS: '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
    'a lower-case method': 'get /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n',
    CONNECT: 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n',
  }
  for (const [label, bytes] of Object.entries(broken)) {
    const { socket, closed, text } = open(url)
    socket.end(Buffer.from(bytes, 'latin1'))
    await closed
    const answers = text().match(/^HTTP\/1\.1 \d+/gm) ?? []
    if (label !== 'two hosts') expect(answers.join(), label).toMatch(/^(HTTP\/1\.1 (4\d\d|501))?$/)
    expect(text(), label).not.toContain('Assistant')
  }
  await isWell(url)
})

test('every path leads to a route, to 404 or to 400', async () => {
  const url = await serveDemo()
  const part = fc.oneof(
    fc.constantFrom(
      'solo',
      'get_metadata',
      '..',
      '.',
      '%2e%2e',
      '%2f',
      '%5c',
      '%00',
      '%ff',
      '%zz',
      '%',
      ';',
      ':',
      '*',
      ':a(',
      '__proto__',
      'constructor',
      'docs',
      'swagger-ui.css',
      'tool',
      '',
    ),
    fc.string({ maxLength: 6 }).map(encodeURI),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE'),
      fc.array(part, { maxLength: 6 }),
      async (method, parts) => {
        const path = `/${parts.join('/')}`.replace(/[^\x21-\x7e]/g, '')
        const answer = await exchange(url, `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
        expect(statusOf(answer), `${method} ${path}`).toBeGreaterThanOrEqual(200)
        expect(statusOf(answer), `${method} ${path}`).toBeLessThan(500)
        expect(answer).not.toContain('root:x:0')
      },
    ),
    RUNS,
  )
  await isWell(url)
}, 20_000)

test('a body that arrives byte by byte takes no more room than it is worth', async () => {
  promise('D6')
  const { url } = await startServer({ agencies: { team: new Agency(new Agent({ name: 'A', model: 'demo' })) } })
  const { socket, closed } = open(url)
  const bytes = 400_000
  socket.write(
    'POST /team/get_response HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
  )
  const before = await memoryInUse()
  for (let sent = 0; sent < bytes; sent += 10_000)
    await new Promise<void>((resolve) => socket.write('1\r\n \r\n'.repeat(10_000), () => resolve()))
  await fetch(`${url}/healthz`) // by now the server has read them
  expect((await memoryInUse()) - before).toBeLessThan(60 * 1024 * 1024)
  socket.destroy()
  await closed
})
