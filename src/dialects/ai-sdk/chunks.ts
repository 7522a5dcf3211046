/** Chunks of the AI SDK's UI message stream, version 1, as frames. */
import type { UIMessageChunk } from 'ai'
import type { Speaker } from '../../runs/events.ts'
import type { JsonObject } from '../../wire/json.ts'
import { frame, toJson } from '../../wire/sse.ts'

export const chunk = (value: UIMessageChunk) => frame(toJson(value))

/** The last frame of every stream. */
export const DONE = frame('[DONE]')

/** The start of a delta's frame, up to the piece of text. */
export const deltaHead = (type: string, key: string, id: string, field: string) =>
  `data: {"type":"${type}","${key}":${toJson(id)},"${field}":`

/** Who speaks, as it stays on a part and comes back with it. */
export const toProviderMetadata = ({ agent, callerAgent, agentRunId, parentRunId }: Speaker) => ({
  agencySwarm: {
    agent,
    callerAgent,
    ...(agentRunId === '' ? {} : { agent_run_id: agentRunId }),
    ...(parentRunId === undefined ? {} : { parent_run_id: parentRunId }),
  },
})

/** The arguments of a call; undefined when the model did not write a JSON object. */
export function readArguments(text: unknown): JsonObject | undefined {
  if (typeof text !== 'string' || text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}
