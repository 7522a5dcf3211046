/** Chat Completions (docs/openai.md). */
import { type ChatRequest, parseChatRequest } from '../../wire/openai-chat.ts'
import type { RequestRules } from '../../wire/requests.ts'
import { toAgencyRequest } from './chat-input.ts'
import { ChatWriter, toCompletion } from './chat-writer.ts'
import type { ModelTarget } from './models.ts'

/** The protocol without its transport; the agency is the one that the request's model names. */
export const createChat = (rules: RequestRules) => ({
  /** @throws RequestInvalid */
  read: (body: unknown): ChatRequest => parseChatRequest(body, rules),
  toRunRequest: (request: ChatRequest, target: ModelTarget) => toAgencyRequest(request, target),
  writer: (request: ChatRequest) => new ChatWriter(request),
  toAnswer: toCompletion,
})
