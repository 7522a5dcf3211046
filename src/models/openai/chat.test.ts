import OpenAI from 'openai'
import { expect, test } from 'vitest'
import type { ResponseEvent, TurnRequest } from '../model.ts'
import { chatModel } from './chat.ts'
import { postOver } from './post.ts'

const request: TurnRequest = {
  instructions: 'Help.',
  input: [{ role: 'user', content: 'Hi' }],
  tools: [],
  settings: {},
}

/** A model whose provider answers with these chunks (streamed) or this object (plain); `sent` is what it was asked. */
function modelOver(answer: object[] | object) {
  const sent: { [key: string]: unknown }[] = []
  const client = new OpenAI({
    apiKey: 'x',
    fetch: async (_url, init) => {
      sent.push(JSON.parse(String(init?.body)))
      return Array.isArray(answer)
        ? new Response(
            [...answer.map((chunk) => JSON.stringify(chunk)), '[DONE]'].map((data) => `data: ${data}\n\n`).join(''),
          )
        : Response.json(answer)
    },
  })
  return { sent, model: chatModel({ post: postOver(async () => client), name: 'gpt-x' }) }
}
async function eventsOf(chunks: object[], asked = request) {
  const { model, sent } = modelOver(chunks)
  const events: ResponseEvent[] = []
  for await (const batch of model.streamTurn(asked, new AbortController().signal)) events.push(...batch.events)
  return { events, sent }
}
const chunk = (delta: object, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason }],
})
const usage = {
  choices: [],
  usage: {
    prompt_tokens: 9,
    completion_tokens: 4,
    total_tokens: 13,
    prompt_tokens_details: { cached_tokens: 3 },
    completion_tokens_details: { reasoning_tokens: 2 },
  },
}

test('reasoning, text and parallel calls become Responses events', async () => {
  const { events, sent } = await eventsOf([
    chunk({ role: 'assistant', reasoning_content: 'Let me ' }),
    chunk({ reasoning_content: 'think.' }),
    chunk({ content: 'On ' }),
    chunk({ content: 'it.' }),
    chunk({ tool_calls: [{ index: 0, id: 'c0', function: { name: 'a', arguments: '{"x"' } }] }),
    chunk({ tool_calls: [{ index: 1, id: 'c1', function: { name: 'b', arguments: '{}' } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }),
    chunk({}, 'tool_calls'),
    usage,
  ])
  expect(sent[0]).toMatchObject({ model: 'gpt-x', stream: true, stream_options: { include_usage: true } })
  const short = (event: ResponseEvent) => event.type.replace(/^response\./, '')
  expect(events.map(short)).toEqual([
    'created',
    'output_item.added',
    'reasoning_summary_part.added',
    'reasoning_summary_text.delta',
    'reasoning_summary_text.delta',
    'reasoning_summary_part.done',
    'output_item.added',
    'content_part.added',
    'output_text.delta',
    'output_text.delta',
    'output_item.added',
    'function_call_arguments.delta',
    'output_item.added',
    'function_call_arguments.delta',
    'function_call_arguments.delta',
    'output_item.done',
    'content_part.done',
    'output_item.done',
    'output_item.done',
    'output_item.done',
    'completed',
  ])
  expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index))
  const { response } = events.at(-1) as unknown as { response: { output: object[]; usage: object } }
  expect(response.output).toMatchObject([
    { type: 'reasoning', summary: [{ text: 'Let me think.' }] },
    { type: 'message', content: [{ type: 'output_text', text: 'On it.' }] },
    { type: 'function_call', call_id: 'c0', name: 'a', arguments: '{"x":1}' },
    { type: 'function_call', call_id: 'c1', name: 'b', arguments: '{}' },
  ])
  expect(response.usage).toMatchObject({
    input_tokens: 9,
    output_tokens: 4,
    input_tokens_details: { cached_tokens: 3 },
    output_tokens_details: { reasoning_tokens: 2 },
  })
})

test('a history with calls, outputs, images and files becomes chat messages', async () => {
  const { sent } = await eventsOf([chunk({ content: 'ok' }, 'stop')], {
    ...request,
    input: [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'Look' },
          { type: 'input_image', image_url: 'data:image/png;base64,AA' },
        ],
      },
      { type: 'reasoning', id: 'rs_1', summary: [] },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Asking' }] },
      { type: 'function_call', call_id: 'c0', name: 'a', arguments: '{}' },
      { type: 'function_call', call_id: 'c1', name: 'b', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c0', output: 'A' },
      { type: 'function_call_output', call_id: 'c1', output: 'B' },
    ],
  })
  expect(sent[0]?.messages).toEqual([
    { role: 'system', content: 'Help.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Look' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,AA', detail: 'auto' } },
      ],
    },
    {
      role: 'assistant',
      content: 'Asking',
      tool_calls: [
        { id: 'c0', type: 'function', function: { name: 'a', arguments: '{}' } },
        { id: 'c1', type: 'function', function: { name: 'b', arguments: '{}' } },
      ],
    },
    { role: 'tool', tool_call_id: 'c0', content: 'A' },
    { role: 'tool', tool_call_id: 'c1', content: 'B' },
  ])
})

test('plain calls give the same items, and broken streams fail', async () => {
  const message = {
    role: 'assistant',
    content: 'Hello',
    tool_calls: [{ id: 'c0', function: { name: 'a', arguments: '{}' } }],
  }
  const { model } = modelOver({ choices: [{ index: 0, message, finish_reason: 'stop' }], usage: usage.usage })
  const { output, usage: counted } = await model.completeTurn(request, new AbortController().signal)
  expect(output).toMatchObject([
    { type: 'message', content: [{ text: 'Hello' }] },
    { type: 'function_call', call_id: 'c0' },
  ])
  expect(counted).toMatchObject({ total_tokens: 13 })
  await expect(eventsOf([{ error: { message: 'overloaded' } }])).rejects.toMatchObject({
    code: 'MODEL_FAILED',
    message: expect.stringContaining('overloaded'),
  })
})

test('images and files of tools follow the outputs of their turn', async () => {
  const image = { type: 'input_image', image_url: 'data:image/png;base64,AA' }
  const { sent } = await eventsOf([chunk({ content: 'ok' }, 'stop')], {
    ...request,
    instructions: undefined,
    input: [
      { type: 'function_call', call_id: 'c0', name: 'a', arguments: '{}' },
      { type: 'function_call', call_id: 'c1', name: 'b', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c0', output: [{ type: 'input_text', text: 'A chart' }, image] },
      { type: 'function_call_output', call_id: 'c1', output: [image] },
      { role: 'user', content: 'Well?' },
    ],
  })
  const shown = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA', detail: 'auto' } }
  expect(sent[0]?.messages).toEqual([
    expect.objectContaining({ role: 'assistant' }),
    { role: 'tool', tool_call_id: 'c0', content: 'A chart\nThe next message of the user shows the result.' },
    { role: 'tool', tool_call_id: 'c1', content: 'The next message of the user shows the result.' },
    { role: 'user', content: [shown, shown] },
    { role: 'user', content: 'Well?' },
  ])
})
