// Read by the compiler only (npm test, stage "types"): what must compile does, and each @ts-expect-error must not.
import { z } from 'zod'
import { createClient } from '../../src/client/index.ts'
import {
  Agency,
  type AgencyContext,
  type AgencyOptions,
  type AgencyResult,
  type AgencyStream,
  Agent,
  type AgentOptions,
  BaseTool,
  flow,
  Handoff,
  type InputGuardrail,
  type Metadata,
  type ModelName,
  type OutputOf,
  type RunHooks,
  SendMessage,
  type StoredMessage,
  type StreamEvent,
  serve,
  type ToolContext,
  type ToolLike,
  tool,
  type UserContext,
} from '../../src/index.ts'

/** True where two types are the same, `any` and `unknown` included. */
type Is<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const is = <A, B>(_same: Is<A, B>): void => {}

interface Shop {
  user: string
  plan?: 'free' | 'pro'
}
const Ticket = z.object({ title: z.string(), urgent: z.boolean() })
type Ticket = z.infer<typeof Ticket>

// ---- structured output: schema -> agent -> result
const clerk = new Agent({ name: 'Clerk', outputType: Ticket })
const guide = new Agent({ name: 'Guide' })
const counter = new Agent({
  name: 'Counter',
  outputType: z.object({ title: z.string() }).transform((one) => one.title.length),
})
is<Awaited<ReturnType<typeof clerk.getResponse>>['finalOutput'], Ticket>(true)
is<Awaited<ReturnType<typeof guide.getResponse>>['finalOutput'], string>(true)
is<OutputOf<typeof counter>, number>(true)
const title: string = (await clerk.getResponse('Hi')).finalOutput.title
// @ts-expect-error a field that the schema does not have
void (await clerk.getResponse('Hi')).finalOutput.nope
// @ts-expect-error a text has no title
void (await guide.getResponse('Hi')).finalOutput.title
is<Awaited<AgencyStream<Ticket>['finalResult']>['finalOutput'], Ticket>(true)
const recast = clerk.clone({ outputType: z.object({ ok: z.boolean() }) })
is<OutputOf<typeof recast>, { ok: boolean }>(true)
is<OutputOf<ReturnType<typeof clerk.clone>>, Ticket>(true)
const anyAgents: Agent[] = [clerk, guide, counter, new (class Mine extends Agent {})({ name: 'Mine' })]
const anyResult: AgencyResult = await clerk.getResponse('Hi')

// An agency answers what its first entry agent does, or an agent that it hands over to.
const asked = new Agency(clerk, {
  communicationFlows: [
    [clerk, guide],
    [clerk, counter, SendMessage],
  ],
})
is<OutputOf<typeof asked>, Ticket>(true)
const handed = new Agency(clerk, {
  communicationFlows: [
    [clerk, guide],
    [clerk, counter, [SendMessage, Handoff]],
  ],
})
is<OutputOf<typeof handed>, Ticket | number>(true)
is<OutputOf<Agency<Shop, string>>, string>(true)
const chained = new Agency(guide, { communicationFlows: [[flow(guide, clerk), Handoff]] })
is<OutputOf<typeof chained>, string | Ticket>(true)
is<OutputOf<typeof twoEntries>, string>(true)
const twoEntries = new Agency([guide, clerk])
const toClerk = await asked.getResponse('Hi', { recipientAgent: clerk })
is<typeof toClerk.finalOutput, Ticket>(true)
const toGuide = await handed.getResponse('Hi', { recipientAgent: guide })
is<typeof toGuide.finalOutput, string | number>(true)
const byName = await asked.getResponse('Hi', { recipientAgent: 'Guide' })
is<typeof byName.finalOutput, unknown>(true)
const anyAgency: Agency = asked
is<OutputOf<typeof anyAgency>, unknown>(true)

// ---- the user context
const find = tool({
  name: 'find',
  parameters: z.object({ city: z.string(), days: z.number().default(3) }),
  execute: async ({ city, days }, context: ToolContext<Shop>) => {
    is<typeof days, number>(true)
    const user: string = context.get('user')
    const plan: 'free' | 'pro' = context.get('plan', 'free')
    // @ts-expect-error a key that the context does not have
    context.get('usr')
    // @ts-expect-error a value that does not fit its key
    context.set('plan', 'gold')
    context.set('plan', 'pro')
    return `${city} ${user} ${plan} ${context.userContext.user.length}`
  },
})
const seek = tool({
  name: 'seek_place',
  parameters: { city: z.string(), days: z.number().default(3) },
  execute: ({ city, days }, context: ToolContext<Shop>) => ({
    line: `${city.trim()} ${days.toFixed()} ${context.get('user')}`,
  }),
})
class Address extends BaseTool.define({ street: z.string(), zip: z.int().optional() })<Shop> {
  static readonly toolName = 'address'
  async run() {
    // @ts-expect-error a key that the context does not have
    this.context.get('usr')
    return { line: `${this.street} ${this.context.get('user').toUpperCase()}`, zip: this.zip }
  }
}
const loose = tool({ name: 'loose', execute: (_input, context) => context.get<string>('anything') })
is<ReturnType<ToolContext['get']>, unknown>(true)
const typed = new Agent({
  name: 'Typed',
  tools: [loose, find, Address],
  instructions: (context) => context.get('user').toUpperCase(),
})
const explicit = new Agent<Shop>({
  name: 'Explicit',
  instructions: (context) => context.get('user').toUpperCase(),
  systemReminders: [(context) => context.get('plan') ?? 'none'],
  toolUseBehavior: (context) => ({ isFinalOutput: context.get('user') === '' }),
  inputGuardrails: [(_input, context) => ({ tripwire: context.get('plan') !== 'pro' })],
  hooks: { onAgentStart: (context) => context.set('user', 'x') },
})
is<OutputOf<typeof explicit>, string>(true)
const both = new Agent<Shop, Ticket>({ name: 'Both', outputType: Ticket })
is<OutputOf<typeof both>, Ticket>(true)
const ShopAgent = Agent.withContext<Shop>()
const ticketing = new ShopAgent({
  name: 'Ticketing',
  tools: [find, Address, loose],
  instructions: (context) => context.get('user').toUpperCase(),
  outputType: Ticket,
  outputGuardrails: [(ticket, context) => ({ tripwire: ticket.title === context.get('user') })],
})
is<OutputOf<typeof ticketing>, Ticket>(true)
is<OutputOf<ReturnType<typeof plainShop>>, string>(true)
const plainShop = () => new ShopAgent({ name: 'Plain' })
// @ts-expect-error a key that the context does not have
new ShopAgent({ name: 'X', instructions: (context) => context.get('usr') })
// @ts-expect-error a tool that needs another context
;new (Agent.withContext<{ other: number }>())({ name: 'X', tools: [find] })
class ShopSubclass extends ShopAgent {
  constructor() {
    super({ name: 'Sub', tools: [find] })
  }
}
is<ShopSubclass['name'], string>(true)
class Subclass extends Agent<Shop> {
  constructor() {
    super({ name: 'Subclass', tools: [find] })
  }
}
const tools: ToolLike[] = [find, Address, loose]
// @ts-expect-error the tool needs a user, and this context has none
new Agent<{ other: number }>({ name: 'X', tools: [find] })
// @ts-expect-error so does the class
new Agent<{ other: number }>({ name: 'X', tools: [Address] })
new Agent<Shop & { other: number }>({ name: 'X', tools: [find, Address, loose] })

const shop = new Agency(typed, { userContext: { user: 'ann' } })
is<typeof shop.userContext.user, string>(true)
is<(typeof shop.userContext)['more'], unknown>(true)
void shop.getResponse('Hi', { contextOverride: { user: 'bob', more: 1 } })
// @ts-expect-error the user is a text
void shop.getResponse('Hi', { contextOverride: { user: 5 } })
// @ts-expect-error the user is a text
new Agency(typed, { userContext: { user: 5 } })
const inferred = new Agency(guide, { userContext: { visits: 1 } })
is<typeof inferred.userContext.visits, number>(true)
const stated = new Agency<Shop>(guide, { userContext: { user: 'ann' } })
is<typeof stated.userContext.user, string>(true)
const untyped = new Agency(guide)
is<typeof untyped.userContext.anything, unknown>(true)
const listeners: RunHooks<Shop> = {
  onToolStart: (context, agent, call) => `${context.get('user')} ${agent.name} ${call.name}`,
}
const check: InputGuardrail<Shop> = (_input, context) => ({ tripwire: context.get('user') === '' })
const reads = (context: AgencyContext<Shop>): string => `${context.get('user')} ${context.currentAgentName}`

class Team extends Agency {
  constructor(front: Agent, back: Agent) {
    super(front, { communicationFlows: [[front, back], flow(back, front)], userContext: { user: 'ann' } })
  }
}
class Writer extends Agent<Shop, Ticket> {
  constructor() {
    super({ name: 'Writer', outputType: Ticket })
  }
}
is<OutputOf<Writer>, Ticket>(true)
is<OutputOf<Agency<UserContext, string>>, string>(true)
const team: Agency = new Team(clerk, guide)
class Wrong extends Agent {
  constructor() {
    // @ts-expect-error a subclass with an output type names it: extends Agent<UserContext, Ticket>
    super({ name: 'Wrong', outputType: Ticket })
  }
}

// ---- options that may be undefined, such as those that an environment variable gives
const maybe: string | undefined = process.env.MODEL
const unset = new Agent({ name: 'Unset', model: maybe, description: maybe, tools: undefined, outputType: undefined })
is<OutputOf<typeof unset>, string>(true)
new Agency(unset, { name: maybe, sharedInstructions: maybe, communicationFlows: undefined, userContext: undefined })
void unset.getResponse('Hi', { additionalInstructions: maybe, signal: undefined })
tool({ name: 'unset', description: maybe, parameters: undefined, execute: () => 1 })
void serve({ agencies: { shop }, appTokenEnv: maybe, port: undefined })

// ---- options that go through code of one's own
class Preset extends Agent {
  constructor(options: Partial<AgentOptions>) {
    super({ name: 'Preset', model: 'gpt-5.4', ...options })
  }
}
const forwarded = (options: AgentOptions) => new Agent(options)
is<OutputOf<ReturnType<typeof forwarded>>, unknown>(true)
const agencyOptions: AgencyOptions = { communicationFlows: [[clerk, guide]] }
void new Agency(new Preset({ tools: [] }), agencyOptions)

// ---- parameters that become another value
tool({
  name: 'length',
  parameters: z.object({ city: z.string() }).transform(({ city }) => city.length),
  execute: (length) => is<typeof length, number>(true),
})
// @ts-expect-error a text is not an object, whatever is made of it
tool({ name: 'text', parameters: z.string().transform((city) => ({ city })), execute: () => 1 })
class Booking extends BaseTool.define(z.object({ city: z.string() })) {
  run() {
    return is<typeof this.city, string>(true)
  }
}

// ---- what runs tell
const stream = shop.getResponseStream('Hi')
is<typeof stream extends AsyncIterable<infer Event> ? Event : never, StreamEvent>(true)
for await (const event of stream)
  switch (event.type) {
    case 'raw_response_event':
      is<typeof event.data.delta, string | undefined>(true)
      break
    case 'agent_updated_stream_event':
      is<typeof event.new_agent.name, string>(true)
      break
    case 'run_item_stream_event':
      void event.item.tool_origin?.mcp_server_name
      // @ts-expect-error there is no item of that name
      if (event.name === 'tool_finished') break
      break
    case 'custom':
      is<typeof event.value, unknown>(true)
      break
    case 'error':
      is<typeof event.content, string>(true)
      break
    default:
      event satisfies never
  }
for await (const text of shop.getResponseStream('Hi').textStream()) is<typeof text, string>(true)
is<ReturnType<typeof shop.getMetadata>, Metadata>(true)
// @ts-expect-error written nodes
void shop.getMetadata().nodez
for (const node of shop.getMetadata().nodes) if (node.type === 'agent') void node.data.conversationStarters?.length
const said = (message: StoredMessage): string =>
  typeof message.content === 'string' ? message.content : (message.content ?? []).map(({ text }) => text ?? '').join('')
// @ts-expect-error a message is a text or a list of items
void shop.getResponse(undefined)
// @ts-expect-error a part has a type
void shop.getResponse([{ role: 'user', content: [{ text: 'Hi' }] }])
// @ts-expect-error the option is recipientAgent
void shop.getResponse('Hi', { recipient: clerk })
// @ts-expect-error and not among others either
void shop.getResponse('Hi', { maxTurns: 3, recipient: clerk })

// ---- mistakes, with a sentence of ours in what the compiler says
// @ts-expect-error "A communication flow joins two agents: [[a, b]]."
new Agency(clerk, { communicationFlows: [[clerk]] })
// @ts-expect-error "Each communication flow is a list of its own: [[a, b]]."
new Agency(clerk, { communicationFlows: [clerk, guide] })
// @ts-expect-error "A communication flow joins agents, not their names: [[a, b]]."
new Agency(clerk, { communicationFlows: [[clerk, 'Guide']] })
// @ts-expect-error "... For more write flow(a, b, c)."
new Agency(clerk, { communicationFlows: [[clerk, guide, counter]] })
// @ts-expect-error "A communication flow is [a, b], [a, b, Class], ..."
new Agency(clerk, { communicationFlows: [[clerk, guide, Date]] })
new Agency(clerk, { communicationFlows: [guide, counter].map((agent) => [clerk, agent]) })
// @ts-expect-error an agency needs an agent
new Agency('Clerk')
// @ts-expect-error "WrapTheAgent"
void serve({ agencies: { clerk } })
// @ts-expect-error the same from a factory
void serve({ agencies: { clerk: () => clerk } })
const app = await serve({ agencies: { asked }, listen: false })
void app.inject('/asked/get_metadata')
const server = await serve({ agencies: { asked } })
is<typeof server.port, number>(true)

// ---- names of models: those that editors complete, and any other
const names: ModelName[] = ['gpt-5.4', 'anthropic/claude-sonnet-4-5', 'my-own-model']

// ---- a client that knows its server
const agencies = { shop, asked, made: async () => new Agency(counter) }
const client = createClient<typeof agencies>({ baseUrl: '/ai' })
const text: string = (await client.agency('shop').getResponse('Hi')).response
const ticket: Ticket = (await client.agency('asked').getResponse('Hi')).response
const count: number = (await client.agency('made').conversation().getResponse('Hi')).response
const kept: Ticket | null = (await client.agency('asked').runs.stream('Hi').result()).response
const listed: Ticket | null | undefined = (await client.agency('asked').runs.list().page()).data[0]?.response
// @ts-expect-error no agency of that name
client.agency('shopp')
const options = { agencies, tools: [find, seek, Address] }
const whole = createClient<typeof options>({ baseUrl: '/ai' })
const found: string = await whole.tool('find').run({ city: 'Oslo' })
const line: string = (await whole.tool('address').run({ street: 'Main' })).line
const shaped: { line: string } = await whole.tool('seek_place').run({ city: 'Oslo' })
// @ts-expect-error the city is a text
void whole.tool('find').run({ city: 5 })
// @ts-expect-error the city is required
void whole.tool('find').run()
// @ts-expect-error no tool of that name
whole.tool('seek')
const anyTool: unknown = await client.tool('anything').run({ any: 1 })

export const used = [
  kept,
  listed,
  Booking,
  shaped,
  team,
  Wrong,
  text,
  title,
  anyAgents,
  anyResult,
  tools,
  Subclass,
  listeners,
  check,
  reads,
  said,
  names,
  ticket,
  count,
  found,
  line,
  anyTool,
]
