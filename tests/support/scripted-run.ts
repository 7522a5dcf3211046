/** A plan whose model is scripted at its interface, for tests of what runs a plan. */
import { onTestFinished } from 'vitest'
import type { AgencyOptions } from '../../src/agency/agency.ts'
import { Agency, Agent } from '../../src/agency-swarm.ts'
import { readLimits } from '../../src/base/limits.ts'
import type { ServerLog } from '../../src/base/log.ts'
import type { Model, ResponseEvent } from '../../src/models/model.ts'
import { createModels } from '../../src/models/models.ts'
import type { RunEvent } from '../../src/runs/events.ts'
import type { Batch, Feed } from '../../src/runs/feed.ts'
import { planRun, type RunRequest } from '../../src/runs/plan.ts'

/** Answers with a text; or does what the script does, such as throw or wait. */
export type Script = (signal: AbortSignal) => string | Promise<string>

const messageOf = (text: string) => ({
  type: 'message',
  id: 'msg_1',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text, annotations: [] }],
})

export const scriptedModel = (script: Script): Model => ({
  name: 'scripted',
  async *streamTurn(_, signal) {
    const item = messageOf(await script(signal))
    const usage = { input_tokens: 3, output_tokens: 2, total_tokens: 5 }
    const response = { id: 'resp_1', output: [item], status: 'completed', usage }
    const events: ResponseEvent[] = [
      { type: 'response.output_item.added', output_index: 0, item: { ...item, content: [] } },
      { type: 'response.output_text.delta', output_index: 0, item_id: item.id, delta: item.content[0]?.text },
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response },
    ]
    for (const event of events) yield { events: [event], bytes: 100 }
  },
  async completeTurn(_, signal) {
    return { id: 'resp_1', output: [messageOf(await script(signal))], usage: null }
  },
})

/** A script that ends with the run. */
export const waitForAbort: Script = (signal) =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason))
  })

export const scriptedAgency = (script: Script, options: AgencyOptions = {}) =>
  new Agency(new Agent({ name: 'Solo', model: scriptedModel(script) }), options as object)

/** A streamed plan of one agent. */
export async function scriptedPlan(script: Script, request: Partial<RunRequest> = {}) {
  const limits = readLimits()
  const models = createModels({ env: {}, trustedModelOrigins: [], limits, log: () => {} })
  onTestFinished(() => models.close())
  return planRun(scriptedAgency(script), await models.of(), {
    message: 'Hi',
    history: [],
    userContext: {},
    price: () => 0,
    streaming: true,
    maxTurns: 10,
    ...request,
  })
}

/** A log that keeps the text of each line. */
export function recordLog(): ServerLog & { lines: string[] } {
  const lines: string[] = []
  const add = (message: string) => void lines.push(message)
  return {
    lines,
    info: add,
    warn: add,
    error: (message, error) => add(error === undefined ? message : `${message} (${error})`),
  }
}

/** A feed that keeps everything, as a stored run has one. */
export class RecordingFeed implements Feed {
  readonly batches: Batch[] = []
  sealed = false
  get events(): RunEvent[] {
    return this.batches.flatMap(({ events }) => events)
  }
  append(events: readonly RunEvent[]): void {
    this.batches.push({ first: this.events.length + 1, events })
  }
  room(): undefined {}
  seal(): void {
    this.sealed = true
  }
}
