/** Compares the client's own types with the wire's: the same fields, and every value of the wire fits the client's type. */
import type {
  AgencyAnswer,
  AgencyMetadata,
  AgentNode,
  CancelAnswer,
  GraphEdge,
  RunResult,
  ToolNode,
} from '../../src/client/answers.ts'
import type { LogLine } from '../../src/client/client.ts'
import type { Speaker, StreamEvent } from '../../src/client/events.ts'
import type { SpeakerFields, StreamSummary } from '../../src/wire/events.ts'
import type * as wire from '../../src/wire/responses.ts'

type Fields<T> = T extends unknown ? keyof T : never
/** `true` when both types have the same fields and `Wire` is assignable to `Client`; else the difference. */
type Matches<Wire, Client> = [Exclude<Fields<Wire>, Fields<Client>>, Exclude<Fields<Client>, Fields<Wire>>] extends [
  never,
  never,
]
  ? [Wire] extends [Client]
    ? true
    : { notAssignable: Wire }
  : { missingInClient: Exclude<Fields<Wire>, Fields<Client>>; unknownToWire: Exclude<Fields<Client>, Fields<Wire>> }

const matches = <_Result extends true>() => {}

matches<Matches<wire.AgencyResponse, AgencyAnswer<unknown>>>()
matches<Matches<wire.CancelResponse, CancelAnswer>>()
matches<Matches<wire.Metadata, AgencyMetadata>>()
matches<Matches<wire.Metadata['metadata'], AgencyMetadata['metadata']>>()
matches<Matches<wire.AgentNode, AgentNode>>()
matches<Matches<wire.AgentNode['data'], AgentNode['data']>>()
matches<Matches<wire.AgentNode['data']['tools'][number], AgentNode['data']['tools'][number]>>()
matches<Matches<wire.ToolNode, ToolNode>>()
matches<Matches<wire.ToolNode['data'], ToolNode['data']>>()
matches<Matches<wire.Edge, GraphEdge>>()
matches<Matches<SpeakerFields, Speaker>>()
matches<Matches<StreamSummary, Omit<StreamEvent & { kind: 'messages' }, 'kind'>>>()
matches<Matches<StreamSummary & { response: string }, RunResult>>()
// The client passes further details of a log line on.
matches<Matches<wire.LogLine, LogLine>>()

// The comparison notices a missing field, an extra field and another type.
// @ts-expect-error
matches<Matches<{ a: string; b: string }, { a: string }>>()
// @ts-expect-error
matches<Matches<{ a: string }, { a: string; b?: string }>>()
// @ts-expect-error
matches<Matches<{ a: string }, { a: number }>>()
