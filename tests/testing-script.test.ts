/** `agency-swarm-js/testing`: scripted models, overrides and assertions, in process and behind a server. */
import { AssertionError } from 'node:assert'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createClient } from '../src/client/index.ts'
import { Agency, Agent, Handoff, memory, tool } from '../src/index.ts'
import { askAgent, callTool, expectRun, handOffTo, override, script } from '../src/testing/index.ts'
import { startServer } from './support/client.ts'

const refund = tool({
  name: 'refund',
  parameters: z.object({ amount: z.number(), reason: z.string().optional() }),
  execute: ({ amount }) => `refunded ${amount}`,
})

/** A production agency: its models need a key. */
function createShop() {
  const desk = new Agent({ name: 'Desk', instructions: 'Be kind.', model: 'gpt-5.4' })
  const billing = new Agent({ name: 'Billing', model: 'gpt-5.4', tools: [refund] })
  const sales = new Agent({ name: 'Sales', model: 'gpt-5.4' })
  return new Agency(desk, {
    name: 'shop',
    sharedInstructions: 'We are a shop.',
    communicationFlows: [
      [desk, billing],
      [desk, sales, Handoff],
    ],
  })
}

const refundScript = () =>
  script({
    Desk: [askAgent('Billing', 'Refund 17 dollars'), 'You get 17 dollars back.'],
    Billing: [callTool('refund', { amount: 17 }), 'Done.'],
  })

test('a script answers by agent, and notes what each was asked', async () => {
  const model = refundScript()
  const shop = override(createShop(), { model })
  const result = await shop.getResponse('My mug is broken')
  expectRun(result)
    .toHaveDelegated('Desk', 'Billing', /17 dollars/)
    .toHaveCalled('refund', { arguments: { amount: 17 }, agent: 'Billing', times: 1 })
    .toAnswer('17 dollars')
    .toEndWith('back.')
    .toCost({ below: 0.01 })
    .not.toHaveHandedOff('Sales')
    .not.toHaveCalled('refund', { agent: 'Desk' })
  expect(model.remaining).toBe(0)
  expect(model.requests.map(({ agent }) => agent)).toEqual(['Desk', 'Billing', 'Billing', 'Desk'])
  const [first, second, third] = model.requests
  expect(first?.instructions).toMatch(/We are a shop\.[\s\S]*Be kind\./)
  expect(second?.tools.map(({ name }) => name)).toEqual(['refund'])
  expect(second?.input.at(-1)?.content).toBe('Refund 17 dollars')
  expect(third?.input.at(-1)).toMatchObject({ type: 'function_call_output', output: 'refunded 17' })
})

test('tools get stand-ins, whose arguments are checked as before', async () => {
  const calls: unknown[] = []
  const standIn = (input: { amount: number }) => {
    calls.push(input)
    return 'not really'
  }
  const model = script({
    Desk: [askAgent('Billing', 'Refund'), 'ok'],
    Billing: [callTool('refund', { amount: 'many' }), callTool('refund', { amount: 5 }), 'ok'],
  })
  const result = await override(createShop(), { model, tools: { refund: standIn } }).getResponse('Refund me')
  expect(calls).toEqual([{ amount: 5 }])
  expectRun(result).toHaveCalled('refund', { times: 2 })
  expect(model.requests[2]?.input.at(-1)?.output).toMatch(/do not fit/)
  expect(() => override(createShop(), { tools: { refnd: standIn } })).toThrow(
    /"refnd", which no agent has\. Tools: refund/,
  )
})

test('a stream sends reasoning, deltas and calls, and may fail midway', async () => {
  const model = script([
    {
      reasoning: 'The mug is broken.',
      deltas: ['One ', 'moment', '.'],
      calls: [{ name: 'refund', arguments: { amount: 1 } }],
    },
    { text: 'Half an', error: 'The provider is down' },
  ])
  const stream = override(createShop(), { model }).getResponseStream('Hi', { recipientAgent: 'Billing' })
  const deltas: string[] = []
  const read = async () => {
    for await (const event of stream)
      if (event.type === 'raw_response_event' && /text\.delta$/.test(event.data.type))
        deltas.push(String(event.data.delta))
  }
  await expect(read()).rejects.toMatchObject({ code: 'MODEL_FAILED', message: 'The provider is down' })
  expect(deltas).toEqual(['The mug is broken.', 'One ', 'moment', '.', 'Half an'])
})

test('a script without a fitting answer says what was asked, and what is left', async () => {
  const ask = (answers: Parameters<typeof script>[0]) =>
    override(createShop(), { model: script(answers) }).getResponse('Where is my mug?')
  await expect(ask([])).rejects.toMatchObject({
    code: 'SCRIPT_ENDED',
    message:
      'The script has no answer for request 1 of agent "Desk", which was asked "Where is my mug?", with the tools send_message, transfer_to_Sales. All 0 answers are used.',
  })
  await expect(
    ask([
      { match: 'plate', text: 'x' },
      { agent: 'Sales', text: 'y' },
    ]),
  ).rejects.toThrow('The 2 answers left are for: any agent, matching plate; agent "Sales".')
  await expect(ask([{ match: /mug\?$/, text: 'Here.' }])).resolves.toMatchObject({ finalOutput: 'Here.' })
  await expect(ask(({ agent, tools }) => `${agent} has ${tools.length}`)).resolves.toMatchObject({
    finalOutput: 'Desk has 2',
  })
  expect(() => script([{ txt: 'Hi' } as never])).toThrow(/Answer 1 of script\(\) has no option "txt"/)
})

test('a script answers behind a server, for stored runs and streams', async () => {
  const model = script([handOffTo('Sales'), 'Sales here.', 'Hello again.'])
  const server = await startServer({ agencies: { shop: override(createShop(), { model }) }, runs: { store: memory() } })
  const { runs, ...agency } = createClient({ baseUrl: server.url }).agency('shop')
  const { run_id } = await runs.start('I want a mug')
  const run = await runs.get(run_id, { wait: 10 })
  expectRun(run)
    .toHaveHandedOff('Sales', { from: 'Desk' })
    .toAnswer(/^Sales here\.$/)
  expectRun(run.new_messages ?? [])
    .toHaveHandedOff('Sales')
    .toAnswer('Sales here.')
  const stream = agency.stream('Hi')
  const texts: string[] = []
  for await (const text of stream.text()) texts.push(text)
  expect(texts.join('')).toBe('Hello again.')
  expect(texts.length).toBeGreaterThan(1)
})

const failures: [string, (run: ReturnType<typeof expectRun>) => unknown, string][] = [
  [
    'arguments',
    (run) => run.toHaveCalled('refund', { arguments: { amount: 20 } }),
    'Expected the run to have called refund with {"amount":20}. It called refund({"amount":17}) by Billing, where amount is 17, expected 20.',
  ],
  ['a missing call', (run) => run.toHaveCalled('order'), 'It called refund({"amount":17}) by Billing.'],
  ['a call', (run) => run.not.toHaveCalled('refund'), 'Expected the run not to have called refund.'],
  ['times', (run) => run.toHaveCalled('refund', { times: 2 }), 'to have called refund 2 times'],
  ['a handoff', (run) => run.toHaveHandedOff('Sales'), 'to have been handed off to Sales. Handoffs: none.'],
  ['a message', (run) => run.toHaveDelegated('Billing', 'Desk'), 'Messages: Desk to Billing ("Refund 17 dollars").'],
  ['an answer', (run) => run.toAnswer(/20/), 'to answer with /20/. It answered "You get 17 dollars back.".'],
  ['the end', (run) => run.toEndWith('now.'), 'Expected the run to end with "now."'],
  ['costs', (run) => run.toCost({ below: 0 }), 'to cost below $0. It cost $0.'],
]
test('a failed assertion says what was expected and what happened', async () => {
  const run = expectRun(await override(createShop(), { model: refundScript() }).getResponse('Refund'))
  for (const [name, check, message] of failures) {
    const error = caught(() => check(run))
    expect(error, name).toBeInstanceOf(AssertionError)
    expect((error as Error).message, name).toContain(message)
  }
  run.toHaveCalled('refund', { arguments: { amount: expect.any(Number) } })
  expect(caught(() => run.toHaveCalled('refund', { arguments: { amount: 20 } }))).toMatchObject({
    actual: { amount: 17 },
    expected: { amount: 20 },
  })
  expect(() => expectRun(Promise.resolve() as never)).toThrow(/Did you forget an await/)
})

test('structured answers are compared by the fields that are given', () => {
  const finalOutput = { total: 17, items: [{ name: 'mug' }] }
  const run = expectRun({ newMessages: [], finalOutput })
  run.toAnswer({ items: [{ name: /^m/ }] }).toAnswer(({ total }) => total > 10)
  expect(() => run.toAnswer({ items: [{ name: 'cup' }] })).toThrow(/items\[0\]\.name is "mug", expected "cup"/)
})

function caught(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}
