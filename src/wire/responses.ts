/** The bodies of responses: their schemas and types. */
import { z } from 'zod'
import { outcome, storedMessage } from './message.ts'

/** The response of get_response. */
export const agencyResponse = z
  .object({
    response: z
      .unknown()
      .describe('The answer of the last agent: a text, or an object when the agent has an output type.'),
    new_messages: z.array(storedMessage).describe('Append them to chat_history for the next request.'),
    ...outcome,
  })
  .meta({ id: 'AgencyResponse' })
export type AgencyResponse = z.infer<typeof agencyResponse>

export const cancelResponse = z
  .object({
    ok: z.boolean(),
    run_id: z.string(),
    cancelled: z.boolean(),
    cancel_mode: z.enum(['immediate', 'after_turn']),
    new_messages: z.array(storedMessage),
    timed_out: z.boolean().describe('True when the run did not end within 60 s. It still stops as soon as it can.'),
  })
  .meta({ id: 'CancelResponse' })
export type CancelResponse = z.infer<typeof cancelResponse>

const position = z.object({ x: z.number(), y: z.number() }).meta({ id: 'Position' })
const agentNode = z
  .object({
    id: z.string(),
    type: z.literal('agent'),
    position,
    data: z.object({
      label: z.string(),
      description: z.string(),
      isEntryPoint: z.boolean(),
      toolCount: z.int(),
      tools: z.array(
        z.object({
          name: z.string(),
          type: z.string(),
          description: z.string(),
          inputSchema: z.record(z.string(), z.unknown()).exactOptional().describe('JSON Schema of the arguments.'),
        }),
      ),
      instructions: z.string(),
      model: z.string(),
      hasSubagents: z.boolean(),
      capabilities: z.array(z.string()),
      voice: z.string().exactOptional(),
      conversationStarters: z.array(z.string()).exactOptional(),
      quickReplies: z.array(z.string()).exactOptional(),
    }),
  })
  .meta({ id: 'AgentNode' })
export type AgentNode = z.infer<typeof agentNode>
const toolNode = z
  .object({
    id: z.string(),
    type: z.literal('tool'),
    position,
    data: z.object({ label: z.string(), description: z.string(), type: z.string(), parentAgent: z.string() }),
  })
  .meta({ id: 'ToolNode' })
export type ToolNode = z.infer<typeof toolNode>
const edge = z
  .object({
    id: z.string(),
    source: z.string(),
    target: z.string(),
    type: z.enum(['owns', 'communication']),
    data: z
      .object({
        label: z.string(),
        bidirectional: z.boolean(),
        kinds: z
          .array(z.enum(['send_message', 'handoff']))
          .exactOptional()
          .describe('How the agent reaches the other. Absent when it only sends messages.'),
      })
      .exactOptional(),
  })
  .meta({ id: 'Edge', description: 'A link from an agent to its tool, or to an agent that it can message.' })
export type Edge = z.infer<typeof edge>

export const metadata = z
  .object({
    nodes: z.array(z.discriminatedUnion('type', [agentNode, toolNode]).meta({ id: 'Node' })),
    edges: z.array(edge),
    metadata: z.object({
      agencyName: z.string(),
      totalAgents: z.int(),
      totalTools: z.int(),
      agents: z.array(z.string()),
      entryPoints: z.array(z.string()),
      sharedInstructions: z.string(),
      layoutAlgorithm: z.string(),
    }),
    agency_swarm_version: z.string().describe('The version of the wire.'),
    allowed_local_file_dirs: z.array(z.string()).nullable(),
  })
  .meta({ id: 'Metadata' })
/** An agency as a graph: the response of `/get_metadata`. */
export type Metadata = z.infer<typeof metadata>

export const logLine = z
  .object({
    message: z.string(),
    details: z.object({
      timestamp: z.string().describe("ISO time in the server's zone, without the zone."),
      level: z.enum(['INFO', 'WARNING', 'ERROR']),
      location: z.object({ file: z.string(), function: z.string(), line: z.int() }),
    }),
  })
  .meta({ id: 'LogLine' })
export type LogLine = z.infer<typeof logLine>

export const health = z.object({ status: z.enum(['ok', 'ready', 'stopping']) }).meta({ id: 'Health' })

/** The body of a rejected request. */
export const refusal = z.object({ detail: z.string() }).meta({ id: 'Detail' })
/** The body of a failed request. */
export const failure = z.object({ error: z.string() }).meta({ id: 'Failure' })
/** The body of a tool class that threw an error. */
export const classFailure = z.object({ Error: z.string() }).meta({ id: 'ToolFailure' })
