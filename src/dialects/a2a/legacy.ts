/** A2A 0.3 in the terms of 1.0: its methods, what its clients send, and what they read. */

import type { StreamResult, Task, TaskMessage, TaskPart, TaskState, TaskStatus } from '../../wire/a2a.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'

/** The methods of 0.3 by name. It has none that lists tasks. */
export const LEGACY_METHODS: { readonly [method: string]: string } = {
  'message/send': 'SendMessage',
  'message/stream': 'SendStreamingMessage',
  'tasks/get': 'GetTask',
  'tasks/cancel': 'CancelTask',
  'tasks/resubscribe': 'SubscribeToTask',
  'tasks/pushNotificationConfig/set': 'CreateTaskPushNotificationConfig',
  'tasks/pushNotificationConfig/get': 'GetTaskPushNotificationConfig',
  'tasks/pushNotificationConfig/list': 'ListTaskPushNotificationConfigs',
  'tasks/pushNotificationConfig/delete': 'DeleteTaskPushNotificationConfig',
  'agent/getAuthenticatedExtendedCard': 'GetExtendedAgentCard',
}

/** The parameters of a request as those of 1.0. What is not valid is left as it is, for the check of 1.0 to refuse. */
export function fromLegacyParams(params: JsonObject): JsonObject {
  const { message, configuration } = params
  if (!isObject(message)) return params
  const role = message.role === 'user' ? 'ROLE_USER' : message.role
  const parts = Array.isArray(message.parts) ? message.parts.map(fromLegacyPart) : message.parts
  const current = { ...params, message: { ...message, role, parts } }
  if (!isObject(configuration)) return current
  const { blocking, historyLength, pushNotificationConfig } = configuration
  return {
    ...current,
    configuration: {
      historyLength,
      returnImmediately: blocking === false,
      taskPushNotificationConfig: pushNotificationConfig,
    },
  }
}

function fromLegacyPart(part: unknown): unknown {
  if (!isObject(part)) return part
  const { kind, text, data, file } = part
  if (kind === 'text') return { text }
  if (kind === 'data') return { data }
  if (kind !== 'file' || !isObject(file)) return {}
  return { raw: file.bytes, url: file.uri, mediaType: file.mimeType, filename: file.name }
}

const STATES: { readonly [state in TaskState]: string } = {
  TASK_STATE_UNSPECIFIED: 'unknown',
  TASK_STATE_SUBMITTED: 'submitted',
  TASK_STATE_WORKING: 'working',
  TASK_STATE_COMPLETED: 'completed',
  TASK_STATE_FAILED: 'failed',
  TASK_STATE_CANCELED: 'canceled',
  TASK_STATE_INPUT_REQUIRED: 'input-required',
  TASK_STATE_REJECTED: 'rejected',
  TASK_STATE_AUTH_REQUIRED: 'auth-required',
}
/** After them the stream goes on. */
const OPEN = new Set<TaskState>(['TASK_STATE_SUBMITTED', 'TASK_STATE_WORKING'])

/** One event of a stream. */
export function toLegacyEvent(result: StreamResult): object {
  if ('task' in result) return toLegacyTask(result.task)
  if ('statusUpdate' in result) {
    const { status, ...update } = result.statusUpdate
    return { kind: 'status-update', ...update, status: toLegacyStatus(status), final: !OPEN.has(status.state) }
  }
  const { artifact, ...update } = result.artifactUpdate
  return { kind: 'artifact-update', ...update, artifact: { ...artifact, parts: artifact.parts.map(toLegacyPart) } }
}

export const toLegacyTask = ({ status, artifacts, history, ...task }: Task): object => ({
  kind: 'task',
  ...task,
  status: toLegacyStatus(status),
  ...(artifacts && {
    artifacts: artifacts.map(({ parts, ...artifact }) => ({ ...artifact, parts: parts.map(toLegacyPart) })),
  }),
  ...(history && { history: history.map(toLegacyMessage) }),
})

const toLegacyStatus = ({ state, message, timestamp }: TaskStatus) => ({
  state: STATES[state],
  ...(message && { message: toLegacyMessage(message) }),
  timestamp,
})

const toLegacyMessage = ({ role, parts, ...message }: TaskMessage) => ({
  kind: 'message',
  ...message,
  role: role === 'ROLE_USER' ? 'user' : 'agent',
  parts: parts.map(toLegacyPart),
})

function toLegacyPart(part: TaskPart): object {
  if ('text' in part) return { kind: 'text', text: part.text }
  // Data is an object there; this is how the official packages wrap another value.
  if ('data' in part)
    return isObject(part.data)
      ? { kind: 'data', data: part.data }
      : { kind: 'data', data: { value: part.data }, metadata: { data_part_compat: true } }
  const { mediaType: mimeType, filename: name } = part
  const about = { ...(mimeType && { mimeType }), ...(name && { name }) }
  return { kind: 'file', file: 'raw' in part ? { bytes: part.raw, ...about } : { uri: part.url, ...about } }
}
