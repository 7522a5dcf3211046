import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, tool } from '../src/index.ts'
import { Transcript } from '../src/runs/loop/transcript.ts'
import { promise } from './promises.ts'

import { post, refuseRejections, startServer, startWithHub, useUpstream } from './support/client.ts'
import { memoryInUse } from './support/memory.ts'

import { bodyOf, exchange, open, statusOf, toRequest } from './support/raw.ts'

const RUNS = { numRuns: 60, interruptAfterTimeLimit: 8_000, markInterruptAsFailure: false }

async function serveDemo() {
  refuseRejections()
  const echo = tool({ name: 'echo', parameters: z.object({ text: z.string() }), execute: ({ text }) => text })
  const loose = tool({
    name: 'loose',
    parameters: {
      type: 'object',
      properties: { a: { type: 'integer' }, b: { type: 'array', items: { type: 'object' } } },
    },
    execute: (input) => JSON.stringify(input),
  })
  const agent = new Agent({ name: 'Assistant', model: 'demo', tools: [echo, loose] })
  const real = new Agent({ name: 'Assistant', model: 'gpt-4.1' })
  const { url } = await startServer({
    agencies: { solo: new Agency(agent), real: new Agency(real) },
    tools: [echo, loose],
    enableLogging: false,
    keyPerRequest: true,
  })
  return url
}
const PATHS = [
  '/solo/get_response',
  '/solo/get_response_stream',
  '/solo/cancel_response_stream',
  '/tool/echo',
  '/tool/loose',
]

/** An answer that the server gives on purpose: not a 5xx, and JSON where it refuses. */
function expectAnswer(answer: string, label: string): void {
  if (answer === '') return // a closed connection
  const status = statusOf(answer)
  expect(status, label).toBeGreaterThanOrEqual(200)
  expect(status, `${label}\n${answer.slice(0, 500)}`).toBeLessThan(500)
  if (status >= 400 && /content-type: application\/json/i.test(answer) && /content-length/i.test(answer))
    expect(() => JSON.parse(bodyOf(answer)), label).not.toThrow()
}
const isWell = async (url: string) => expect((await fetch(`${url}/healthz`)).status).toBe(200)

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

test('texts made to make searching slow are answered as fast as others', async () => {
  const url = await serveDemo()
  const many = (text: string) => text.repeat(Math.ceil(300_000 / text.length))
  const texts = ['“', '"', "'", ' ', '\n', 'A', 'A ', '1', '1.', '-', '/', '\\', '__proto__', '\u0000', '[{', 'a@', 'é']
  const started = performance.now()
  await Promise.all(
    texts.map(async (text) => {
      const message = many(text)
      const answer = await post(`${url}/solo/get_response`, { message, user_context: { key: message } })
      expect(answer.status, text).toBe(200)
      await answer.text()
      expect((await post(`${url}/tool/echo`, { text: message })).status).toBe(200)
    }),
  )
  for (const path of [`/${'/'.repeat(8_000)}x`, `/solo/get_metadata${'/'.repeat(8_000)}`, `/${'%2f'.repeat(2_600)}`])
    for (let count = 0; count < 5; count++)
      expect(
        (await exchange(url, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)).length,
      ).toBeGreaterThan(0)
  expect(performance.now() - started).toBeLessThan(15_000) // seconds, not minutes
}, 30_000)

test('the key __proto__ is rejected at any depth, in any spelling', async () => {
  promise('C12')
  await useUpstream((_body, index) =>
    index % 2 === 0 ? { calls: [{ name: 'peek', arguments: {} }] } : { text: 'Done' },
  )
  const seen: unknown[] = []
  const peek = tool({
    name: 'peek',
    execute: (_input, context) => {
      seen.push(
        context.get('polluted'),
        context.get('constructor'),
        context.get('toString'),
        ({} as { polluted?: unknown }).polluted,
      )
      return 'ok'
    },
  })
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [peek] })) },
  })
  const evil = '{"polluted":true}'
  for (const key of ['"__proto__"', '"\\u005f_proto__"', '"__pr\\u006Fto\\u005F_" '])
    for (const body of [
      `{"message":"x",${key}:${evil}}`,
      `{"message":"x","user_context":{${key}:${evil}}}`,
      `{"message":"x","user_context":{"a":[[{"b":{${key} :${evil}}}]]}}`,
      `{"message":[{"role":"user","content":"x",${key}:${evil}}]}`,
      `{"message":"x","chat_history":[{"role":"user","content":[{${key}:${evil}}]}]}`,
      `{"message":"x","client_config":{"default_headers":{${key}:"x"}}}`,
      `{"message":"x","client_config":{"model_settings_extra_args":{${key}:${evil}}}}`,
    ])
      expect((await post(`${url}/solo/get_response`, body)).status, body).toBe(422)
  const plain = { constructor: { prototype: { polluted: true } }, toString: 'text', prototype: 1 }
  const answer = await post(`${url}/solo/get_response`, { message: 'say "__proto__": or \\u005f', user_context: plain })
  expect(answer.status).toBe(200)
  expect(seen).toEqual([undefined, plain.constructor, 'text', undefined])
  expect(Object.keys(Object.prototype)).toEqual([])
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

test('client_config is checked before use', async () => {
  promise('C13', 'C18')
  const { url } = await startServer({
    agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' })) },
    keyPerRequest: true,
  })
  const refused: object[] = [
    ...[
      'ftp://a.example/v1',
      'file:///etc/passwd',
      'javascript:alert(1)',
      'http://',
      'http://user:pw@a.example/v1',
      'a.example/v1',
      'https://a.example:99999',
      '//a.example',
      'https://a b.example',
      '\u0000',
      '',
    ].map((base_url) => ({ base_url })),
    ...[
      'http://127.0.0.1:1/v1',
      'http://localhost:1',
      'http://[::1]:1',
      'http://2130706433/',
      'http://0x7f.1/',
      'http://169.254.169.254/latest',
    ].map((base_url) => ({ base_url, api_key: 'sk-x' })),
    ...['with space', 'line\nend', 'naïve', '\u0000', 'x'.repeat(9_000)].map((api_key) => ({ api_key })),
    ...[
      'Host',
      'connection',
      'Content-Length',
      'Transfer-Encoding',
      'TE',
      'Trailer',
      'Upgrade',
      'Expect',
      'Keep-Alive',
      'Via',
      'Proxy-Authorization',
      'Content-Type',
      'Accept-Encoding',
      'a b',
      'a:b',
      '',
      'ü',
      'a\r\nb',
    ].map((name) => ({ api_key: 'sk-x', default_headers: { [name]: 'value' } })),
    ...['a\r\nX-Evil: 1', 'a\nb', 'a\u0000b', '\u2028', 'x'.repeat(9_000)].map((value) => ({
      api_key: 'sk-x',
      default_headers: { 'X-A': value },
    })),
    { api_key: 'sk-x', default_headers: { 'X-A': 5 } },
    {
      api_key: 'sk-x',
      default_headers: Object.fromEntries(Array.from({ length: 1_001 }, (_, index) => [`x-${index}`, 'v'])),
    },
    { litellm_keys: { openai: 'line\nend' } },
  ]
  for (const client_config of refused) {
    const answer = await post(`${url}/solo/get_response`, { message: 'x', client_config })
    const text = await answer.text()
    expect(answer.status, JSON.stringify(client_config).slice(0, 200)).toBe(422)
    expect(text.length).toBeLessThan(2_000)
    for (const secret of ['with space', 'line\\nend', 'X-Evil', 'user:pw']) expect(text).not.toContain(secret)
  }
})

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

test('values without a text form only fail their own request', async () => {
  promise('C18')
  await useUpstream(() => ({ text: 'Hi' }))
  const url = await serveDemo()
  const odd = { toString: 1 }
  const user = { role: 'user', content: 'x' }
  const bodies = [
    {
      message: [
        { type: 'reasoning', id: 'r' },
        { ...user, type: odd },
      ],
    },
    { message: 'x', chat_history: [{ type: 'reasoning' }, { type: odd }] },
    { message: 'x', chat_history: [{ ...user, message_origin: odd }] },
    { message: 'x', chat_history: [{ ...user, message_origin: odd }, user] },
    { message: 'x', chat_history: [{ ...user, message_origin: ['handoff_reminder'] }, user] },
  ]
  for (const agency of ['solo', 'real'])
    for (const endpoint of ['get_response', 'get_response_stream'])
      for (const body of bodies) {
        const answer = await post(`${url}/${agency}/${endpoint}`, body)
        const text = await answer.text()
        expect(answer.status, `${JSON.stringify(body)} ${text}`).toBeLessThan(500)
        if (answer.ok && endpoint === 'get_response_stream') expect(text).toMatch(/\nevent: end\n/)
      }
  await isWell(url)
})

test('what is thrown and has no text ends its own run, in words', async () => {
  promise('C18')
  const thrown = [Object.create(null), { toString: 1 }, Object.assign(new Error(), { message: Object.create(null) })]
  const itself = new Error('its own cause')
  itself.cause = itself
  const agencies = Object.fromEntries(
    [...thrown, itself].map((value, index) => {
      const onAgentStart = () => {
        throw value
      }
      return [`thrown${index}`, new Agency(new Agent({ name: 'Assistant', model: 'demo', hooks: { onAgentStart } }))]
    }),
  )
  const logged: string[] = []
  const note = (_: object, message: string) => void logged.push(message)
  const { url } = await startServer({ agencies, logger: { info: () => {}, warn: note, error: note } })
  for (const name of Object.keys(agencies)) {
    expect((await post(`${url}/${name}/get_response`, { message: 'x' })).status).toBe(500)
    const told = await (await post(`${url}/${name}/get_response_stream`, { message: 'x' })).text()
    expect(told).toMatch(/event: messages\n.*\n\nevent: end\n/)
  }
  expect(logged.filter((line) => line.includes('an error without a text'))).toHaveLength(2 * thrown.length)
  await isWell(url)
})

test('an unexpected fault ends its run only, with a proper answer', async () => {
  promise('C18')
  refuseRejections()
  const logged: string[] = []
  const note = (_: object, message: string) => void logged.push(message)
  const { url, hub } = await startWithHub({
    agencies: { solo: new Agency(new Agent({ name: 'Assistant', model: 'demo' })) },
    logger: { info: () => {}, warn: note, error: note },
  })
  const fault = vi.spyOn(Transcript.prototype, 'newMessages').mockImplementation(() => {
    throw new Error('an inner fault')
  })
  onTestFinished(() => fault.mockRestore())
  const plain = await post(`${url}/solo/get_response`, { message: 'x' })
  const failure = 'The run of agent Assistant failed (cause: InternalError).'
  expect([plain.status, await plain.json()]).toEqual([500, { error: failure }])
  const told = await (await post(`${url}/solo/get_response_stream`, { message: 'x' })).text()
  expect(told).toContain(failure)
  expect(told).toMatch(/event: messages\n.*\n\nevent: end\n/)
  expect(told).not.toContain('an inner fault')
  expect(logged.filter((line) => line.includes('an inner fault'))).toHaveLength(2)
  await expect.poll(() => hub.size).toBe(0)
  fault.mockRestore()
  expect((await post(`${url}/solo/get_response`, { message: 'x' })).status).toBe(200)
})
