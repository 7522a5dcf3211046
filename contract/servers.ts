import { z } from 'zod'
import { Agency, Agent, BaseTool, Handoff, type ServeOptions, serve, tool } from '../src/index.ts'
import { startUpstream } from '../tests/support/upstream.ts'

const addNumbers = tool({
  name: 'add_numbers',
  description: 'Adds two numbers.',
  parameters: z.object({ a: z.number(), b: z.number().default(0) }),
  returns: z.object({ sum: z.number().nullable().describe('Null where it is too large.') }),
  execute: ({ a, b = 0 }) => ({ sum: Number.isFinite(a + b) ? a + b : null }),
})
const planRoute = tool({
  name: 'plan_route',
  description: 'Plans a route; its schema is plain JSON Schema that refers to itself.',
  parameters: {
    type: 'object',
    properties: {
      from: { $ref: '#/$defs/Place' },
      via: { type: 'array', items: { $ref: '#/$defs/Place' }, maxItems: 3 },
      by: { enum: ['foot', 'train', null] },
    },
    required: ['from'],
    additionalProperties: false,
    $defs: {
      Place: {
        type: 'object',
        properties: { name: { type: 'string', minLength: 1 }, near: { $ref: '#/$defs/Place' } },
        required: ['name'],
      },
    },
  },
  execute: (route) => route,
})
const pick = tool({
  name: 'pick',
  description: 'Takes one of several kinds of argument.',
  parameters: z.object({
    value: z.union([z.string(), z.int(), z.array(z.boolean())]),
    shape: z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('circle'), radius: z.number().positive() }),
      z.object({ kind: z.literal('square'), side: z.number().positive() }),
    ]),
  }),
  execute: ({ value }) => ({ value }),
})
class FormatAddress extends BaseTool.define({
  street: z.string().min(1).max(80),
  zip: z.int().min(0).max(99_999),
  country: z.string().nullish(),
}) {
  static override description = 'Formats a postal address.'
  static override returns = z.string()
  run() {
    return [this.street, this.zip, this.country].filter((part) => part != null).join(', ')
  }
}
class Now extends BaseTool.define({}) {
  run() {
    return undefined
  }
}
const tools = [addNumbers, planRoute, pick, FormatAddress, Now]

const guide = new Agent({
  name: 'Guide',
  model: 'demo',
  tools: [addNumbers],
  conversationStarters: ['What is 2 plus 3?'],
})
const expert = new Agent({ name: 'Expert', description: 'Knows the weather', model: 'demo' })
const support = new Agent({ name: 'Support', description: 'Looks after orders', model: 'demo' })
const team = new Agency(guide, {
  name: 'team',
  communicationFlows: [
    [guide, expert],
    [guide, support, Handoff],
  ],
})
const solo = new Agency(new Agent({ name: 'Solo', model: 'demo' }))

/** Servers for the checks: one open, one behind a token, one with AG-UI. A request that names a model of its own meets a scripted one. */
export async function startServers(logsDir: string, token: string) {
  const upstream = await startUpstream(() => ({ text: 'A scripted answer' }))
  Object.assign(process.env, {
    OPENAI_BASE_URL: upstream.baseURL,
    OPENAI_API_KEY: 'sk-contract',
    CONTRACT_TOKEN: token,
    CONTRACT_NONE: '',
  })
  const start = (options: ServeOptions) =>
    serve({
      agencies: { team, 'R&D': solo },
      tools,
      enableLogging: true,
      logsDir,
      host: '127.0.0.1',
      port: 0,
      banner: false,
      handleSignals: false,
      ...options,
    })
  const open = await start({ appTokenEnv: 'CONTRACT_NONE' })
  const closed = await start({ appTokenEnv: 'CONTRACT_TOKEN', protectDocs: true, metrics: true })
  const agui = await start({ appTokenEnv: 'CONTRACT_NONE', enableAgui: true, agui: true })
  const close = async () => void (await Promise.all([open, closed, agui, upstream].map((server) => server.close())))
  return { open: open.url, closed: closed.url, agui: agui.url, close }
}
