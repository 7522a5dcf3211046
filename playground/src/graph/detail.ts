/** What the graph's details show of the runs: the messages of an agent, and those between two agents. */
import { type CallEntry, type Entry, FRONT, type RunView } from '../run/run.ts'

/** A selected box or line of the graph. */
export type Selection = { kind: 'agent'; name: string } | { kind: 'flow'; from: string; to: string }

/** One thing that an agent did. `run` counts from 1. */
export interface Deed {
  run: number
  entry: Entry
  /** The call that opened the thread; undefined in the user's thread. */
  askedBy: CallEntry | undefined
}

/** A question from one agent to another with its answer, or a handoff. */
export interface Exchange {
  run: number
  handoff: boolean
  question: string
  answer: string | undefined
  failed: boolean
  active: boolean
}

/** Most entries that are shown; older ones are left out. */
const MOST = 100

const callsOf = (run: RunView): CallEntry[] =>
  [...run.threads.values()].flat().filter((entry): entry is CallEntry => entry.kind === 'call')

/** What an agent said and called in these runs, in order; the last `MOST`. */
export function deedsOf(runs: readonly RunView[], agent: string): Deed[] {
  return runs
    .flatMap((run, index) => {
      const calls = new Map(callsOf(run).map((call) => [call.id, call]))
      return [...run.threads].flatMap(([thread, entries]) =>
        entries
          .filter((entry) => ('agent' in entry ? entry.agent : entry.from) === agent)
          .map((entry) => ({ run: index + 1, entry, askedBy: thread === FRONT ? undefined : calls.get(thread) })),
      )
    })
    .slice(-MOST)
}

/** What one agent asked another in these runs, with the answers, and its handoffs to it; the last `MOST`. */
export function exchangesOf(runs: readonly RunView[], from: string, to: string): Exchange[] {
  return runs
    .flatMap((run, index) =>
      [...run.threads.values()].flat().flatMap((entry): Exchange[] => {
        if (entry.kind === 'handoff' && entry.from === from && entry.to === to)
          return [{ run: index + 1, handoff: true, question: '', answer: undefined, failed: false, active: false }]
        if (entry.kind !== 'call' || entry.agent !== from || run.speakers.get(entry.id) !== to) return []
        return [
          {
            run: index + 1,
            handoff: false,
            question: questionIn(entry.args),
            answer: entry.output === undefined ? undefined : textIn(entry.output),
            failed: entry.failure !== undefined,
            active: run.phase === 'running' && entry.state === 'open',
          },
        ]
      }),
    )
    .slice(-MOST)
}

function questionIn(args: string): string {
  try {
    const { message } = JSON.parse(args) as { message?: unknown }
    return typeof message === 'string' ? message : args
  } catch {
    return args // not complete yet
  }
}

const textIn = (output: unknown) => (typeof output === 'string' ? output : JSON.stringify(output, null, 2))
