// Read by the compiler only (npm test, stage "types"): what must compile does, and each @ts-expect-error must not.
import {
  ClientError,
  createClient,
  type FollowedRun,
  type RunEvent,
  type RunResult,
  type StoredMessage,
  type StreamEvent,
} from '../../src/client/index.ts'

const client = createClient({ baseUrl: '/ai', token: () => undefined, fetch })
// @ts-expect-error a client needs an address
createClient({})
const agency = client.agency('team')

const answer = await agency.getResponse('Hello')
const text: string = answer.response
const cost: number | undefined = answer.usage?.total_cost
const typed = await agency.getResponse<{ ok: boolean }>({
  message: 'Hello',
  recipient_agent: null,
  client_config: { model: 'x' },
})
const ok: boolean = typed.response.ok
// @ts-expect-error the server's schema says texts
agency.getResponse({ message: 'Hello', user_context: 'pro' })
// @ts-expect-error the field is written in the wire's name
agency.getResponse({ message: 'Hello', recipientAgent: 'CEO' })
// @ts-expect-error a request has a message
agency.stream({ recipient_agent: 'CEO' })

const stream = agency.stream('Hello', { signal: AbortSignal.timeout(1000), logId: 'a' })
const tell = (event: StreamEvent): string => {
  switch (event.kind) {
    case 'meta':
      return event.run_id
    case 'agent':
      return `${event.agent} for ${event.callerAgent?.length ?? 0} in ${event.agent_run_id.length}`
    case 'text':
      return event.text.toUpperCase()
    case 'model':
      return `${event.event.type} ${event.event.output_index?.toFixed()} ${event.call_id}`
    case 'item':
      return event.name === 'tool_called'
        ? `${event.item.name} ${event.call_id}`
        : `${event.agent?.length} ${event.output}`
    case 'error':
      return event.nested ? `${event.agent}` : event.content
    case 'messages':
      return event.new_messages.map((message) => message.agent).join() + event.cancelled
    case 'end':
      return ''
    case 'custom':
      return `${event.name} ${event.value} of ${event.agent}`
    case 'other':
      return event.event ?? ''
    default:
      return event satisfies never
  }
}
for await (const event of stream) tell(event)
for await (const piece of stream.text()) piece.toUpperCase()
const result: RunResult = await stream.result
const kept: StoredMessage[] = await stream.finalMessages
await stream.cancel('after_turn')
// @ts-expect-error there are two ways to stop
stream.cancel('soon')

const conversation = agency.conversation({ history: kept, defaults: { additional_instructions: 'Be brief' } })
// @ts-expect-error a conversation brings its own history
conversation.stream({ message: 'Hello', chat_history: [] })
// @ts-expect-error files belong to one turn
agency.conversation({ defaults: { file_ids: ['a'] } })

const sum: number = await client.tool('add').run<number>({ a: 1 })
for (const node of (await agency.metadata()).nodes)
  if (node.type === 'agent') void node.data.conversationStarters?.length
  // @ts-expect-error a tool has no model
  else node.data.model

const run = await agency.runs.start({ message: 'Hello', thread_id: 't', multitask_strategy: 'reject', max_cost: 1 })
const live: boolean = run.status === 'queued' || run.ended_at === null
// @ts-expect-error no such strategy
agency.runs.start({ message: 'Hello', multitask_strategy: 'wait' })
// @ts-expect-error whether the answer is a stream is the method's business
agency.runs.start({ message: 'Hello', stream: true })
const followed: FollowedRun<string> = agency.runs.stream('Hello', { retries: 3, idempotencyKey: 'k' })
const tellRun = (event: RunEvent): string => {
  switch (event.kind) {
    case 'queued':
      return `${event.position}`
    case 'attempt':
      return `${event.attempt} takes back what follows ${event.void_after}`
    case 'requires_action':
      return event.approvals.map(({ tool }) => tool).join()
    case 'approval_decided':
      return `${event.approval_id} is ${event.status}`
    case 'steer':
      return `${event.agent} ${event.status}`
    case 'branch':
      return `${event.agent} is ${event.state}`
    case 'truncated':
      return event.detail
    default:
      return `${event.id.toFixed()} ${tell(event)}`
  }
}
for await (const event of followed) tellRun(event)
const final: string | null = (await followed.result()).response
for await (const { thread_id } of agency.threads.list({ limit: 5 })) void thread_id.length
for await (const { data } of agency.approvals.list({ status: 'expired' }).pages()) void data[0]?.expires_at
// @ts-expect-error no such status
agency.runs.list({ status: 'done' })
const { settled, receipt } = await agency.runs.cancel('r', { mode: 'after_turn', waitMs: 0 })
// @ts-expect-error only an approval can change the arguments
await agency.runs.reject('r', 'a', { arguments: {} })

try {
  await client.logs('a')
} catch (error) {
  if (error instanceof ClientError && error.kind === 'invalid_request')
    error.details.map(({ loc, msg }) => `${loc.join()} ${msg}`)
  if (error instanceof ClientError && error.code === 'THREAD_BUSY') void error.fields.run_id
  // @ts-expect-error no such kind
  if (error instanceof ClientError) void (error.kind === 'nope')
}
export const used = [text, cost, ok, sum, result, live, final, settled, receipt]
