/** Hostile values in valid requests, and unexpected errors. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { Agency, Agent, tool } from '../src/index.ts'
import { Transcript } from '../src/runs/loop/transcript.ts'
import { promise } from './promises.ts'
import { post, refuseRejections, startServer, startWithHub, useUpstream } from './support/client.ts'
import { isWell, serveDemo } from './support/demo-server.ts'
import { exchange } from './support/raw.ts'

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
