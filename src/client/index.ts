/** Public entry point `agency-swarm-js/client`: lists every exported name. Runs in browsers and Node. */

export type { AgencyAgentData, AgencyMessageMetadata, AgencyToolData } from '../wire/ai-sdk-parts.ts'
export type { ContentPart, InputItem, ModelEvent, StoredMessage, Usage } from '../wire/message.ts'
export type { ValidationDetail } from '../wire/validation.ts'
export {
  type AgencyAnswer,
  type AgencyMetadata,
  type AgentNode,
  type CancelAnswer,
  type CancelMode,
  type GraphEdge,
  itemText,
  type Message,
  type RequestBody,
  type RunResult,
  type ToolNode,
} from './answers.ts'
export { type AgencyUIMessage, type ChatTransportOptions, createChatTransport } from './chat-transport.ts'
export { type AgencyClient, type Client, createClient, type LogLine, type ToolClient } from './client.ts'
export type { Conversation, ConversationDefaults, ConversationOptions } from './conversation.ts'
export { ClientError, type ClientErrorKind } from './error.ts'
export type { Frame, ItemName, Speaker, StreamEvent } from './events.ts'
export type { FollowedRun } from './followed-run.ts'
export type { CallOptions, ClientOptions } from './http.ts'
export type { Listing } from './listing.ts'
export type { RetryOptions } from './retries.ts'
export type {
  Approval,
  ContinueBody,
  ListPage,
  PauseBody,
  Run,
  RunBody,
  RunCancelAnswer,
  RunMessage,
  RunStatus,
  SteerBody,
  SteerReceipt,
  Thread,
  Webhook,
  WebhookPayload,
} from './run-answers.ts'
export type { RequestedApproval, RunEvent, RunNotice } from './run-events.ts'
export type {
  ApprovalFilter,
  ApproveOptions,
  CancelOptions,
  ChangeOptions,
  FollowOptions,
  PageOptions,
  RejectOptions,
  RunFilter,
  WebhookFilter,
} from './run-options.ts'
export type { ModelSpan, ToolSpan, Trace, TraceSpan } from './run-trace.ts'
export { RunView } from './run-view.ts'
export type { ApprovalsClient, RunsClient, ThreadsClient, WebhooksClient } from './runs.ts'
export type { RunStream, StreamOptions } from './stream.ts'
export { createTextReader } from './text.ts'
export type { Ticket } from './ticket.ts'
export type { TicketOptions, TicketsClient, TicketVerb } from './tickets.ts'
