// Read by the compiler only (npm test, stage "types"): what must compile does, and each @ts-expect-error must not.
import { createAnthropic } from '@ai-sdk/anthropic'
import { createGoogle } from '@ai-sdk/google'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { AzureOpenAI } from 'openai'
import { z } from 'zod'
import type { AgencyAnswer, AgencyMetadata, CancelAnswer } from '../../src/client/index.ts'
import {
  Agency,
  type AgencyResult,
  Agent,
  BaseTool,
  chatCompletions,
  fileSearch,
  flow,
  Handoff,
  type Model,
  responses,
  SendMessage,
  type StoredMessage,
  serve,
  tool,
  toolFactory,
  type Usage,
  webSearch,
} from '../../src/index.ts'
import type { toPrompt } from '../../src/models/ai-sdk/prompt.ts'
import { createMetrics, openTelemetry } from '../../src/otel.ts'
import type { storedMessage, usage } from '../../src/wire/message.ts'
import type { AgencyResponse, CancelResponse, Metadata } from '../../src/wire/responses.ts'
import type { ValidationDetail, validationDetail } from '../../src/wire/validation.ts'

const add = tool({
  name: 'add',
  parameters: z.object({ a: z.number(), b: z.number().optional() }),
  execute: ({ a, b }, context) => {
    const sum: number = a + (b ?? 0)
    const user = context.get<string>('user')
    const known: string | undefined = user
    // @ts-expect-error a field that the schema does not have
    void (({ c }: { c: number }) => c)({ a, b })
    return `${known} ${sum}`
  },
})
// @ts-expect-error execute is required
tool({ name: 'x' })
tool({ name: 'sum', returns: z.object({ sum: z.number() }), execute: async () => ({ sum: 1 }) })
// @ts-expect-error a text is not what it says it returns
tool({ name: 'sum', returns: z.object({ sum: z.number() }), execute: () => ({ sum: '1' }) })
tool({
  name: 'shape',
  parameters: { city: z.string(), days: z.int().optional() },
  execute: ({ city, days }) => city.repeat(days ?? 1),
})
// @ts-expect-error: the shape has no such field
tool({ name: 'shape', parameters: { city: z.string() }, execute: ({ town }) => town })
// @ts-expect-error: a text is no object of arguments
tool({ name: 'text', parameters: z.string(), execute: () => '' })
// @ts-expect-error: a list is none either
tool({ name: 'list', parameters: z.array(z.string()), execute: () => '' })
tool({ name: 'none', parameters: {}, execute: () => '' })
tool({ name: 'data', parameters: { type: 'object', properties: {} }, execute: (input) => Object.keys(input) })
tool({
  name: 'union',
  parameters: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('a'), at: z.number() }),
    z.object({ kind: z.literal('b') }),
  ]),
  execute: (input) => (input.kind === 'a' ? input.at : 0),
})
interface Question {
  readonly q: string
}
tool<Question>({ name: 'named', parameters: { type: 'object' }, execute: ({ q }) => q })
tool<{ q: string }>({ name: 'raw', parameters: { type: 'object' }, execute: ({ q }) => q.toUpperCase() })

class Address extends BaseTool.define({ street: z.string(), zip: z.int().optional() }) {
  run(): string {
    const zip: number | undefined = this.zip
    // @ts-expect-error zip may be missing
    const sure: number = this.zip
    return `${this.street.toUpperCase()} ${zip} ${sure} ${this.context.currentAgentName}`
  }
}
class Empty extends BaseTool.define({}) {
  run() {
    return this.toolCallId
  }
}
// @ts-expect-error a tool class needs run()
class Lazy extends BaseTool.define({}) {}

const ceo = new Agent({ name: 'CEO', model: 'gpt-5.4', tools: [add, Address, Empty] })
const dev = new Agent({
  name: 'Dev',
  instructions: async (context) => `For ${context.get('user')}`,
  outputType: z.object({ ok: z.boolean() }),
})
new Agent({ name: 'X', instructions: (context, agent: Agent) => `${context.get('user')} ${agent.clone().name}` })
new Agent({
  name: 'X',
  tools: [webSearch({ searchContextSize: 'low' })],
  toolUseBehavior: { stopAtToolNames: ['add'] },
})
new Agent({ name: 'X', model: createAnthropic()('claude-sonnet-4-5') })
new Agent({ name: 'X', model: createGoogle()('gemini-3-pro-preview') })
new Agent({ name: 'X', model: createOpenAICompatible({ name: 'own', baseURL: 'https://own.example/v1' })('any') })
new Agent({ name: 'X', model: responses('gpt-5.4', { client: new AzureOpenAI() }) })
new Agent({ name: 'X', model: chatCompletions('gpt-5.4') })
// @ts-expect-error an object of no known kind
new Agent({ name: 'X', model: { modelId: 'any' } })
// @ts-expect-error a client is not an address
responses('gpt-5.4', { client: 'https://own.example/v1' })
// @ts-expect-error there is no such size
webSearch({ searchContextSize: 'huge' })
// @ts-expect-error the stores are required
fileSearch({ maxNumResults: 3 })
// @ts-expect-error a name is required
new Agent({ model: 'gpt-5.4' })
// @ts-expect-error the option is written modelSettings
new Agent({ name: 'X', model_settings: {} })
new Agent({ name: 'X', modelSettings: { temperature: 0.2, toolChoice: 'auto', reasoning: { effort: 'low' } } })
// @ts-expect-error temperature is a number
new Agent({ name: 'X', modelSettings: { temperature: 'hot' } })

class Quiet extends Handoff {
  static override addReminder = false
}
class Ask extends SendMessage {
  static override toolName = 'send_message_kindly'
}
const agency = new Agency(ceo, {
  communicationFlows: [
    [ceo, dev],
    [ceo, dev, Quiet],
    [ceo, dev, [Ask, Handoff]],
    flow(ceo, dev),
    [flow(ceo, dev), Ask],
    ceo.to(dev),
  ],
})
// @ts-expect-error a flow joins agents
new Agency(ceo, { communicationFlows: [[ceo, 'Dev']] })

export async function uses(): Promise<void> {
  const result: AgencyResult = await agency.getResponse('Hi', { recipientAgent: dev, maxTurns: null })
  const cost: number | undefined = result.usage?.total_cost
  const stream = agency.getResponseStream([{ role: 'user', content: 'Hi' }])
  for await (const text of stream.textStream()) void text.length
  // @ts-expect-error there are two ways to cancel
  stream.cancel('later')
  const server = await serve({
    agencies: { agency, made: ({ loadThreads }) => new Agency(ceo, { loadThreads }) },
    tools: [Address],
  })
  const port: number = server.port
  const app = await serve({ agencies: { agency }, listen: false })
  await app.inject('/agency/get_metadata')
  await serve({
    agencies: { agency },
    limits: { bodyBytes: 1_000_000, maxTurns: null },
    rateLimit: { requests: 5, by: ({ headers }) => headers['x-real-ip'] },
  })
  // @ts-expect-error there is no such limit
  await serve({ agencies: { agency }, limits: { bodyKilobytes: 1 } })
  // @ts-expect-error the option is written corsOrigins
  await serve({ agencies: { agency }, cors_origins: ['*'] })
  const document: string = toolFactory.getOpenApiSchema([add, Address], { url: 'https://tools.example' })
  void [cost, port, document, Lazy]
}

export const custom: Model = {
  name: 'mine',
  async *streamTurn({ input, tools }, signal) {
    signal.throwIfAborted()
    yield { events: [{ type: 'response.created' }], bytes: input.length + tools.length }
  },
  completeTurn: async () => ({ output: [] }),
}

type Claude = ReturnType<ReturnType<typeof createAnthropic>>
/** The prompts written for AI SDK models are what those take. */
export const prompt = (ours: Awaited<ReturnType<typeof toPrompt>>): Parameters<Claude['doStream']>[0]['prompt'] => ours
const metrics = createMetrics()
const listened = { agencies: { team: new Agency(ceo) }, telemetry: [openTelemetry(), metrics], metrics }
void serve({ ...listened, logger: true })
void serve({ ...listened, logger: { info() {}, warn() {}, error() {} } })
// @ts-expect-error a logger has to be able to tell errors
void serve({ ...listened, logger: { info() {} } })
// @ts-expect-error where traces go is one of three words
openTelemetry({ propagateTo: 'all' })

// What the OpenAPI document is made of and what the types say is the same, down to the names of what may be missing.
type Named<T> = keyof { [Key in keyof T as string extends Key ? never : number extends Key ? never : Key]: true }
type Same<A, B> = [A, Named<A>] extends [B, Named<B>] ? ([B, Named<B>] extends [A, Named<A>] ? true : false) : false
true satisfies Same<z.infer<typeof usage>, Usage>
true satisfies Same<z.infer<typeof storedMessage>, StoredMessage>
true satisfies Same<Required<z.infer<typeof validationDetail>>, Required<ValidationDetail>>
// @ts-expect-error a field that only one of them has
true satisfies Same<z.infer<typeof usage>, Usage & { more?: number }>

// What the server answers is what the client promises.
export const answer = (served: AgencyResponse): AgencyAnswer<unknown> => served
export const cancelled = (served: CancelResponse): CancelAnswer => served
export const described = (served: Metadata): AgencyMetadata => served
// @ts-expect-error a field that the server does not send
export const promised = (served: CancelResponse): CancelAnswer & { more: number } => served
