import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Death, Durable, startAttempt } from '../../../tests/support/crashing-journal.ts'
import { brief, prepareRun, scriptedModel } from '../../../tests/support/scripted-model.ts'
import { Agency, Agent, tool } from '../../index.ts'
import type { Steering } from '../steering.ts'
import type { Journal } from './journal.ts'
import { resumeLoop, runLoop } from './loop.ts'

const MESSAGES = [
  { steerId: 's1', text: 'To the boss', thread: 'main' },
  { steerId: 's2', text: 'To the worker', thread: 'main/b1' },
  { steerId: 's3', text: 'Again to the worker', thread: 'main/b1' },
]

/** A boss who asks a worker, each with a tool; messages for both wait from the start. */
function createCompany() {
  const look = tool({ name: 'look', safeToRetry: true, execute: () => 'looked' })
  const answerAfter = (name: string, ...calls: object[]) =>
    scriptedModel(({ input }) => {
      const outputs = input.filter(({ type }) => type === 'function_call_output').length
      const call = calls[outputs]
      return call === undefined ? { text: `${name} is ready` } : { calls: [call as { name: string; id: string }] }
    })
  const bossModel = answerAfter(
    'Boss',
    {
      name: 'send_message',
      id: 'b1',
      arguments: { recipient_agent: 'Worker', message: 'Work', additional_instructions: '' },
    },
    { name: 'look', id: 'b2' },
  )
  const workerModel = answerAfter('Worker', { name: 'look', id: 'w1' })
  const boss = new Agent({ name: 'Boss', model: bossModel, tools: [look] })
  const worker = new Agent({ name: 'Worker', model: workerModel, tools: [look] })
  return { agency: new Agency(boss, { communicationFlows: [[boss, worker]] }), models: [bossModel, workerModel] }
}

/** What the store would know of the messages: a journal's write settles them. */
class Desk {
  readonly settled = new Map<string, string>()
  taken: string[] = []

  /** A message is known to one attempt, and taken with the write that says so. */
  open(inner: Journal, durable: Durable): { journal: Journal; steering: Steering } {
    const known = new Set(MESSAGES.map(({ steerId }) => steerId).filter((id) => !this.settled.has(id)))
    const knownFor = (thread: string) => MESSAGES.filter((one) => one.thread === thread && known.has(one.steerId))
    return {
      journal: {
        write: (change) => {
          for (const { steerId } of change.steers ?? []) known.delete(steerId)
          const before = durable.snapshot
          const written = inner.write(change)
          if (durable.snapshot !== before)
            for (const { steerId, status } of change.steers ?? []) {
              this.taken.push(steerId)
              this.settled.set(steerId, status)
            }
          return written
        },
      },
      steering: { knownFor, waitingFor: async (thread) => knownFor(thread), hold: () => undefined },
    }
  }
}

async function runUntilDone(deaths: readonly (Death | undefined)[]) {
  const { agency, models } = createCompany()
  const durable = new Durable()
  const desk = new Desk()
  for (const death of [...deaths, undefined]) {
    const attempt = startAttempt(durable, death)
    const { journal, steering } = desk.open(attempt.journal, durable)
    const { run } = prepareRun(agency, { ...attempt, journal, streaming: true })
    durable.takeUp()
    const { snapshot } = durable
    const steered = Object.assign(run, { steering })
    const working = snapshot === undefined ? runLoop(steered) : resumeLoop(steered, snapshot)
    const result = await Promise.race([working, attempt.died])
    if (result === 'died') {
      await sleep(5)
      continue
    }
    return { result, desk, models, messages: brief(run.transcript.newMessages()), writes: attempt.countWrites() }
  }
  throw new Error('unreachable')
}

test('agents take their messages in order, before their next model call', async () => {
  const { messages, models, desk } = await runUntilDone([])
  expect(messages.filter((line) => line.includes('To ') || line.includes('to the'))).toHaveLength(3)
  const [boss, worker] = models
  const saysIn = (index: number, of = boss) => of?.seen[index]?.input.map(({ content }) => content)
  expect(saysIn(0)?.at(-1)).toBe('To the boss')
  expect(saysIn(0, worker)?.slice(-2)).toEqual(['To the worker', 'Again to the worker'])
  expect(desk.taken.sort()).toEqual(['s1', 's2', 's3'])
})

test('a run cut before or after any write takes each message once', async () => {
  const uncut = await runUntilDone([])
  for (let write = 1; write <= uncut.writes; write++)
    for (const when of ['before', 'after'] as const) {
      if (write === 1 && when === 'before') continue // nothing was stored: the run begins anew
      const cut = await runUntilDone([{ write, when }])
      expect([write, when, cut.desk.taken.sort()]).toEqual([write, when, ['s1', 's2', 's3']])
      expect([write, when, cut.messages]).toEqual([write, when, uncut.messages])
    }
})
