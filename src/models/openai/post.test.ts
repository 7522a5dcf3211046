import OpenAI from 'openai'
import { expect, test, vi } from 'vitest'
import { ModelTimeout } from '../../base/model-errors.ts'
import { postLike } from './post.ts'

type Asked = { url: string; init: RequestInit }

/** A way to the API whose answers are these, in turn; what was asked stands in `asked`. */
function way(...answers: (Response | Error)[]) {
  const client = new OpenAI({ apiKey: 'sk-own', baseURL: 'https://api.example/v1', defaultHeaders: { 'X-Team': 'a' } })
  const build = vi.spyOn(client, 'buildRequest')
  const asked: Asked[] = []
  const fetch = async (url: string | URL | Request, init: RequestInit = {}) => {
    asked.push({ url: String(url), init })
    const next = answers.shift() ?? Response.json({})
    if (next instanceof Error) throw next
    return next
  }
  const post = postLike(async () => client, fetch)
  const headersOf = (index: number) => asked[index]?.init.headers as { [name: string]: string }
  return { post, asked, build, headersOf }
}
const { signal } = new AbortController()

test('the client prepares each path once, each request has its body', async () => {
  const { post, asked, build, headersOf } = way()
  await Promise.all([post('/responses', { a: 1 }, { signal }), post('/responses', { a: 2 }, { signal })])
  await post('/chat/completions', { a: 3 }, { signal })
  expect(build).toHaveBeenCalledTimes(2)
  expect(asked.map(({ url, init }) => [url, init.body])).toEqual([
    ['https://api.example/v1/responses', '{"a":1}'],
    ['https://api.example/v1/responses', '{"a":2}'],
    ['https://api.example/v1/chat/completions', '{"a":3}'],
  ])
  expect(headersOf(1)).toMatchObject({
    authorization: 'Bearer sk-own',
    'content-type': 'application/json',
    'x-team': 'a',
  })
})

test("a request's headers override, in any spelling, and stay its own", async () => {
  const { post, headersOf } = way()
  const headers = { 'X-TEAM': 'b', Authorization: null, 'X-Trace': undefined, 'X-More': '1' } as never
  await post('/responses', {}, { signal, headers })
  await post('/responses', {}, { signal })
  expect(headersOf(0)).toMatchObject({ 'x-team': 'b', 'x-more': '1' })
  for (const name of ['authorization', 'x-trace', 'X-TEAM']) expect(headersOf(0)).not.toHaveProperty(name)
  expect(headersOf(1)).toMatchObject({ 'x-team': 'a', authorization: 'Bearer sk-own' })
})

test("failed requests throw the client's errors and are not cached", async () => {
  const refused = Response.json({ error: { message: 'slow down' } }, { status: 429, headers: { 'retry-after': '3' } })
  const late = new ModelTimeout('headers', 'late')
  const { post, build } = way(refused, new Response('<html>', { status: 502 }), new Error('reset'), late)
  build.mockRejectedValueOnce(new Error('not yet'))
  await expect(post('/responses', {}, { signal })).rejects.toThrow('not yet')
  const ask = () => post('/responses', {}, { signal })
  await expect(ask()).rejects.toMatchObject({
    constructor: OpenAI.RateLimitError,
    status: 429,
    message: '429 slow down',
  })
  await expect(ask()).rejects.toMatchObject({ constructor: OpenAI.InternalServerError, message: '502 <html>' })
  await expect(ask()).rejects.toMatchObject({ constructor: OpenAI.APIConnectionError, cause: { message: 'reset' } })
  await expect(ask()).rejects.toBeInstanceOf(OpenAI.APIConnectionTimeoutError)
})
