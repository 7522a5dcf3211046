/** Runs of the turn loop with a scripted model at the `Model` interface: no server, no hub, no network. */

import { Budget } from '../../src/base/budget.ts'
import { errorText } from '../../src/base/errors.ts'
import type { Agency } from '../../src/index.ts'
import type { EventBatch, Model, ModelResponse, TurnRequest } from '../../src/models/model.ts'
import { emptyUsage } from '../../src/models/usage.ts'
import type { RunEvent } from '../../src/runs/events.ts'
import type { RunState } from '../../src/runs/loop/agent-thread.ts'
import type { Journal } from '../../src/runs/loop/journal.ts'
import { Transcript } from '../../src/runs/loop/transcript.ts'
import { planRun, type RunRequest } from '../../src/runs/plan.ts'
import type { InputItem } from '../../src/wire/message.ts'

/** One answer of the model: a text, calls, or both. */
export interface ScriptedAnswer {
  text?: string
  calls?: { name: string; id: string; arguments?: object }[]
}
/** What the model answers to a request of its agent. */
export type Script = (request: TurnRequest, signal: AbortSignal) => ScriptedAnswer | Promise<ScriptedAnswer>

const toItems = ({ text, calls = [] }: ScriptedAnswer, serial: number): InputItem[] => [
  ...(text === undefined
    ? []
    : [
        {
          type: 'message',
          id: `msg_${serial}`,
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text, annotations: [] }],
        },
      ]),
  ...calls.map(({ name, id, arguments: args = {} }) => ({
    type: 'function_call',
    id: `fc_${id}`,
    call_id: id,
    name,
    arguments: JSON.stringify(args),
    status: 'completed',
  })),
]

/** A model that answers as the script says, and notes what it was asked. */
export function scriptedModel(script: Script) {
  const seen: TurnRequest[] = []
  const respond = async (request: TurnRequest, signal: AbortSignal): Promise<ModelResponse> => {
    seen.push(request)
    const answer = await script(request, signal)
    const usage = { input_tokens: 10, output_tokens: 5, total_tokens: 15 }
    return { id: 'resp', status: 'completed', output: toItems(answer, seen.length), usage }
  }
  const model: Model = {
    name: 'scripted',
    completeTurn: respond,
    async *streamTurn(request, signal): AsyncGenerator<EventBatch> {
      const response = await respond(request, signal)
      for (const [output_index, item] of response.output.entries()) {
        if (item.type === 'message')
          for (const delta of String((item.content as { text: string }[])[0]?.text).split(/(?<= )/))
            yield { events: [{ type: 'response.output_text.delta', item_id: item.id, output_index, delta }], bytes: 50 }
        yield { events: [{ type: 'response.output_item.done', output_index, item }], bytes: 50 }
      }
      yield { events: [{ type: 'response.completed', response }], bytes: 50 }
    },
  }
  return Object.assign(model, { seen })
}

/** Texts of the outputs in a request, in order. */
export const outputsIn = ({ input }: TurnRequest): string[] =>
  input.flatMap(({ type, output }) => (type === 'function_call_output' ? [String(output)] : []))

export interface LoopOptions extends Partial<RunRequest> {
  journal?: Journal
  leaving?: () => boolean
  onEmit?: (event: RunEvent, scope: string) => void
}

/** The state of a run of this agency, ready for `runLoop`, with what it emits and warns about. */
export function prepareRun(agency: Agency, options: LoopOptions = {}) {
  const { journal, leaving, onEmit, ...request } = options
  let serial = 0
  const models = { model: (model: unknown) => model as Model }
  const plan = planRun(agency, models as never, {
    message: 'Go',
    history: [],
    userContext: {},
    price: () => 0,
    streaming: true,
    maxTurns: null,
    now: () => 1_000 + serial,
    newHex: () => (++serial).toString(16).padStart(32, '0'),
    ...request,
  })
  const abort = new AbortController()
  const events: RunEvent[] = []
  const warnings: string[] = []
  let stopping = false
  const run: RunState = {
    toolEventBytes: 1_000,
    id: 'run-1',
    plan,
    signal: abort.signal,
    transcript: new Transcript(plan.history),
    open: new Set(),
    span: undefined,
    usage: emptyUsage(),
    uncounted: false,
    turns: 0,
    busy: new Set(),
    lanes: new Map(),
    budget: new Budget({ bound: Number.POSITIVE_INFINITY, refuse: () => new Error('full') }),
    journal,
    ...(leaving === undefined ? {} : { leaving }),
    warn: (message) => warnings.push(message),
    hold: () => {},
    emit: (batch, _bytes, scope) => {
      for (const event of batch) {
        events.push(event)
        onEmit?.(event, scope)
      }
    },
    room: () => undefined,
    stopAfterTurn: () => stopping,
    save: async () => {},
    redact: (text) => text,
    explain: (error) => errorText(error),
  }
  const stopAfterTurn = () => {
    stopping = true
  }
  return { run, abort, events, warnings, stopAfterTurn }
}

/** Stored messages in short: who, and what. */
export const brief = (messages: readonly InputItem[]): string[] =>
  messages.map(({ agent, type, role, name, call_id, content, output, arguments: args, message_origin }) => {
    if (type === 'function_call') return `${agent} calls ${name}(${args}) ${call_id}`
    if (type === 'function_call_output') return `${agent} reads ${call_id}: ${output}`
    const text = typeof content === 'string' ? content : (content as { text: string }[])[0]?.text
    return `${agent} ${message_origin ?? role}: ${text}`
  })
