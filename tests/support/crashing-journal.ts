/** A journal in memory that can die at any write, and a log of frames as a reader of the stream would see it. */
import type { RunEvent } from '../../src/runs/events.ts'
import {
  applyChange,
  type Decision,
  findVoidFrames,
  type Journal,
  type LoggedFrame,
  type RunSnapshot,
} from '../../src/runs/loop/journal.ts'

/** When the process dies: right after a write was committed, or right before it would be. */
export interface Death {
  write: number
  when: 'before' | 'after'
}

interface Frame extends LoggedFrame {
  text: string
}

/** What outlives the process: the snapshot and the frames. */
export class Durable {
  snapshot: RunSnapshot | undefined
  frames: Frame[] = []
  readonly covered = new Map<string, number>()
  #lastNumber = 0

  /** A new attempt: what readers drop, and what they get again. */
  takeUp(): void {
    const { voidAfter, again } = findVoidFrames(this.frames, this.covered)
    const repeated = this.frames.filter(({ number }) => again.includes(number))
    this.frames = this.frames.filter(({ number }) => number <= voidAfter)
    for (const { scope, text } of repeated) {
      this.add(scope, text)
      this.covered.set(scope, this.#lastNumber)
    }
  }

  add(scope: string, text: string): void {
    this.frames.push({ number: ++this.#lastNumber, scope, text })
  }

  cover(scopes: readonly string[]): void {
    for (const scope of scopes) this.covered.set(scope, this.#lastNumber)
  }

  decide(callId: string, decision: Decision): void {
    const approval = this.snapshot?.approvals.find((one) => one.callId === callId)
    if (approval === undefined) throw new Error(`There is no approval for ${callId}.`)
    approval.decision = decision
  }
}

/** One attempt at a run. After its death nothing of it is recorded, and its writes never return. */
export function startAttempt(durable: Durable, death?: Death) {
  const { promise: died, resolve: die } = Promise.withResolvers<'died'>()
  const never = new Promise<void>(() => {})
  let writes = 0
  let dead = false
  const end = () => {
    dead = true
    die('died')
    return never
  }
  const journal: Journal = {
    write(change) {
      if (dead) return never
      writes++
      if (death?.write === writes && death.when === 'before') return end()
      durable.snapshot = JSON.parse(JSON.stringify(applyChange(durable.snapshot, change)))
      durable.cover(change.covers)
      return death?.write === writes ? end() : Promise.resolve()
    },
  }
  const onEmit = (event: RunEvent, scope: string) => {
    if (!dead) durable.add(scope, describeFrame(event))
  }
  return { journal, onEmit, died, countWrites: () => writes, isDead: () => dead }
}

function describeFrame(event: RunEvent): string {
  switch (event.kind) {
    case 'agent':
      return `${event.who.agent} speaks`
    case 'model':
      return `${event.who.agent} ${event.event.type} ${event.event.delta ?? ''}`
    case 'item':
      return `${event.who.agent} ${event.name} ${event.raw.call_id ?? JSON.stringify(event.raw.content)} ${JSON.stringify(event.output ?? '')}`
    default:
      return `${event.kind} ${JSON.stringify(event)}`
  }
}

/** Frames by scope: threads side by side have no order between them. */
export const framesByScope = ({ frames }: Durable): { [scope: string]: string[] } =>
  Object.fromEntries(
    [...Map.groupBy(frames, ({ scope }) => scope)].map(([scope, list]) => [scope, list.map(({ text }) => text)]).sort(),
  )
