import { createTextReader, itemText, type RunResult, type StreamEvent } from '../client/index.ts'
import { harmless, oneLine, type Terminal } from './terminal.ts'

/** Something to write: a piece of the answer for stdout, or a line about it for stderr. */
export type Writing = { to: 'out' | 'note'; text: string }

/** One turn as it is shown: the answer on stdout, everything that leads to it on stderr. */
export interface TurnView {
  /** What an event adds; mostly nothing. */
  render(event: StreamEvent): Writing[]
  /** Ends the answer's line. */
  finish(): Writing[]
}

type Item = StreamEvent & { kind: 'item' }

interface Call {
  name: string
  depth: number
  /** Another agent was asked: it has shown its answer itself. */
  asks: boolean
}

export function createTurnView({ paint }: Pick<Terminal, 'paint'>): TurnView {
  const textOf = createTextReader()
  const calls = new Map<string, Call>()
  let front: string | undefined
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
  /** How far below the user an agent works: one level more than the call it answers. */
  const depthOf = ({ parent_run_id: parent, callerAgent }: { parent_run_id?: string; callerAgent: string | null }) =>
    callerAgent === null ? 0 : (calls.get(parent ?? '')?.depth ?? 0) + 1

  const called = (event: Item): Writing[] => {
    const name = String(event.item.name ?? event.item.type)
    const depth = event.agent === null ? 0 : depthOf(event)
    const { recipient_agent: recipient, message } = argumentsOf(event.item.arguments)
    const asks = typeof recipient === 'string' && typeof message === 'string'
    calls.set(event.call_id ?? '', { name, depth, asks })
    if (isTransfer(name)) return []
    const what = asks ? `${recipient}: ${message}` : `${name} ${String(event.item.arguments ?? '')}`
    return note(depth, `${paint('cyan', '→')} ${oneLine(what, 100)}`)
  }
  const answered = (event: Item): Writing[] => {
    const { name, depth, asks } = calls.get(event.call_id ?? '') ?? { name: 'tool', depth: 0, asks: false }
    const output = event.output ?? event.item.output ?? ''
    const text = typeof output === 'string' ? output : JSON.stringify(output)
    if (isTransfer(name) || (asks && !text.startsWith('Error'))) return []
    return note(depth, `${paint('green', '✓')} ${paint('dim', oneLine(`${name}: ${text}`, 100))}`)
  }
  const saidBelow = (event: Item): Writing[] => {
    const [first, ...rest] = harmless(itemText(event.item)).split('\n')
    const depth = event.agent === null ? 0 : depthOf(event)
    return [
      ...note(depth, `${paint('magenta', oneLine(String(event.agent), 60))}: ${first}`),
      ...rest.flatMap((line) => note(depth, `  ${line}`)),
    ]
  }
  const aside = (event: StreamEvent): Writing[] => {
    switch (event.kind) {
      case 'agent': {
        if (event.callerAgent !== null) return []
        const before = front
        front = event.agent
        return before === undefined || before === front
          ? []
          : note(0, paint('yellow', `${oneLine(front, 60)} takes over`))
      }
      case 'item':
        if (event.name === 'tool_called') return called(event)
        if (event.name === 'tool_output') return answered(event)
        return event.name === 'message_output_created' && event.callerAgent !== null ? saidBelow(event) : []
      case 'error':
        return event.nested ? note(1, paint('red', oneLine(`${event.agent} failed: ${event.content}`, 200))) : []
      default:
        return []
    }
  }

  return {
    render(event) {
      const text = harmless(textOf(event))
      if (text === '') return aside(event)
      lineOpen = !text.endsWith('\n')
      return [{ to: 'out', text }]
    },
    finish: endLine,
  }
}

/** Tokens, money and time of a turn on one line. */
export function summaryLine({ usage }: Pick<RunResult, 'usage'>, milliseconds: number): string {
  const cost = usage?.total_cost ? [`$${usage.total_cost.toPrecision(2)}`] : []
  const tokens = usage === undefined ? [] : [`${usage.total_tokens} tokens`]
  return [...tokens, ...cost, `${(milliseconds / 1000).toFixed(1)} s`].join(' · ')
}

const isTransfer = (name: string) => name.startsWith('transfer_to_')

function argumentsOf(text: unknown): { [name: string]: unknown } {
  try {
    return JSON.parse(String(text)) ?? {}
  } catch {
    return {}
  }
}
