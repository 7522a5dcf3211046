import type { ServerResponse } from 'node:http'
import { refusalOf } from './provider-rules.ts'
import { everyProviderAt, type SeenCall, setEnv, startMock } from './providers.ts'
import type { Memory } from './responses-rules.ts'

const ANSWER = 'Understood.'

/**
 * Every provider's API at one address, as strict as the real ones: what they would refuse is answered with 400 and noted in
 * `refused`, the rest with one text.
 * @param memory item id -> id of the reasoning it came of, as OpenAI remembers it of what it has stored
 */
export async function startStrictUpstream(memory?: Memory) {
  const refused: string[] = []
  const { url, seen } = await startMock([], (call, response) => {
    const refusal = refusalOf(call.path, call.body, memory)
    if (refusal === undefined) return answer(call, response)
    refused.push(`${call.path}: ${refusal}`)
    return writeJson(response, 400, { error: { type: 'invalid_request_error', message: refusal } })
  })
  everyProviderAt(url)
  const more = ['MISTRAL', 'DEEPSEEK', 'MOONSHOT', 'HOSTED_VLLM', 'AZURE']
  setEnv(
    Object.fromEntries(
      more.flatMap((name) => [
        [`${name}_API_BASE`, `${url}/v1`],
        [`${name}_API_KEY`, 'sk-server'],
      ]),
    ),
  )
  return { seen, refused }
}

function writeJson(response: ServerResponse, status: number, body: object): true {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
  return true
}

function answer({ path, body }: SeenCall, response: ServerResponse): true {
  const { model } = body
  if (path.endsWith('/responses')) {
    const content = [{ type: 'output_text', text: ANSWER, annotations: [] }]
    const output = [{ id: 'msg_answer', type: 'message', role: 'assistant', status: 'completed', content }]
    const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 }
    return writeJson(response, 200, { id: 'resp_1', object: 'response', status: 'completed', model, output, usage })
  }
  if (path.endsWith('/chat/completions')) {
    const message = { role: 'assistant', content: ANSWER }
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
    return writeJson(response, 200, { id: 'c', model, choices: [{ index: 0, message, finish_reason: 'stop' }], usage })
  }
  if (path.includes('/v1beta/')) {
    const content = { role: 'model', parts: [{ text: ANSWER }] }
    const usageMetadata = { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 }
    return writeJson(response, 200, { candidates: [{ content, finishReason: 'STOP', index: 0 }], usageMetadata })
  }
  return writeJson(response, 200, {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model,
    content: [{ type: 'text', text: ANSWER }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 1 },
  })
}
