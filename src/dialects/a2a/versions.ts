/** The versions of A2A that are spoken: how a request names one, and how answers are written in it. */
import { type RpcId, type RpcRequest, readRpcRequest, type StreamResult, type Task } from '../../wire/a2a.ts'
import type { JsonObject } from '../../wire/json.ts'
import { frame, toJson } from '../../wire/sse.ts'
import { A2aRefusal } from './errors.ts'
import { fromLegacyParams, LEGACY_METHODS, toLegacyEvent, toLegacyTask } from './legacy.ts'

/** How answers to one request are written. */
export interface Answers {
  /** The result of a method that sends a message. */
  sent(task: Task): object
  /** The result of a method that names a task. */
  task(task: Task): object
  /** An event of a stream as a frame. */
  frame(result: StreamResult): string
}

/** A request in the terms of 1.0. */
export interface Call {
  id: RpcId
  method: string
  params: JsonObject
  isLegacy: boolean
  answers: Answers
}

export const isLegacyVersion = (version: string): boolean => version === '' || /^0\.3(?:\.\d+)?$/.test(version)

/** @param version of the header or the query; without one it is 0.3 @throws A2aRefusal */
export function readCall(body: unknown, version: string): Call {
  const request = readRpcRequest(body)
  if (request === undefined)
    throw new A2aRefusal('INVALID_REQUEST', 'The body is not a JSON-RPC 2.0 request. Batches are not supported.')
  if (/^1\.0(?:\.\d+)?$/.test(version)) return { ...about(request), method: request.method, ...current(request) }
  if (!isLegacyVersion(version) || CURRENT_METHOD.test(request.method))
    throw new A2aRefusal(
      'VERSION_NOT_SUPPORTED',
      'The versions 1.0 and 0.3 are spoken. A request says which in the header A2A-Version; without it, it is 0.3.',
    )
  return { ...about(request), method: LEGACY_METHODS[request.method] ?? '', ...legacy(request) }
}

/** A method of 1.0; those of 0.3 have a slash. */
const CURRENT_METHOD = /^[A-Z][A-Za-z]*$/

const about = ({ id = null, params }: RpcRequest) => ({ id, params: params ?? {} })

const current = ({ id = null }: RpcRequest) => ({
  isLegacy: false,
  answers: {
    sent: (task: Task) => ({ task }),
    task: (task: Task) => task,
    frame: (result: StreamResult) => toFrame(id, result),
  },
})

const legacy = ({ id = null, params }: RpcRequest) => ({
  isLegacy: true,
  params: fromLegacyParams(params ?? {}),
  answers: {
    sent: toLegacyTask,
    task: toLegacyTask,
    frame: (result: StreamResult) => toFrame(id, toLegacyEvent(result)),
  },
})

const toFrame = (id: RpcId, result: object) => frame(toJson({ jsonrpc: '2.0', id, result }))
