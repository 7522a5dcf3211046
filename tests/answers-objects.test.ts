import { OpenAIChatCompletionsModel, OpenAIResponsesModel } from '@openai/agents'
import OpenAI from 'openai'
import { expect, test } from 'vitest'
import type { LanguageModel, ModelSpec, SdkModel } from '../src/index.ts'
import {
  type Answer,
  calls,
  chat,
  chunk,
  delta,
  type Json,
  response,
  setUp,
  startAnswers,
  text,
  weather,
  whole,
} from './support/answers.ts'

const usage = { inputTokens: { total: 3 }, outputTokens: { total: 2 } }

/** A language model of the AI SDK that answers with these parts, and then with "Done.". */
function languageModel(parts: Json[], finishReason: Json): LanguageModel {
  let asked = 0
  const done = [{ type: 'text', text: 'Done.' }]
  const next = () =>
    asked++ === 0 ? { content: parts, finishReason } : { content: done, finishReason: { unified: 'stop' } }
  return {
    specificationVersion: 'v4',
    provider: 'mine.chat',
    modelId: 'any',
    supportedUrls: {},
    doGenerate: async () => ({ ...next(), usage, warnings: [] }),
    async doStream() {
      const { content, finishReason: reason } = next()
      const streamed = content.flatMap((part: Json, index: number) =>
        part.type === 'text'
          ? [
              { type: 'text-start', id: `${index}` },
              { type: 'text-delta', id: `${index}`, delta: part.text },
            ]
          : part.type === 'tool-call'
            ? [{ type: 'tool-input-start', id: part.toolCallId, toolName: part.toolName }, part]
            : [part],
      )
      return { stream: ReadableStream.from([...streamed, { type: 'finish', finishReason: reason, usage }]) }
    },
  } as unknown as LanguageModel
}
const toolCall = (toolCallId: string, input: unknown) => ({
  type: 'tool-call',
  toolCallId,
  toolName: 'get_weather',
  input,
})

test('AI SDK calls run with repeated or empty ids or object input', async () => {
  for (const streamed of [true, false])
    for (const parts of [
      [toolCall('same', '{"city":"Paris"}'), toolCall('same', '{"city":"Rome"}')],
      [toolCall('', '{"city":"Paris"}'), toolCall('', '{"city":"Rome"}')],
      [toolCall('a', { city: 'Paris' }), toolCall('b', { city: 'Rome' })],
    ]) {
      const { ask, ran } = await setUp(languageModel(parts, { unified: 'tool-calls' }), [{}])
      const { items } = await ask(streamed)
      expect(ran).toEqual(['Paris', 'Rome'])
      const ids = items.filter(({ type }) => type === 'function_call').map(({ call_id }) => call_id)
      expect(new Set(ids.filter(Boolean)).size).toBe(2)
      expect(items.filter(({ type }) => type === 'function_call_output').map(({ call_id }) => call_id)).toEqual(ids)
    }
})

const REASONS: [finish: Json, text: string, expected: Json][] = [
  [{ unified: 'length', raw: 'max_tokens' }, 'half', { incomplete: { reason: 'max_output_tokens' } }],
  [{ unified: 'content-filter', raw: undefined }, 'half', { incomplete: { reason: 'content_filter' } }],
  [{ unified: 'stop', raw: 'pause_turn' }, 'half', { incomplete: { reason: 'pause_turn' } }],
  ['length', 'half', { incomplete: { reason: 'max_output_tokens' } }],
  [{ unified: 'other', raw: 'compaction' }, 'half', { incomplete: undefined, error: undefined }],
  [
    { unified: 'other', raw: 'UNEXPECTED_TOOL_CALL' },
    'half',
    { error: expect.stringContaining('unexpected_tool_call') },
  ],
  [{ unified: 'error', raw: undefined }, 'half', { error: expect.stringContaining('"error"') }],
  [{ unified: 'tool-calls', raw: 'tool_use' }, '', { error: expect.stringContaining('tool_use') }],
  [{ unified: 'content-filter', raw: 'SPII' }, '', { error: expect.stringContaining('content_filter') }],
  [{ unified: 'length', raw: undefined }, '', { error: expect.stringContaining('max_output_tokens') }],
]
test.each(REASONS)('an AI SDK model ends for the reason %j with the text "%s"', async (finish, said, expected) => {
  for (const streamed of [true, false]) {
    const parts = said === '' ? [] : [{ type: 'text', text: said }]
    const { ask } = await setUp(languageModel(parts, finish), [{}])
    expect(await ask(streamed)).toMatchObject(expected)
  }
})

/** Models of the Agents SDK over a provider that answers so. */
const SDK: [name: string, make: (client: OpenAI) => SdkModel, answer: Answer, expected: Json, plainError?: RegExp][] = [
  [
    'Chat Completions, cut',
    (client) => new OpenAIChatCompletionsModel(client, 'gpt-4.1'),
    chat('half', 'length'),
    { text: 'half', incomplete: { reason: 'max_output_tokens' } },
  ],
  [
    'Chat Completions, filtered',
    (client) => new OpenAIChatCompletionsModel(client, 'gpt-4.1'),
    chat('half', 'content_filter'),
    { text: 'half', incomplete: { reason: 'content_filter' } },
  ],
  [
    'Chat Completions, failed',
    (client) => new OpenAIChatCompletionsModel(client, 'gpt-4.1'),
    chat('half', 'error'),
    { error: expect.stringContaining('"error"') },
  ],
  [
    'Responses, cut',
    (client) => new OpenAIResponsesModel(client, 'gpt-4.1'),
    {
      events: [
        { type: 'response.created', response: response([], { status: 'in_progress' }) },
        delta('half'),
        {
          type: 'response.incomplete',
          response: response([text('half')], {
            status: 'incomplete',
            incomplete_details: { reason: 'max_output_tokens' },
          }),
        },
      ],
      json: response([text('half')], { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } }),
    },
    { text: 'half', incomplete: { reason: 'max_output_tokens' } },
    /response\.incomplete/, // its plain call throws and gives nothing away
  ],
]
test.each(SDK)(
  'a model of the Agents SDK is read by the same rules: %s',
  async (_name, make, answer, expected, plainError) => {
    const { url } = await startAnswers([answer])
    const model = make(new OpenAI({ apiKey: 'sk-own', baseURL: `${url}/v1`, maxRetries: 0 }))
    const { ask } = await setUp(model, [{}])
    expect(await ask(true)).toMatchObject(expected)
    expect(await ask(false)).toMatchObject(
      plainError === undefined ? expected : { error: expect.stringMatching(plainError) },
    )
  },
)

test('a call of an Agents SDK model that was cut does not run', async () => {
  const half = { id: 'a', ...weather('{"city":"Par') }
  const { url } = await startAnswers([
    { events: [calls({ index: 0, ...half }), chunk({}, 'length')], json: whole({ tool_calls: [half] }, 'length') },
    chat('Done.', 'stop'),
  ])
  const client = new OpenAI({ apiKey: 'sk-own', baseURL: `${url}/v1`, maxRetries: 0 })
  const { ask, ran } = await setUp(new OpenAIChatCompletionsModel(client, 'gpt-4.1'), [{}])
  const { text: said, items } = await ask(true)
  expect([said, ran]).toEqual(['Done.', []])
  expect(items.find(({ type }) => type === 'function_call_output').output).toMatch(/did not run/)
})

test('a Model of your own is read by the same rules', async () => {
  const cut = response([text('half')], { status: 'incomplete', incomplete_details: { reason: 'max_tokens' } })
  const own = {
    name: 'own',
    async *streamTurn() {
      yield { events: [delta('half'), { type: 'response.done', response: { ...cut, output: [] } }], bytes: 1 }
    },
    completeTurn: async () => cut,
  }
  const { ask } = await setUp(own as unknown as ModelSpec, [{}])
  for (const streamed of [true, false])
    expect(await ask(streamed)).toMatchObject({ text: 'half', incomplete: { reason: 'max_output_tokens' } })
})
