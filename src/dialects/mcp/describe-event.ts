/** The events of a run as one-line messages of `notifications/progress`. */
import type { LoggedEvent } from '../../runs/stored/events.ts'

/** Undefined for events that hosts do not get, such as the pieces of a text. */
export function describeEvent(event: LoggedEvent): string | undefined {
  switch (event.kind) {
    case 'queued':
      return `Waiting: ${event.position} before it`
    case 'agent':
      return `${event.who.agent} is working`
    case 'custom':
      return describeToolEvent(event)
    case 'item':
      return describeItem(event)
    default:
      return undefined
  }
}

function describeItem({ name, source, target, raw }: LoggedEvent & { kind: 'item' }): string | undefined {
  const tool = typeof raw.name === 'string' ? raw.name : undefined
  if (name === 'tool_called') return `${source.agent} calls ${tool ?? 'a tool'}`
  if (name === 'tool_search_called') return `${source.agent} looks for tools`
  if (name === 'tool_output') return `${source.agent} has an answer${tool === undefined ? '' : ` of ${tool}`}`
  if (name === 'handoff_occured' && target !== undefined) return `${source.agent} hands over to ${target.agent}`
  return undefined
}

/** Most characters of a message. */
const MAX_CHARS = 500

/** What a tool sent to the caller of its run. */
export function describeToolEvent({ name, value }: { name: string; value: unknown }): string {
  if (value === null) return name
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return `${name}: ${text.slice(0, MAX_CHARS)}`.toWellFormed()
}
