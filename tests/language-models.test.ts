/** Language models of the AI SDK that users pass in. */
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { LanguageModel } from '../src/index.ts'
import { allFrames, final, post } from './support/client.ts'
import { errorOf, rawEvents, serveOne } from './support/one-agent.ts'

/** A language model of the AI SDK that says these parts. */
const scripted = (parts: object[], result: object = {}): LanguageModel => ({
  specificationVersion: 'v4',
  provider: 'scripted.chat',
  modelId: 'one',
  doStream: async () => ({ stream: ReadableStream.from(parts) }),
  doGenerate: async () => ({ content: [], usage: {}, ...result }),
})

const finish = {
  type: 'finish',
  finishReason: { unified: 'stop' },
  usage: { inputTokens: { total: 3 }, outputTokens: { total: 4, reasoning: 2 } },
}

test('sources, images and provider-run calls find their place', async () => {
  const source = { type: 'source', sourceType: 'url', id: 's1', url: 'https://a.example', title: 'A' }
  const document = {
    type: 'source',
    sourceType: 'document',
    id: 'd1',
    title: 'Doc',
    mediaType: 'application/pdf',
    filename: 'd.pdf',
  }
  const parts = [
    { type: 'stream-start', warnings: [] },
    { type: 'response-metadata', id: 'resp-1' },
    { type: 'tool-input-start', id: 'p1', toolName: 'web_search', providerExecuted: true },
    { type: 'tool-call', toolCallId: 'p1', toolName: 'web_search', input: '{}', providerExecuted: true },
    { type: 'tool-result', toolCallId: 'p1', toolName: 'web_search', result: {} },
    source,
    { type: 'text-start', id: 't1' },
    { type: 'text-delta', id: 't1', delta: 'Before. ' },
    { type: 'text-end', id: 't1' },
    { type: 'text-start', id: 't2' },
    { type: 'text-delta', id: 't2', delta: 'Cited.' },
    {
      type: 'text-end',
      id: 't2',
      citations: [{ source: document, startIndex: 0, endIndex: 5 }],
      providerMetadata: { scripted: { mark: 1 } },
    },
    { type: 'file', mediaType: 'image/png', data: { type: 'data', data: new Uint8Array([1, 2, 3]) } },
    { type: 'file', mediaType: 'audio/wav', data: { type: 'data', data: 'AAAA' } },
    finish,
  ]
  const { stream } = await serveOne(scripted(parts))
  const frames = await allFrames(stream, { message: 'Hi' })
  const { new_messages, usage } = final(frames)
  expect(new_messages.slice(1)).toMatchObject([
    {
      type: 'message',
      content: [
        {
          text: 'Before. Cited.',
          annotations: [
            { type: 'file_citation', file_id: 'd1', filename: 'd.pdf', index: 13 },
            { type: 'url_citation', url: 'https://a.example', title: 'A', start_index: 14, end_index: 14 },
          ],
        },
      ],
      provider_data: { model: 'scripted/one', response_id: 'resp-1', provider_metadata: { scripted: { mark: 1 } } },
    },
    { type: 'image_generation_call', status: 'completed', result: 'AQID' },
  ])
  expect(rawEvents(frames).filter((event) => event.type === 'response.output_text.annotation.added')).toHaveLength(2)
  expect(usage).toMatchObject({ input_tokens: 3, output_tokens: 4, reasoning_tokens: 2 })
  const chosen = scripted([], {
    content: [{ type: 'text', text: 'A draft' }],
    structuredOutputText: '{"ok":true}',
    ...finish,
  })
  const { plain } = await serveOne(chosen, { outputType: z.object({ ok: z.boolean() }) })
  expect(await (await post(plain, { message: 'Hi' })).json()).toMatchObject({ response: { ok: true } })
})

test('an error without a text is a failure of the model', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
  for (const [error, words] of [
    [{ message: 'Said in passing' }, 'Said in passing'],
    ['Just text', 'Just text'],
    [new Error(''), 'without a reason'],
  ] as const) {
    const { stream } = await serveOne(scripted([{ type: 'stream-start' }, { type: 'error', error }]))
    const frames = await allFrames(stream, { message: 'Hi' })
    expect(errorOf(frames)).toContain(words)
    expect(frames.slice(-2).map((frame) => frame.event)).toEqual(['messages', 'end'])
  }
  vi.restoreAllMocks()
})
