/** What the playground's page asks of its own endpoints, and what they answer. They are not part of the API. */
import { z } from 'zod'
import type { JsonObject, JsonSchema } from './json.ts'
import { parse } from './requests.ts'

const name = z.string().max(512)
const agentQuery = z.object({ agency: name, agent: name })
const toolCall = agentQuery.extend({ tool: name, arguments: z.record(z.string(), z.unknown()) })
const costsRequest = z.object({
  responses: z.array(z.object({ model: z.string().max(200), usage: z.record(z.string(), z.unknown()) })).max(1_000),
})

/** @throws RequestInvalid */
export const parseAgentQuery = (query: unknown): z.infer<typeof agentQuery> => parse(agentQuery, query, 'query')
/** @throws RequestInvalid */
export const parseToolCall = (body: unknown): z.infer<typeof toolCall> => parse(toolCall, body, 'body')
/** @throws RequestInvalid */
export const parseCostsRequest = (body: unknown): z.infer<typeof costsRequest> => parse(costsRequest, body, 'body')

/** A tool as the page shows it. */
export interface ToolView {
  name: string
  description: string
  parameters: JsonSchema
}

/** What the page has to know of the server beside its agencies. */
export interface FeaturesAnswer {
  /** Agencies whose conversations are threads of the store. */
  threads: string[]
  /** Standalone tools. */
  tools: ToolView[]
}

/** A function of an agent, with its schema as models get it. */
export interface AgentToolView extends ToolView {
  strict: boolean
  /** `own` for tools of the agent, `message` and `handoff` for those to other agents, else the label of an MCP server. */
  from: string
  needs_approval: boolean
  /** The tool can be run from the page. */
  runs: boolean
  /** Other agents that it reaches. */
  reaches: string[]
}

/** An agent as its model gets it. */
export interface AgentAnswer {
  agent: string
  description: string
  /** As sent, the shared ones first. Null when there are none, or when they cannot be made without a run: see `problems`. */
  instructions: string | null
  /** True when a function makes them anew for each model call. */
  dynamic: boolean
  model: string
  settings: JsonObject
  tools: AgentToolView[]
  /** Entries for tools that the provider runs, without keys. */
  hosted_tools: JsonObject[]
  output_schema: JsonSchema | null
  /** Agents that reach it. */
  reached_from: string[]
  /** What could not be read, such as an MCP server that does not answer. */
  problems: string[]
}

/** What a tool answered. */
export interface ToolCallAnswer {
  /** As the model would read it: a text or content parts. */
  output: unknown
  failed: boolean
  ms: number
}

/** Evals that `agency-swarm-js eval` has kept. */
export interface EvalsAnswer {
  /** Where they are kept. */
  folder: string
  /** Newest first. */
  reports: JsonObject[]
  /** Files that are no reports, or too large. */
  skipped: string[]
}
