import { itemText } from './answers.ts'
import type { StreamEvent } from './events.ts'

/**
 * What the agent in front of the user says in each event of a stream, mostly nothing (`''`). Also knows answers that come
 * whole: a guardrail's, and those of models that do not stream. Keeps its place, so one reader serves one stream.
 */
export function createTextReader(): (event: StreamEvent) => string {
  let spoken = false // since the agent was last asked
  return (event) => {
    switch (event.kind) {
      case 'text':
        if (event.callerAgent !== null) return ''
        spoken = true
        return event.text
      case 'agent':
        if (event.callerAgent === null) spoken = false
        return ''
      case 'model':
        if (event.callerAgent === null && event.event.type === 'response.created') spoken = false
        return ''
      case 'item': {
        const whole = event.agent === null || !spoken
        return whole && event.callerAgent === null && event.name === 'message_output_created'
          ? itemText(event.item)
          : ''
      }
      default:
        return ''
    }
  }
}
