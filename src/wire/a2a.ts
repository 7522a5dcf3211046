/** Requests of A2A 1.0 over JSON-RPC: the schemas of their parameters, and what the OpenAPI document says of the endpoint. */
import { z } from 'zod'
import { jsonOf } from './components.ts'
import type { JsonObject } from './json.ts'
import { checkCount } from './request-checks.ts'
import { asObject, parse, type RequestRules } from './requests.ts'
import { decisionRequest, threadId } from './runs.ts'

/** Longest id that a caller chooses, in characters. */
const ID_CHARS = 256
const optionalText = z.string().nullish()
/** Clients that are generated from the protocol's definition send an empty text for a field that is not set. */
const optionalId = z.string().max(ID_CHARS).nullish()
const object = z.record(z.string(), z.unknown())

const part = z
  .object({
    text: optionalText,
    raw: optionalText,
    url: optionalText,
    data: z.unknown().optional(),
    mediaType: optionalText,
    filename: optionalText,
  })
  .refine(
    ({ text, raw, url, data }) => [text, raw, url, data].filter((content) => content != null).length === 1,
    'a part has one of text, raw, url and data',
  )
export type A2aPart = z.infer<typeof part>

const message = z.object({
  messageId: z.string().min(1).max(ID_CHARS),
  role: z.literal('ROLE_USER'),
  parts: z.array(part).min(1),
  contextId: threadId.or(z.literal('')).nullish(),
  taskId: optionalId,
})
export type A2aMessage = z.infer<typeof message>

const historyLength = z.int().min(0).nullish()
const sendParams = z.object({
  message,
  configuration: z
    .object({ historyLength, returnImmediately: z.boolean().nullish(), taskPushNotificationConfig: object.nullish() })
    .nullish(),
  metadata: object.nullish(),
})
const taskParams = z.object({ id: z.string().max(ID_CHARS), historyLength })

export const TASK_STATES = [
  'TASK_STATE_UNSPECIFIED',
  'TASK_STATE_SUBMITTED',
  'TASK_STATE_WORKING',
  'TASK_STATE_COMPLETED',
  'TASK_STATE_FAILED',
  'TASK_STATE_CANCELED',
  'TASK_STATE_INPUT_REQUIRED',
  'TASK_STATE_REJECTED',
  'TASK_STATE_AUTH_REQUIRED',
] as const
export type TaskState = (typeof TASK_STATES)[number]

const listParams = z.object({
  contextId: optionalId,
  status: z.enum(TASK_STATES).nullish(),
  pageSize: z.int().min(1).max(100).nullish(),
  pageToken: z
    .string()
    .regex(/^(?:\d{1,15}\.\d{1,15})?$/, 'a page token is the nextPageToken of the page before')
    .nullish(),
  historyLength,
  statusTimestampAfter: z.iso.datetime({ offset: true }).or(z.literal('')).nullish(),
  includeArtifacts: z.boolean().nullish(),
})
export type SendParams = z.infer<typeof sendParams>
export type TaskParams = z.infer<typeof taskParams>
export type ListParams = z.infer<typeof listParams>

/** @throws RequestInvalid */
export function parseSendParams(params: unknown, { historyItems }: RequestRules): SendParams {
  const sent = asObject(params)
  checkCount((sent.message as { parts?: unknown } | null | undefined)?.parts, ['message', 'parts'], historyItems)
  return parse(sendParams, sent, 'params')
}
/** @throws RequestInvalid */
export const parseTaskParams = (params: unknown): TaskParams => parse(taskParams, params, 'params')
/** @throws RequestInvalid */
export const parseListParams = (params: unknown): ListParams => parse(listParams, params, 'params')

/** A decision in a data part: about one call that waits, or without `approval_id` about all of them. */
const decisionPart = decisionRequest.extend({ approval_id: z.string().max(ID_CHARS).nullish() })
export type DecisionPart = z.infer<typeof decisionPart>
/** @throws RequestInvalid */
export const parseDecisionPart = (data: unknown): DecisionPart => parse(decisionPart, data, 'data')

// ---- JSON-RPC

const rpcId = z.union([z.string().max(ID_CHARS), z.number(), z.null()])
export type RpcId = z.infer<typeof rpcId>

const rpcRequest = z
  .object({
    jsonrpc: z.literal('2.0'),
    id: rpcId.optional().describe('Comes back as it was, in every frame.'),
    method: z.string().max(ID_CHARS).describe('Such as `SendMessage` or `GetTask`; of 0.3 such as `message/send`.'),
    params: object.nullish(),
  })
  .meta({ id: 'A2aRequest' })
export type RpcRequest = z.infer<typeof rpcRequest>

/** The request; undefined for what is none. */
export const readRpcRequest = (body: unknown): RpcRequest | undefined => rpcRequest.safeParse(body).data

const rpcResponse = z
  .object({
    jsonrpc: z.literal('2.0'),
    id: rpcId,
    result: z.unknown().optional(),
    error: z.looseObject({ code: z.int(), message: z.string(), data: z.unknown().optional() }).optional(),
  })
  .meta({ id: 'A2aResponse', description: 'A result, or the error of the request.' })
const card = z
  .looseObject({
    name: z.string(),
    description: z.string(),
    version: z.string(),
    supportedInterfaces: z.array(
      z.object({ url: z.string(), protocolBinding: z.string(), protocolVersion: z.string() }),
    ),
    capabilities: z.looseObject({}),
    defaultInputModes: z.array(z.string()),
    defaultOutputModes: z.array(z.string()),
    skills: z.array(z.looseObject({ id: z.string(), name: z.string() })),
  })
  .meta({ id: 'AgentCard' })

export const a2aSchemas: readonly z.ZodType[] = [
  rpcRequest,
  rpcResponse,
  card,
  z
    .object({ event: z.literal('message').describe('The default; it is not sent.'), data: jsonOf(rpcResponse) })
    .meta({ id: 'A2aFrame' }),
]

// ---- what is answered

/** A part of a message or an artifact that the server writes. */
export type TaskPart =
  | { text: string }
  | { data: unknown }
  | { raw: string; mediaType: string; filename?: string }
  | { url: string; mediaType?: string; filename?: string }

export interface TaskMessage {
  messageId: string
  contextId: string
  taskId: string
  role: 'ROLE_USER' | 'ROLE_AGENT'
  parts: TaskPart[]
}
export interface TaskArtifact {
  artifactId: string
  parts: TaskPart[]
}
export interface TaskStatus {
  state: TaskState
  message?: TaskMessage
  /** UTC, with milliseconds. */
  timestamp: string
}
export interface Task {
  id: string
  contextId: string
  status: TaskStatus
  artifacts?: TaskArtifact[]
  history?: TaskMessage[]
  metadata?: JsonObject
}
/** One event of a stream. */
export type StreamResult =
  | { task: Task }
  | { statusUpdate: { taskId: string; contextId: string; status: TaskStatus; metadata?: JsonObject } }
  | {
      artifactUpdate: {
        taskId: string
        contextId: string
        artifact: TaskArtifact
        append: boolean
        lastChunk: boolean
      }
    }
