/** Extracts the user-facing text from the events of a stream. */
import { itemText } from './answers.ts'
import type { StreamEvent } from './events.ts'

/** What `readText` keeps from event to event. */
export interface TextState {
  /** Text arrived in pieces since the last model call. */
  streamed: boolean
}

/**
 * Creates a function that returns the text that each event adds to the answer of the agent in the user's thread; `''` for
 * most events. Handles answers that arrive whole, too: those of guardrails and of models that do not stream. The function
 * keeps state: use one per stream.
 */
export function createTextReader(): (event: StreamEvent) => string {
  const state = { streamed: false }
  return (event) => readText(state, event)
}

export function readText(state: TextState, event: StreamEvent): string {
  switch (event.kind) {
    case 'text':
      if (event.callerAgent !== null) return ''
      state.streamed = true
      return event.text
    case 'agent':
      if (event.callerAgent === null) state.streamed = false
      return ''
    case 'model':
      if (event.callerAgent === null && event.event.type === 'response.created') state.streamed = false
      return ''
    case 'item': {
      const whole = event.agent === null || !state.streamed
      return whole && event.callerAgent === null && event.name === 'message_output_created' ? itemText(event.item) : ''
    }
    default:
      return ''
  }
}
