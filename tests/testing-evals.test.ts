/** Evals: datasets of conversations with assertions, a judge and bounds, in process and by the command. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { toJUnit, toTable } from '../src/cli/eval-reports.ts'
import { Agency, Agent, Handoff, tool } from '../src/index.ts'
import {
  callTool,
  defineEval,
  expectRun,
  handOffTo,
  type ModelRequest,
  runEvals,
  script,
} from '../src/testing/index.ts'
import { emptyFolder, installInto, runCli } from './support/cli.ts'

/** A desk that refunds what is asked for, counts the users that it has greeted, and hands over. */
function createDesk(answer: (request: ModelRequest, signal: AbortSignal) => unknown, name = 'scripted') {
  const refund = tool({
    name: 'refund',
    parameters: z.object({ amount: z.number() }),
    execute: ({ amount }) => `refunded ${amount}`,
  })
  const model = script(answer as never, { name })
  const desk = new Agent({ name: 'Desk', model, tools: [refund] })
  const sales = new Agent({ name: 'Sales', model })
  return new Agency(desk, {
    communicationFlows: [[desk, sales, Handoff]],
    saveThreads: () => {},
    loadThreads: () => [],
  })
}

const obey = ({ input, agent }: ModelRequest) => {
  const text = String(input.findLast(({ role }) => role === 'user')?.content)
  const last = input.at(-1)
  if (agent === 'Sales') return 'Sales here.'
  if (last?.type === 'function_call_output') return `It is ${last.output}.`
  if (text.startsWith('Buy')) return handOffTo('Sales')
  if (text.startsWith('Refund')) return callTool('refund', { amount: Number(/\d+/.exec(text)) })
  return `Message ${input.filter(({ role }) => role === 'user').length}`
}

const judgeOf = (score: number, reason = 'Because.') => script(() => JSON.stringify({ score, reason }))

test('cases pass or fail by what is expected, each in a new conversation', async () => {
  const judge = judgeOf(0.6, 'Too short.')
  const dataset = defineEval({
    agency: createDesk(obey),
    judge: { model: judge, passMark: 0.5 },
    cases: [
      {
        name: 'refund',
        messages: ['Hi', 'Refund 17 dollars'],
        expect: {
          called: [{ tool: 'refund', agent: 'Desk', arguments: { amount: 17 }, times: 1 }],
          notCalled: ['order'],
          answer: 'refunded 17',
          matches: '^It is',
          endsWith: '17.',
          costBelowUsd: 1,
        },
        check: (run) => expectRun(run).not.toHaveHandedOff('Sales'),
      },
      { name: 'fresh', messages: 'Hi', expect: { answer: 'Message 1' }, repeat: 2 },
      { name: 'handoff', messages: 'Buy', expect: { handedOff: ['Sales'] }, rubric: 'It greets.' },
      { name: 'strict', messages: 'Hi', rubric: 'It greets warmly.', passMark: 0.9 },
      {
        name: 'wrong',
        messages: 'Refund 20',
        expect: {
          called: [{ tool: 'refund', arguments: { amount: 17 } }],
          notCalled: ['refund'],
          delegated: [['Desk', 'Sales']],
        },
        check: () => {
          throw new Error('My own <check>')
        },
      },
    ],
  })
  const report = await runEvals({ desk: dataset })
  const brief = report.results.map(({ case: name, status, score }) => [name, status, score])
  expect(brief).toEqual([
    ['refund', 'passed', undefined],
    ['fresh', 'passed', undefined],
    ['fresh', 'passed', undefined],
    ['handoff', 'passed', 0.6],
    ['strict', 'failed', 0.6],
    ['wrong', 'failed', undefined],
  ])
  expect(report.passed).toBe(false)
  expect(report.results[4]?.failures).toEqual(['The judge gave 0.6, and 0.9 is the pass mark: Too short.'])
  expect(report.results[5]?.failures).toEqual([
    'Expected the run to have called refund with {"amount":17}. It called refund({"amount":20}) by Desk, where amount is 20, expected 17.',
    'Expected the run not to have called refund. It called refund({"amount":20}) by Desk.',
    'Expected the run to have a message from Desk to Sales. Messages: none.',
    'My own <check>',
  ])
  const question = String(judge.requests[0]?.input[0]?.content)
  expect(question).toMatch(/<rubric>\nIt greets\.\n<\/rubric>[\s\S]*User: Buy[\s\S]*Sales: Sales here\./)
  expect(judge.requests[0]?.outputSchema?.schema).toMatchObject({ required: ['reason', 'score'] })

  const junit = toJUnit(report)
  expect(junit).toContain('<testsuite name="desk" tests="6" failures="2" skipped="0">')
  expect(junit).toContain('<testcase classname="desk" name="fresh (2)"')
  expect(junit).toContain('My own &lt;check&gt;</failure>')
  expect(toTable(report)).toMatch(/FAIL {2}desk > strict +0\.60[\s\S]*4 passed, 2 failed, 0 skipped/)
})

test('a bound on time, costs and concurrency holds', async () => {
  const hang = (_request: ModelRequest, signal: AbortSignal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const cases = [{ name: 'slow', messages: 'Hi' }]
  const late = await runEvals({ a: { agency: createDesk(hang), cases } }, { timeoutMs: 20 })
  expect(late.results[0]).toMatchObject({ status: 'failed', failures: ['It took longer than 20 ms.'] })

  const many = ['a', 'b', 'c', 'd'].map((name) => ({ name, messages: 'Hi' }))
  const priced = {
    agency: () => createDesk(() => ({ text: 'x', usage: { input_tokens: 100, output_tokens: 1_000 } }), 'gpt-4.1'),
    cases: many,
  }
  const capped = await runEvals({ priced }, { maxCostUsd: 0.3, concurrency: 1 })
  const capAt = (maxCostUsd: number) => runEvals({ priced }, { maxCostUsd, concurrency: 1 })
  expect(capped.passed).toBe(true)
  expect(capped.costUsd).toBeCloseTo(4 * 0.0082)
  const cut = await capAt(0.001)
  expect(cut.results.map(({ status }) => status)).toEqual(['failed', 'skipped', 'skipped', 'skipped'])
  expect(cut.results[1]?.failures[0]).toBe('It was not run: the bound of $0.001 is reached.')

  let [open, most] = [0, 0]
  const count = async () => {
    most = Math.max(most, ++open)
    await new Promise(setImmediate)
    open--
    return 'x'
  }
  await runEvals({ many: { agency: createDesk(count), cases: many } }, { concurrency: 2 })
  expect(most).toBe(2)
})

test.for([
  ['an unknown field', { cases: [{ name: 'a', messages: 'x', expects: {} }] }, /Unrecognized key: "expects"/],
  ['no cases', { cases: [] }, /cases/],
  [
    'two of one name',
    {
      cases: [
        { name: 'a', messages: 'x' },
        { name: 'a', messages: 'y' },
      ],
    },
    /Two cases of an eval are called "a"/,
  ],
] as const)('a dataset with %s is refused', ([, given, message]) => {
  expect(() => defineEval({ agency: createDesk(obey), ...given } as never)).toThrow(message)
})

test('the command runs files, reports, keeps results, and fails with 1', async () => {
  const cwd = emptyFolder()
  installInto(cwd)
  mkdirSync(join(cwd, 'evals'))
  writeFileSync(join(cwd, 'package.json'), '{"type":"module"}')
  writeFileSync(join(cwd, 'agency.ts'), AGENCY)
  writeFileSync(join(cwd, 'evals/weather.eval.ts'), EVAL)
  const wrong = {
    name: 'wrong',
    messages: 'What is the weather in Rome?',
    expect: { called: [{ tool: 'get_weather', arguments: { city: 'Oslo' } }] },
  }
  writeFileSync(join(cwd, 'evals/more.json'), JSON.stringify({ agency: '../agency.ts', cases: [wrong] }))
  const [all, some, none] = await Promise.all([
    runCli(['eval', '--junit', 'junit.xml', '--json', 'report.json'], { cwd }),
    runCli(['eval', 'evals/weather.eval.ts', '--filter', 'oslo', '--results', 'kept', '--max-cost', '1'], { cwd }),
    runCli(['eval', 'evals/weather.eval.ts', '--filter', 'nothing'], { cwd }),
  ])
  expect(all).toMatchObject({
    code: 1,
    out: expect.stringMatching(
      /FAIL {2}more > wrong[\s\S]*expected "Oslo"[\s\S]*pass {2}weather > Oslo[\s\S]*1 passed, 1 failed/,
    ),
  })
  expect(some).toMatchObject({ code: 0, out: expect.stringContaining('1 passed, 0 failed, 0 skipped') })
  expect(none).toMatchObject({ code: 1, err: expect.stringContaining('No case of the evals is left to run') })
  const report = JSON.parse(readFileSync(join(cwd, 'report.json'), 'utf8'))
  expect(report).toMatchObject({
    passed: false,
    results: [{ dataset: 'more', status: 'failed' }, { dataset: 'weather' }],
  })
  expect(readFileSync(join(cwd, 'junit.xml'), 'utf8')).toContain('<testsuites tests="2" failures="1"')
  const [kept] = readdirSync(join(cwd, '.agency_swarm/evals'))
  expect(JSON.parse(readFileSync(join(cwd, '.agency_swarm/evals', kept as string), 'utf8'))).toEqual(report)
  expect(readdirSync(join(cwd, 'kept'))).toHaveLength(1)
})

const AGENCY = `import { Agency, Agent, tool } from 'agency-swarm-js'
import { z } from 'zod'
const weather = tool({ name: 'get_weather', description: 'Get the weather for a city.', parameters: z.object({ city: z.string() }), execute: ({ city }) => 'Sunny in ' + city })
export const agency = new Agency(new Agent({ name: 'Guide', model: 'demo', tools: [weather] }))
`
const EVAL = `import { defineEval, expectRun } from 'agency-swarm-js/testing'
import { agency } from '../agency.ts'
export default defineEval({
  agency,
  cases: [{ name: 'Oslo', messages: 'What is the weather in Oslo?', check: (run) => expectRun(run).toHaveCalled('get_weather').toAnswer('Sunny in Oslo') }],
})
`
