/** The output of `chat`: what each event of a turn prints, and where. */
import {
  createTextReader,
  itemText,
  type RunEvent,
  type RunNotice,
  type RunResult,
  type StreamEvent,
} from '../client/index.ts'
import { oneLine, stripControls, type Terminal } from './terminal.ts'

/** Text to write: a piece of the answer for stdout, or a note for stderr. */
export type Writing = { to: 'out' | 'note'; text: string }

/** Shows one turn: the answer on stdout, tool calls and notes on stderr. */
export interface TurnView {
  /** The text that an event adds; empty for most events. */
  render(event: StreamEvent | RunEvent): Writing[]
  /** Ends the line of the answer. */
  finish(): Writing[]
}

type Item = StreamEvent & { kind: 'item' }

interface Call {
  name: string
  depth: number
  /** True for a message to another agent, whose answer is shown when it arrives. */
  isMessage: boolean
}

export function createTurnView({ paint }: Pick<Terminal, 'paint'>): TurnView {
  const readText = createTextReader()
  const calls = new Map<string, Call>()
  let frontAgent: string | undefined
  let lineOpen = false

  const endLine = (): Writing[] => {
    const open = lineOpen
    lineOpen = false
    return open ? [{ to: 'out', text: '\n' }] : []
  }
  const note = (depth: number, line: string): Writing[] => [
    ...endLine(),
    { to: 'note', text: `${'  '.repeat(depth + 1)}${line}` },
  ]
  /** The nesting level of an agent: 0 in the user's thread, else one more than the call that it answers. */
  const readDepth = ({ parent_run_id: parent, callerAgent }: { parent_run_id?: string; callerAgent: string | null }) =>
    callerAgent === null ? 0 : (calls.get(parent ?? '')?.depth ?? 0) + 1

  const showCall = (event: Item): Writing[] => {
    const name = String(event.item.name ?? event.item.type)
    const depth = event.agent === null ? 0 : readDepth(event)
    const { recipient_agent: recipient, message } = parseArguments(event.item.arguments)
    const isMessage = typeof recipient === 'string' && typeof message === 'string'
    calls.set(event.call_id ?? '', { name, depth, isMessage })
    if (isTransfer(name)) return []
    const text = isMessage ? `${recipient}: ${message}` : `${name} ${String(event.item.arguments ?? '')}`
    return note(depth, `${paint('cyan', '→')} ${oneLine(text, 100)}`)
  }
  const showOutput = (event: Item): Writing[] => {
    const { name, depth, isMessage } = calls.get(event.call_id ?? '') ?? { name: 'tool', depth: 0, isMessage: false }
    const output = event.output ?? event.item.output ?? ''
    const text = typeof output === 'string' ? output : JSON.stringify(output)
    if (isTransfer(name) || (isMessage && !text.startsWith('Error'))) return []
    return note(depth, `${paint('green', '✓')} ${paint('dim', oneLine(`${name}: ${text}`, 100))}`)
  }
  const showSubAgentMessage = (event: Item): Writing[] => {
    const [first, ...rest] = stripControls(itemText(event.item)).split('\n')
    const depth = event.agent === null ? 0 : readDepth(event)
    return [
      ...note(depth, `${paint('magenta', oneLine(String(event.agent), 60))}: ${first}`),
      ...rest.flatMap((line) => note(depth, `  ${line}`)),
    ]
  }
  const showNote = (event: StreamEvent | RunEvent): Writing[] => {
    switch (event.kind) {
      case 'agent': {
        if (event.callerAgent !== null) return []
        const before = frontAgent
        frontAgent = event.agent
        return before === undefined || before === frontAgent
          ? []
          : note(0, paint('yellow', `${oneLine(frontAgent, 60)} takes over`))
      }
      case 'item':
        if (event.name === 'tool_called' || event.name === 'tool_search_called') return showCall(event)
        if (event.name === 'tool_output') return showOutput(event)
        return event.name === 'message_output_created' && event.callerAgent !== null ? showSubAgentMessage(event) : []
      case 'queued':
        return note(0, paint('dim', `waits for other runs of the thread; its place is ${event.position}`))
      case 'attempt':
        return note(0, paint('yellow', 'the server was restarted: what was not complete is answered again'))
      case 'requires_action':
        return event.approvals.flatMap(({ agent, tool, arguments: args, consent }) =>
          note(
            0,
            consent === undefined
              ? `${paint('yellow', '?')} ${oneLine(`${agent}: ${tool} ${JSON.stringify(args)}`, 100)}   /approve or /reject [reason]`
              : `${paint('yellow', '?')} ${oneLine(`${agent} needs access to ${consent.server}`, 100)}   open ${oneLine(consent.url, 4_000)} or /reject`,
          ),
        )
      case 'approval_decided':
        return note(0, paint('dim', `the call is ${event.status}`))
      case 'steer':
        return note(0, paint('dim', `the message to ${event.agent} is ${event.status.replace('_', ' ')}`))
      case 'branch':
        return note(0, paint('dim', event.state === 'paused' ? `${event.agent} waits` : `${event.agent} goes on`))
      case 'error':
        return event.nested ? note(1, paint('red', oneLine(`${event.agent} failed: ${event.content}`, 200))) : []
      default:
        return []
    }
  }

  return {
    render(event) {
      const text = isNotice(event) ? '' : stripControls(readText(event))
      if (text === '') return showNote(event)
      lineOpen = !text.endsWith('\n')
      return [{ to: 'out', text }]
    },
    finish: endLine,
  }
}

/** Tokens, cost and time of a turn on one line. */
export function formatSummary({ usage }: Pick<RunResult, 'usage'>, milliseconds: number): string {
  const cost = usage?.total_cost ? [`$${usage.total_cost.toPrecision(2)}`] : []
  const tokens = usage === undefined ? [] : [`${usage.total_tokens} tokens`]
  return [...tokens, ...cost, `${(milliseconds / 1000).toFixed(1)} s`].join(' · ')
}

/** What all answers of a chat have used. */
export interface Spent {
  answers: number
  tokens: number
  cost: number
}

export const formatSpent = ({ answers, tokens, cost }: Spent): string =>
  `${answers} ${answers === 1 ? 'answer' : 'answers'} · ${tokens} tokens${cost > 0 ? ` · $${cost.toPrecision(2)}` : ''}`

const NOTICES: ReadonlySet<string> = new Set<RunNotice['kind']>([
  'queued',
  'attempt',
  'requires_action',
  'approval_decided',
  'steer',
  'branch',
  'truncated',
])
const isNotice = (event: StreamEvent | RunEvent): event is RunEvent & { kind: RunNotice['kind'] } =>
  NOTICES.has(event.kind)

const isTransfer = (name: string) => name.startsWith('transfer_to_')

function parseArguments(text: unknown): { [name: string]: unknown } {
  try {
    return JSON.parse(String(text)) ?? {}
  } catch {
    return {}
  }
}
