// Uses the API with nothing but the types that openapi-typescript made of its document: compiled, then run.
//   node client.ts <url>
import createClient from 'openapi-fetch'
import type { components, paths } from './generated/api.ts'

type Schemas = components['schemas']
type Frame = Schemas['StreamFrame']
const [url = ''] = process.argv.slice(2)
const api = createClient<paths>({ baseUrl: url })

const answer = await api.POST('/team/get_response', { body: { message: 'What is 2 plus 3?' } })
if (answer.data === undefined || 'error' in answer.data) throw new Error('get_response failed')
const history: Schemas['StoredMessage'][] = answer.data.new_messages
demand(answer.data.usage?.total_tokens !== undefined && history.length > 1, 'get_response has no usage or no messages')
const callers: (string | null)[] = history.map((message) => message.callerAgent)
demand(callers.includes(null), 'nobody spoke for the user')

const sum = await api.POST('/tool/add_numbers', { body: { a: 2, b: 3 } })
const response = sum.data?.response
demand(typeof response === 'object' && response.sum === 5, 'the tool did not add')
const address = await api.POST('/tool/FormatAddress', { body: { street: 'Main 5', zip: 12345 } })
demand(address.data?.response.startsWith('Main 5') === true, 'the class did not format')

const wrong = await api.POST('/team/get_response', { body: { message: 'x', recipient_agent: 'Nobody' } })
demand(wrong.error !== undefined && 'detail' in wrong.error, 'a 422 has no detail')
const gone = await api.POST('/team/cancel_response_stream', { body: { run_id: 'none', cancel_mode: 'immediate' } })
demand(gone.response.status === 404, 'an unknown run was cancelled')

const graph = await api.GET('/team/get_metadata')
for (const node of graph.data?.nodes ?? [])
  demand(node.type === 'agent' ? node.data.toolCount >= 0 : node.data.parentAgent !== '', 'a node is neither')

const stream = await api.POST('/team/get_response_stream', { body: { message: 'Hello' }, parseAs: 'text' })
const frames = parseFrames(String(stream.data))
let text = ''
for (const frame of frames) {
  if (frame.event === 'message') text += textOf(JSON.parse(frame.data))
  if (frame.event === 'messages') {
    const summary: Schemas['StreamSummary'] = JSON.parse(frame.data)
    demand(!summary.cancelled && summary.new_messages.length > 0, 'a stream left no messages')
  }
}
demand(text.includes('demo model') && frames.at(-1)?.event === 'end', 'a stream has no text or no end')

// What the document forbids has to be an error of the compiler.
export const refused = () => [
  // @ts-expect-error a message is required
  api.POST('/team/get_response', { body: {} }),
  // @ts-expect-error a number is no text
  api.POST('/tool/FormatAddress', { body: { street: 5, zip: 12345 } }),
  // @ts-expect-error there is no such path
  api.GET('/team/get_response_streams'),
]
console.log(`${frames.length} frames, ${history.length} messages`)

/** What one event adds to the text of the agent in front of the user. */
function textOf(data: Schemas['StreamData']): string {
  if (!('data' in data)) return ''
  const event = data.data
  if (event.type !== 'raw_response_event' || event.callerAgent !== null) return ''
  return event.data.type === 'response.output_text.delta' ? String(event.data.delta) : ''
}

function parseFrames(stream: string): Frame[] {
  return stream
    .split('\n\n')
    .filter((block) => block !== '' && !block.startsWith(':'))
    .map((block) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1]
      return { event: field('event') ?? 'message', data: field('data') ?? '' } as Frame
    })
}

function demand(condition: boolean, sentence: string): void {
  if (!condition) throw new Error(sentence)
}
