/** The endpoints behind the playground's page. They need the token like the API, and are no part of its OpenAPI document. */
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { AgencyGraph } from '../agency/agency.ts'
import { copyContext, RunContext } from '../agency/context.ts'
import { errorText, notFound } from '../base/errors.ts'
import { shuttingDown } from '../base/request-errors.ts'
import { readTokens } from '../models/usage.ts'
import type { Services } from '../services.ts'
import { createNoEmit } from '../tools/events.ts'
import { runTool } from '../tools/run.ts'
import { endRun } from '../tools/run-end.ts'
import type { FunctionTool, ToolContext } from '../tools/tool.ts'
import {
  type FeaturesAnswer,
  parseAgentQuery,
  parseCostsRequest,
  parseToolCall,
  type ToolCallAnswer,
} from '../wire/playground.ts'
import { findTools, viewAgent } from './agent-view.ts'
import { sendJson } from './error-handler.ts'
import { signalOf } from './event-stream.ts'
import { readKeptEvals } from './kept-evals.ts'

/** @param keepsChats the server was given a store, so that conversations of the page are threads */
export function registerPlaygroundApi(api: FastifyInstance, services: Services, keepsChats: boolean): void {
  const { agencies, tools, limits, redact, price } = services
  const viewing = { callbackMs: limits.callbackMs, redact }
  const agencyOf = (name: string): AgencyGraph => {
    const served = agencies.find(({ path }) => decodeURIComponent(path) === name)
    if (served === undefined) throw notFound('agency')
    return served.preview
  }

  api.get('/playground/features', async (_request, reply) => {
    const kept = keepsChats ? agencies.filter(({ keepsThreads }) => !keepsThreads) : []
    const answer: FeaturesAnswer = {
      threads: kept.map(({ path }) => decodeURIComponent(path)),
      tools: tools.map(({ name, description, parameters }) => ({ name, description, parameters })),
    }
    return sendJson(reply, 200, answer)
  })

  api.get('/playground/agent', async (request, reply) => {
    const { agency, agent } = parseAgentQuery(request.query)
    return sendJson(reply, 200, await viewAgent(agencyOf(agency), agent, viewing))
  })

  api.post('/playground/tool', async (request, reply) => {
    if (services.stopping()) throw shuttingDown()
    const { agency: name, agent, tool: wanted, arguments: args } = parseToolCall(request.body)
    const agency = agencyOf(name)
    const role = agency.role(agent)
    const tool = role.tools.get(wanted) ?? (await findTools(role, viewing)).get(wanted)
    if (tool === undefined) throw notFound('tool')
    return sendJson(reply, 200, await callTool(tool, args, { agency, agent, reply, services }))
  })

  // A run's total arrives at the end of its stream; with this endpoint the page shows the cost of each agent during the run.
  api.post('/playground/costs', async (request, reply) => {
    const { responses } = parseCostsRequest(request.body)
    return sendJson(reply, 200, { costs: responses.map(({ model, usage }) => price(model, readTokens(usage))) })
  })

  api.get('/playground/evals', async (_request, reply) => sendJson(reply, 200, await readKeptEvals()))
}

interface Calling {
  agency: AgencyGraph
  agent: string
  reply: FastifyReply
  services: Services
}

/** Runs a tool as a call of its agent would, with a copy of the agency's context, until the caller leaves. The caller's click is the approval. */
async function callTool(
  tool: FunctionTool,
  args: object,
  { agency, agent, reply, services }: Calling,
): Promise<ToolCallAnswer> {
  const { limits, redact, log } = services
  const ended = new AbortController()
  const signal = AbortSignal.any([signalOf(reply), ended.signal])
  const context: ToolContext = Object.assign(new RunContext(copyContext(agency.userContext), agent), {
    toolCallId: '',
    idempotencyKey: '',
    signal,
    emit: createNoEmit(limits.toolEventBytes),
  })
  const note = (error: unknown) => log.warn(`The tool ${tool.name} failed in the playground: ${errorText(error)}`)
  const began = performance.now()
  try {
    const { output, failed = false } = await runTool(tool, JSON.stringify(args), context, { redact, note })
    return { output, failed, ms: Math.round(performance.now() - began) }
  } finally {
    endRun(signal) // what it started for this call, such as processes
    ended.abort()
  }
}
