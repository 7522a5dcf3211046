/** The command `record`, and `replay()`: a stored run as a regression test. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { createClient, type Run } from '../src/client/index.ts'
import { Agency, Agent, customTool, Handoff, memory, type RunningServer, serve, tool } from '../src/index.ts'
import { askAgent, callTool, expectRun, handOffTo, override, replay, script } from '../src/testing/index.ts'
import { emptyFolder, installInto, runCli, start } from './support/cli.ts'

interface Changes {
  /** What the real tool answers. */
  answer?: string
  tool?: string
  sales?: boolean
}

const done: unknown[] = []
function createShop({ answer = 'refunded', tool: name = 'refund', sales = true }: Changes = {}) {
  const parameters = z.object({ amount: z.number(), api_key: z.string().optional() })
  const execute = (input: object) => {
    done.push(input)
    return answer
  }
  const refund = tool({ name, parameters, execute, safeToRetry: true })
  const [desk, billing, seller] = ['Desk', 'Billing', 'Sales'].map(
    (name) => new Agent({ name, model: 'gpt-5.4', tools: name === 'Billing' ? [refund] : [] }),
  ) as [Agent, Agent, Agent]
  const flows = [[desk, billing], ...(sales ? [[desk, seller, Handoff]] : [])]
  return new Agency(desk, { communicationFlows: flows as never })
}

const SERVED = () =>
  script({
    Desk: [
      'Hello.',
      { reasoning: 'Two refunds.', ...askAgent('Billing', 'Refund 17 and 3') },
      { ...handOffTo('Sales'), text: 'I hand over.' },
    ],
    Billing: [
      { calls: [17, 3].map((amount) => ({ name: 'refund', arguments: { amount, api_key: 'k-very-secret' } })) },
      'Both are paid.',
    ],
    Sales: ['All done. Bearer abcdefgh12345678'],
  })

const TOKEN = 'token-of-the-shop'
const folder = mkdtempSync(join(tmpdir(), 'replay-'))
const recording = join(folder, 'refund.json')
let server: RunningServer
let run: Run

beforeAll(async () => {
  vi.stubEnv('SHOP_TOKEN', TOKEN)
  server = await serve({
    agencies: { other: createShop(), shop: override(createShop(), { model: SERVED() }) },
    runs: { store: memory() },
    appTokenEnv: 'SHOP_TOKEN',
    keyPerRequest: true,
    host: '127.0.0.1',
    port: 0,
    banner: false,
    handleSignals: false,
  })
  const { runs } = createClient({ baseUrl: server.url, token: TOKEN }).agency('shop')
  const talk = async (message: string) =>
    runs.get((await runs.start({ message, thread_id: 't1' })).run_id, { wait: 10 })
  const { new_messages: history } = await talk('Hi')
  run = await talk('My mugs are broken')
  expect(run.status).toBe('completed')
  const { run_id, agency, recipient_agent, new_messages, response } = run
  const content = { kind: 'run', version: 1, run_id, agency, recipient_agent, history, new_messages, response }
  writeFileSync(recording, JSON.stringify(content))
}, 60_000)
afterAll(async () => {
  await server.close()
  rmSync(folder, { recursive: true })
})

test('the command writes a fixture without secrets, and a test that passes', async () => {
  const cwd = emptyFolder()
  installInto(cwd)
  writeFileSync(join(cwd, 'agency.ts'), AGENCY)
  const record = (...args: string[]) => runCli(['record', '--url', server.url, '--token', TOKEN, ...args], { cwd })
  const [wrote, stranger, taken] = await Promise.all([
    record(run.run_id, '--out', 'tests/refund.test.ts'),
    record('nobody', '--agency', 'shop'),
    record(run.run_id, '--out', 'agency.ts'),
  ])
  expect(wrote.err).toContain('Wrote tests/refund.test.ts and tests/refund.json.')
  expect(taken).toMatchObject({ code: 1, err: expect.stringContaining('--force overwrites it') })
  expect(stranger).toMatchObject({ code: 1, err: expect.stringContaining('Run nobody cannot be recorded') })
  const fixture = readFileSync(join(cwd, 'tests/refund.json'), 'utf8')
  expect(fixture).not.toMatch(/k-very-secret|abcdefgh12345678/)
  expect(JSON.parse(fixture)).toMatchObject({
    kind: 'run',
    agency: 'shop',
    recipient_agent: 'Desk',
    response: 'All done. [redacted]',
    history: [{ role: 'user', content: 'Hi' }, { role: 'assistant' }],
  })
  const ran = await start(process.execPath, ['--test', 'tests/refund.test.ts'], { cwd }).ended
  expect(ran).toMatchObject({ code: 0, out: expect.stringMatching(/run [\w-]+ goes as recorded/) })
  const text = readFileSync(join(cwd, 'tests/refund.test.ts'), 'utf8')
  expect(text).toContain(`import { agency } from "../agency.ts"`)
  expect(text).toContain(`"arguments":{"amount":17,"api_key":"[redacted]"}`)
})

/** The same shop, as a user's file. */
const AGENCY = `import { Agency, Agent, Handoff, tool } from 'agency-swarm-js'
import { z } from 'zod'
const refund = tool({ name: 'refund', parameters: z.object({ amount: z.number(), api_key: z.string().optional() }), execute: () => { throw new Error('not in tests') } })
const desk = new Agent({ name: 'Desk' })
const billing = new Agent({ name: 'Billing', tools: [refund] })
const sales = new Agent({ name: 'Sales' })
export const agency = new Agency(desk, { communicationFlows: [[desk, billing], [desk, sales, Handoff]] })
`

test('models and tools answer from the file, and nothing runs', async () => {
  done.length = 0
  const result = await replay(createShop(), recording)
  expectRun(result)
    .toHaveCalled('refund', { agent: 'Billing', times: 2 })
    .toHaveDelegated('Desk', 'Billing', 'Refund 17 and 3')
    .toHaveHandedOff('Sales')
    .toEndWith('All done. Bearer abcdefgh12345678')
  expect(done).toEqual([])
  await expect(replay(createShop(), recording, { tools: 'real' })).resolves.toMatchObject({ cancelled: false })
  expect(done).toHaveLength(2)
})

const differences: [string, () => Promise<unknown>, RegExp][] = [
  [
    'the output of a tool that runs',
    () => replay(createShop({ answer: 'refused' }), recording, { tools: 'real' }),
    /turn 1 of Billing, in the conversation with Desk and Billing: \{"agent":"Billing","output":"refused"\}, recorded \{"agent":"Billing","output":"refunded"\}/,
  ],
  [
    'the arguments of a model that runs',
    () => replay(createShop(), recording, { model: own(20) }),
    /refund\.json: turn 1 of Billing: called refund with amount 20, recorded 17\. If this is intended, record the run anew/,
  ],
  [
    'a call that was not made',
    () => replay(createShop(), recording, { model: script(['Nothing to do.']) }),
    /Billing did not call refund with \{"amount":17/,
  ],
  [
    'a tool that is gone',
    () => replay(createShop({ tool: 'repay' }), recording),
    /turn 1 of Desk.*Tool refund not found in agent Billing/,
  ],
]
test.for(differences)('replay names %s', async ([, run, message]) => {
  done.length = 0
  await expect(run()).rejects.toThrow(message)
})

/** A model that asks for another amount. */
const own = (amount: number) =>
  script({
    Desk: [askAgent('Billing', 'Refund'), 'Well.'],
    Billing: [callTool('refund', { amount, api_key: 'k-very-secret' }), 'Done.'],
  })

test('a call that differs does not run', async () => {
  done.length = 0
  await expect(replay(createShop(), recording, { model: own(20), tools: 'real' })).rejects.toThrow(
    /amount 20, recorded 17/,
  )
  expect(done).toEqual([])
})

test('a file that is not a recording is refused', async () => {
  writeFileSync(join(folder, 'wrong.json'), '{"kind":"model"}')
  await expect(replay(createShop(), join(folder, 'wrong.json'))).rejects.toMatchObject({ code: 'RECORDING_INVALID' })
  await expect(replay(createShop(), join(folder, 'none.json'))).rejects.toThrow(/none\.json cannot be used: .*ENOENT/)
  await expect(replay(createShop(), recording, { models: 'own' } as never)).rejects.toThrow(
    /replay\(\) has no option "models"/,
  )
})

test('calls with item types of their own are replayed, too', async () => {
  const ran: string[] = []
  const sql = customTool({ name: 'sql', execute: (text) => `${ran.push(text)} row` })
  const call = { id: 'ctc_1', type: 'custom_tool_call', call_id: 'c1', name: 'sql', input: 'select 1' }
  const solo = new Agency(new Agent({ name: 'Solo', model: script([{ items: [call] }, 'One row.']), tools: [sql] }))
  const { newMessages, finalOutput: response } = await solo.getResponse('How many?')
  const file = join(folder, 'sql.json')
  const about = { kind: 'run', version: 1, run_id: 'r', agency: 'solo', recipient_agent: 'Solo', history: [] }
  writeFileSync(file, JSON.stringify({ ...about, new_messages: newMessages, response }))
  expectRun(await replay(solo, file))
    .toHaveCalled('sql', { arguments: { input: 'select 1' } })
    .toAnswer('One row.')
  expect(ran).toEqual(['select 1'])
})
