import { mkdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { Agency, type AgencyCallbacks, Agent, BaseTool, Handoff, type ServeOptions, tool } from '../../src/index.ts'

/** A JSON Schema as the original derives it from a function. */
const schema = (name: string, properties: { [name: string]: object }, required = Object.keys(properties)) => ({
  properties,
  required,
  title: `${name}_args`,
  type: 'object',
  additionalProperties: false,
})
const text = (title: string) => ({ title, type: 'string' })
const fail = (message: string): never => {
  throw new Error(message)
}

const getWeather = tool({
  name: 'get_weather',
  description: 'Return the weather for a city.',
  parameters: schema('get_weather', { city: text('City') }),
  execute: ({ city }) => `Sunny in ${city}`,
})
const explode = tool({
  name: 'explode',
  description: 'Always fails.',
  parameters: schema('explode', { reason: text('Reason') }),
  execute: ({ reason }) => fail(`boom: ${reason}`),
})
const whoami = tool({
  name: 'whoami',
  description: 'Report the caller from the user context.',
  parameters: schema('whoami', {}),
  execute: (_input, context) => {
    context.set('seen', true)
    return `user=${context.get('user_id', 'None')} plan=${context.get('plan', 'None')}`
  },
})
const slowStep = tool({
  name: 'slow_step',
  description: 'Sleep, then answer.',
  parameters: schema('slow_step', { seconds: { title: 'Seconds', type: 'number' } }),
  execute: async ({ seconds }, { signal }) => {
    await sleep(Number(seconds) * 1000, undefined, { signal })
    return `slept ${Number.isInteger(seconds) ? `${seconds}.0` : seconds}`
  },
})

const exampleTool = tool({
  name: 'example_tool',
  description: 'Example tool with input field.',
  parameters: schema('example_tool', { example_field: text('Example Field') }),
  execute: ({ example_field }) => `Result of ExampleTool operation with ${example_field}`,
})
const addNumbers = tool({
  name: 'add_numbers',
  description: 'Add two integers.',
  parameters: schema(
    'add_numbers',
    { a: { title: 'A', type: 'integer' }, b: { default: 5, title: 'B', type: 'integer' } },
    ['a'],
  ),
  execute: ({ a, b = 5 }) => String(Number(a) + Number(b)),
})
const failTool = tool({
  name: 'fail_tool',
  description: 'Always fails.',
  parameters: schema('fail_tool', { text: text('Text') }),
  execute: (input) => fail(`cannot handle ${input.text}`),
})

class Address extends BaseTool.define({
  street: z.string().describe('Street name'),
  zip_code: z.number().int().describe('Postal code'),
  extra: z.object({ line: z.string(), number: z.number().int().default(1) }).nullish(),
}) {
  static override description = 'Format a postal address.'
  run() {
    return `${this.street} ${this.zip_code}${this.extra ? ` ${this.extra.line}/${this.extra.number}` : ''}`
  }
}
class BrokenTool extends BaseTool.define({ text: z.string().default('x') }) {
  static override description = 'Raises when run.'
  async run() {
    return fail('broken tool ran')
  }
}
class DictTool extends BaseTool.define({ n: z.number().int().min(0).max(10).default(2) }) {
  static override description = 'Returns structured data.'
  run() {
    return { n: this.n, items: [1, 2] }
  }
}
class QuietHandoff extends Handoff {
  static override addReminder = false
}

const model = 'gpt-4.1'
const starters = ['Support: I need help with billing']

const testAgency = ({ loadThreads }: AgencyCallbacks) =>
  new Agency(
    new Agent({
      name: 'Assistant',
      description: 'Main assistant agent',
      instructions: 'You are a helpful assistant.',
      model,
      conversationStarters: starters,
    }),
    { name: 'test_agency', loadThreads },
  )

const toolsAgency = ({ loadThreads }: AgencyCallbacks) =>
  new Agency(
    new Agent({
      name: 'Toolsmith',
      instructions: 'You use tools.',
      model,
      tools: [getWeather, explode, whoami, slowStep],
    }),
    { name: 'tools_agency', userContext: { plan: 'free' }, loadThreads },
  )

function myTeam({ loadThreads }: AgencyCallbacks) {
  const ceo = new Agent({ name: 'CEO', description: 'Runs the company', instructions: 'You are the CEO.', model })
  const developer = new Agent({
    name: 'Developer',
    description: 'Writes code',
    instructions: 'You are the Developer.',
    model,
    tools: [getWeather],
  })
  const tester = new Agent({
    name: 'Tester',
    description: 'Tests code',
    instructions: 'You are the Tester.',
    model: 'gpt-4.1-mini',
  })
  return new Agency(ceo, {
    name: 'my team',
    sharedInstructions: 'Company manifesto.',
    communicationFlows: [
      [ceo, developer],
      [ceo, tester],
      [developer, tester],
    ],
    loadThreads,
  })
}

function supportDesk({ loadThreads }: AgencyCallbacks) {
  const triage = new Agent({ name: 'Triage', description: 'Routes requests', instructions: 'You are Triage.', model })
  const billing = new Agent({
    name: 'Billing Team',
    description: 'Handles invoices',
    instructions: 'You are Billing.',
    model,
    tools: [getWeather],
  })
  const legal = new Agent({
    name: 'Legal',
    description: 'Handles contracts',
    instructions: 'You are Legal.',
    model,
    handoffReminder: 'Stay formal.',
  })
  return new Agency([triage, billing], {
    name: 'support desk',
    communicationFlows: [
      [triage, billing, Handoff],
      [triage, legal, QuietHandoff],
      [billing, legal, Handoff],
    ],
    loadThreads,
  })
}

const starterAgency = ({ loadThreads }: AgencyCallbacks) =>
  new Agency(
    new Agent({
      name: 'Greeter',
      description: 'Greets people',
      instructions: 'Greet.',
      model,
      conversationStarters: starters,
      quickReplies: ['hi', 'hello'],
    }),
    { name: 'starter_agency', loadThreads },
  )

/** The server of each mode; null for a mode that this version cannot serve. */
export function modes({ mock, tmp }: { mock: string; tmp: string }): { [mode: string]: ServeOptions | null } {
  mkdirSync(`${tmp}/allowed`, { recursive: true })
  process.env.CONFORMANCE_TOKEN = 'secret-123'
  const agencies = {
    test_agency: testAgency,
    tools_agency: toolsAgency,
    'my team': myTeam,
    'support desk': supportDesk,
  }
  const tools = [exampleTool, addNumbers, failTool, Address, BrokenTool, DictTool]
  const trusted = { trustedModelOrigins: [mock], trustedFileOrigins: [mock] }
  return {
    main: {
      agencies,
      tools,
      ...trusted,
      corsOrigins: ['*'], // the original's default, which on loopback has to be chosen here
      allowedLocalFileDirs: [`${tmp}/allowed`, `${tmp}/not-yet`],
      enableLogging: true,
      logsDir: `${tmp}/logs`,
    },
    auth: {
      agencies,
      tools,
      ...trusted,
      appTokenEnv: 'CONFORMANCE_TOKEN',
      corsOrigins: ['https://app.example.com'],
      enableLogging: true,
      logsDir: `${tmp}/auth-logs`,
    },
    plain: {
      agencies: { starter_agency: starterAgency, ...agencies },
      tools: [exampleTool],
      ...trusted,
      serverUrl: 'https://api.example.com',
    },
    agui: { agencies, enableAgui: true, ...trusted, allowedLocalFileDirs: [`${tmp}/allowed`] },
  }
}
