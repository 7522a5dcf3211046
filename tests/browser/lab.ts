import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, tool } from '../../src/index.ts'

type Json = { [key: string]: unknown }

export const MARKDOWN = `# A plan

Some **bold** words, \`code\` and a [link](https://elsewhere.example/page).

| step | days |
|------|-----:|
| one  | 2    |

\`\`\`ts
const answer = 42
\`\`\`

![a picture elsewhere](https://elsewhere.example/picture.png)

<img src="https://elsewhere.example/tracker.png">
`

const TABLE = `| ${['instructions', 'communication', 'conversation', 'recipient'].join(' | ')} |
|---|---|---|---|
| ${['additional', 'middleware', 'continuation', 'coordinator'].join(' | ')} |
`

const FORMULAS = 'So \\(a^2 + b^2\\) costs $5, and:\n\n$$\n\\frac{1}{2}\n$$\n\n```ts\nconst answer = 42\n```\n'

const message = (text: string): Json => ({
  id: `msg_${crypto.randomUUID()}`,
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
})

const call = (name: string, args: string): Json => ({
  id: 'fc_1',
  type: 'function_call',
  status: 'completed',
  call_id: `call_${crypto.randomUUID()}`,
  name,
  arguments: args,
})

/** What the scripted model says to the last words of the user. */
function answerTo(input: Json[]): Json[] | undefined {
  const lastUser = input.findLastIndex((item) => item.role === 'user')
  const said = JSON.stringify(input[lastUser]?.content ?? '')
  const answered = input.slice(lastUser + 1).some((item) => item.type === 'function_call_output')
  if (/fail/.test(said)) return undefined
  if (/hold/.test(said) && !answered) return [call('hold', '{"why":"a test"}')]
  if (/break/.test(said) && !answered) return [call('break_down', '{}')]
  if (/formula/.test(said)) return [message(FORMULAS)]
  if (/quotes/.test(said)) return [message('>'.repeat(2_500))]
  if (/plan/.test(said))
    return [
      { id: 'rs_1', type: 'reasoning', summary: [{ type: 'summary_text', text: 'A plan needs steps.' }] },
      message(MARKDOWN),
    ]
  if (/table/.test(said)) return [message(TABLE)]
  return [message(answered ? 'It is over.' : 'Understood.')]
}

function* eventsOf(output: Json[]): Generator<Json> {
  const response = {
    id: `resp_${crypto.randomUUID()}`,
    object: 'response',
    model: 'lab',
    status: 'in_progress',
    output: [] as Json[],
  }
  yield { type: 'response.created', response }
  for (const [output_index, item] of output.entries()) {
    const at = { item_id: item.id, output_index }
    yield {
      type: 'response.output_item.added',
      output_index,
      item: { ...item, status: 'in_progress', content: [], summary: [], arguments: '' },
    }
    if (item.type === 'reasoning')
      yield { type: 'response.reasoning_summary_text.delta', ...at, summary_index: 0, delta: 'A plan needs steps.' }
    if (item.type === 'function_call')
      yield { type: 'response.function_call_arguments.done', ...at, arguments: item.arguments }
    if (item.type === 'message') {
      const text = String((item.content as Json[])[0]?.text)
      for (const delta of text.match(/[\s\S]{1,40}/g) ?? [])
        yield { type: 'response.output_text.delta', ...at, content_index: 0, delta }
      yield { type: 'response.output_text.done', ...at, content_index: 0, text }
    }
    yield { type: 'response.output_item.done', output_index, item }
  }
  const usage = { input_tokens: 100, output_tokens: 20, total_tokens: 120 }
  yield { type: 'response.completed', response: { ...response, status: 'completed', output, usage } }
}

/**
 * An agency on a scripted model behind real HTTP: it makes plans, formulas and a wide table in Markdown, fails when asked to, and has a
 * tool that holds until `release` is called and one that throws.
 */
export async function startLab() {
  let calls = 0
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    calls++
    const output = answerTo(JSON.parse(Buffer.concat(chunks).toString()).input)
    if (output === undefined) {
      response.writeHead(400, { 'content-type': 'application/json' })
      response.end('{"error": {"message": "the model is on strike", "type": "invalid_request_error"}}')
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end([...eventsOf(output)].map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  process.env.OPENAI_BASE_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  process.env.OPENAI_API_KEY = 'sk-lab'
  onTestFinished(() => {
    delete process.env.OPENAI_BASE_URL
    delete process.env.OPENAI_API_KEY
    server.closeAllConnections()
    server.close()
  })
  const held = Promise.withResolvers<void>()
  const hold = tool({
    name: 'hold',
    description: 'Holds until it is let go.',
    parameters: z.object({ why: z.string() }),
    execute: async () => {
      await held.promise
      return 'let go'
    },
  })
  const breakDown = tool({
    name: 'break_down',
    description: 'Fails.',
    execute: () => {
      throw new Error('no more paper')
    },
  })
  const planner = new Agent({
    ...{ name: 'Planner', model: 'lab', tools: [hold, breakDown] },
    quickReplies: ['Make a plan', 'Thanks'],
  })
  return { agency: new Agency(planner, { name: 'lab' }), release: held.resolve, calls: () => calls }
}
