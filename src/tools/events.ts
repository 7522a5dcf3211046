/** Events that tools send into the stream of their caller: `context.emit()`. */
import { errorText } from '../base/errors.ts'
import { invalidEvent } from '../base/start-errors.ts'
import { isObject } from '../wire/json.ts'
import { toJsonValue } from './json-value.ts'
import type { ToolContext } from './tool.ts'

/** An event as it is sent. */
export interface ReadEvent {
  name: string
  value: unknown
  /** The length of its JSON. */
  bytes: number
}

const MAX_NAME = 128

/** @throws INVALID_EVENT for a missing or long name, a value that has no JSON, and more JSON than `maxBytes` */
export function readToolEvent(event: unknown, maxBytes: number): ReadEvent {
  if (!isObject(event) || typeof event.name !== 'string' || event.name === '' || event.name.length > MAX_NAME)
    throw invalidEvent(`an event is { name, value }, with a name of 1 to ${MAX_NAME} characters`)
  const { name } = event
  let value: unknown
  try {
    value = toJsonValue(event.value) ?? null
  } catch (error) {
    throw invalidEvent(`"${name}": ${errorText(error)}`)
  }
  const bytes = Buffer.byteLength(JSON.stringify(value))
  if (bytes > maxBytes)
    throw invalidEvent(`"${name}" has ${bytes} bytes, more than limits.toolEventBytes (${maxBytes})`)
  return { name, value, bytes }
}

/** An `emit` for code that no stream belongs to: events are checked and dropped. */
export const createNoEmit =
  (maxBytes: number): ToolContext['emit'] =>
  (event) => {
    readToolEvent(event, maxBytes)
    return Promise.resolve()
  }
