/** Differences between providers of Chat Completions. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { StoredMessage } from '../src/index.ts'
import { allFrames, final, post } from './support/client.ts'
import { serveOne } from './support/one-agent.ts'
import { everyProviderAt, setEnv, startMock } from './support/providers.ts'

test('what Chat Completions providers do differently is minded', async () => {
  const reasoning = (fields: object) => ({ choices: [{ index: 0, delta: { role: 'assistant', ...fields } }] })
  const chunks = [
    reasoning({
      reasoning_content: 'Let me see.',
      reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'Let me ' }],
    }),
    reasoning({ reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'see.', signature: 's1' }] }),
    reasoning({ tool_calls: [{ index: 0, id: 'c1', function: { arguments: '{"wh' } }] }),
    reasoning({
      tool_calls: [
        {
          index: 0,
          function: { name: 'lookup', arguments: 'at":"a"}' },
          extra_content: { google: { thought_signature: 't1' } },
        },
      ],
    }),
    reasoning({ tool_calls: [{ index: 0, id: 'c2', function: { name: 'lookup', arguments: '{"what":"b"}' } }] }),
    {
      choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }],
      usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13, prompt_cache_hit_tokens: 5 },
    },
  ]
  const done = [
    {
      choices: [
        {
          index: 0,
          delta: {
            content: 'Fine',
            annotations: [
              {
                type: 'url_citation',
                url_citation: { url: 'https://a.example', title: 'A', start_index: 0, end_index: 4 },
              },
            ],
          },
          finish_reason: 'stop',
        },
      ],
    },
  ]
  const { url, seen } = await startMock([], (_call, response, index) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(
      [...(index % 2 === 0 ? chunks : done).map((chunk) => JSON.stringify({ id: 'gen-1', ...chunk })), '[DONE]']
        .map((data) => `data: ${data}\n\n`)
        .join(''),
    )
    return true
  })
  everyProviderAt(url)
  setEnv(
    Object.fromEntries(
      ['DEEPSEEK', 'MISTRAL'].flatMap((name) => [
        [`${name}_API_BASE`, `${url}/v1`],
        [`${name}_API_KEY`, 'k'],
      ]),
    ),
  )
  const run = async (model: string) => {
    const { stream } = await serveOne(model, { outputType: undefined })
    const frames = await allFrames(stream, { message: 'Hi' })
    return { sent: seen.splice(0).map(({ body }) => body), ...final(frames) }
  }
  const router = await run('openrouter/some/model')
  expect(router.new_messages.map((item: StoredMessage) => item.type)).toEqual([
    'message',
    'reasoning',
    'function_call',
    'function_call',
    'function_call_output',
    'function_call_output',
    'message',
  ])
  expect(router.usage).toMatchObject({ cached_tokens: 5 })
  expect(router.new_messages.at(-1).content[0].annotations).toMatchObject([
    { type: 'url_citation', url: 'https://a.example' },
  ])
  expect(router.sent[0]).toMatchObject({ stream_options: { include_usage: true } })
  expect(router.sent[1].messages[2]).toMatchObject({
    role: 'assistant',
    reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'Let me see.', signature: 's1' }],
    tool_calls: [
      {
        id: 'c1',
        function: { name: 'lookup', arguments: '{"what":"a"}' },
        extra_content: { google: { thought_signature: 't1' } },
      },
      { id: 'c2', function: { name: 'lookup', arguments: '{"what":"b"}' } },
    ],
  })
  const deep = await run('deepseek/deepseek-chat')
  expect(deep.sent[1].messages[2]).toMatchObject({ reasoning_content: 'Let me see.' })
  expect(deep.sent[1].messages[2]).not.toHaveProperty('reasoning_details')
  const mistral = await run('mistral/mistral-large')
  expect(mistral.sent[0]).not.toHaveProperty('stream_options')
  expect(JSON.stringify(mistral.sent[1].messages)).not.toContain('reasoning_')
})

test('a provider without schemas gets the schema in words', async () => {
  const { url, seen } = await startMock([{ match: {}, response: { content: '{"ok":true}' } }])
  everyProviderAt(url)
  setEnv({ DEEPSEEK_API_BASE: `${url}/v1`, DEEPSEEK_API_KEY: 'k' })
  const { plain } = await serveOne('deepseek/deepseek-chat', { outputType: z.object({ ok: z.boolean() }) })
  expect(await (await post(plain, { message: 'Hi' })).json()).toMatchObject({ response: { ok: true } })
  expect(seen[0]?.body.response_format).toEqual({ type: 'json_object' })
  expect(seen[0]?.body.messages[0].content).toMatch(/^Help\.\n\nAnswer with a JSON object .*"ok"/s)
})
