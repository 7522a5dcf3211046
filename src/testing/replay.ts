/** Replays a recorded run against an agency of today. */
import type { RunHooks } from '../agency/hooks.ts'
import type { Agency, AgencyResult } from '../agency-swarm.ts'
import { AgencyError, recordingDiffers } from '../base/errors.ts'
import { optionNames, refuseUnknown } from '../base/options.ts'
import { invalidOption } from '../base/start-errors.ts'
import type { ModelSpec } from '../models/spec.ts'
import { tool } from '../tools/define.ts'
import type { FunctionTool, Tool } from '../tools/tool.ts'
import type { StoredMessage } from '../wire/message.ts'
import { firstDifference, show } from './differences.ts'
import { type CallFact, parse } from './facts.ts'
import { copyAgency, replaceRun, toolsOf } from './override.ts'
import { pathOf, readRecording } from './recording-file.ts'
import {
  callsOf,
  conversationsOf,
  gist,
  inputOf,
  isAnswer,
  type RunRecording,
  runRecording,
  turnsOf,
} from './run-recording.ts'
import { script } from './script.ts'

/** Options of `replay()`. */
export interface ReplayOptions {
  /** `recorded`: models answer from the file. `own`: each agent's own model answers, or this one. @default 'recorded' */
  model?: 'recorded' | 'own' | Exclude<ModelSpec, string> | undefined
  /** `recorded`: tools answer from the file. `real`: they run, and their outputs are compared. @default 'recorded' */
  tools?: 'recorded' | 'real' | undefined
  /** Keys of the user context, as in the options of a run. A recording does not have them. @default none */
  contextOverride?: { [key: string]: unknown } | undefined
}

const OPTIONS = optionNames<ReplayOptions>({ model: true, tools: true, contextOverride: true })

/**
 * Runs the recorded message again with a copy of the agency, which starts with the recorded conversation, and compares every call
 * of a tool. When models answer from the file, every message is compared, too. Tools of MCP servers always answer from the file.
 * @param file made by the command `record`; relative to the working directory
 * @throws RECORDING_DIFFERS, which names the first difference; RECORDING_INVALID for a file that cannot be used; what the run
 *   throws
 */
export async function replay<Output>(
  // biome-ignore lint/suspicious/noExplicitAny: any agency
  agency: Agency<any, Output>,
  file: string | URL,
  options: ReplayOptions = {},
): Promise<AgencyResult<Output>> {
  refuseUnknown('replay()', options, OPTIONS)
  const { model = 'recorded', tools = 'recorded', contextOverride } = options
  if (typeof model === 'string' && model !== 'recorded' && model !== 'own')
    throw invalidOption('model of replay() is "recorded", "own" or a Model object.')
  const path = pathOf(file)
  const recording = readRecording(path, runRecording) as RunRecording
  const watch = watchRun(recording)
  const copy = copyAgency(
    agency,
    (agent) => ({
      ...(model === 'own' ? {} : { filesFolder: undefined, model: model === 'recorded' ? watch.model : model }),
      ...standIns(agency, agent.name, { recording, watch, real: tools === 'real' }),
    }),
    () => recording.history,
  )
  const run = copy.getResponse(inputOf(recording), {
    recipientAgent: recording.recipient_agent,
    hooks: watch.hooks,
    signal: watch.signal,
    ...(contextOverride === undefined ? {} : { contextOverride }),
  })
  const result = await run.catch((error) => {
    if (AgencyError.isInstance(error) && error.code === 'SCRIPT_ENDED')
      watch.differ(`${watch.place()}: asked its model again, which is not recorded`)
    if (watch.difference() === undefined) throw error
  })
  const place =
    watch.difference() ??
    (model === 'recorded' ? findChange(recording.new_messages, result?.newMessages ?? []) : undefined) ??
    watch.missing()
  if (place !== undefined || result === undefined)
    throw recordingDiffers(path, place ?? 'it has no result', RECORD_ANEW)
  return result as AgencyResult<Output>
}

const RECORD_ANEW = 'If this is intended, record the run anew: agency-swarm-js record.'

type Watch = ReturnType<typeof watchRun>

/** Follows the run: compares each call of a tool, and knows the answer that was recorded for it. */
function watchRun(recording: RunRecording) {
  const left = [...callsOf(recording)]
  const turns = new Map<string, number>()
  const outputs = new Map<string, unknown>()
  const stop = new AbortController()
  let current = recording.recipient_agent
  let difference: string | undefined
  const place = (agent = current) => `turn ${turns.get(agent) ?? 1} of ${agent}`
  const differ = (text: string) => {
    difference ??= text
    stop.abort()
  }
  const hooks: RunHooks = {
    onLlmStart(_context, { name }) {
      current = name
      turns.set(name, (turns.get(name) ?? 0) + 1)
    },
    onToolStart(_context, { name: agent }, { name, callId, argumentsJson }) {
      if (name.startsWith('send_message')) return
      const args = parse(argumentsJson)
      const found = findCall(left, { agent, tool: name, arguments: args })
      if (typeof found !== 'string') return outputs.set(callId, left.splice(left.indexOf(found), 1)[0]?.output)
      differ(`${place(agent)}: ${found}`)
      throw stop.signal.reason // so that the tool does not run
    },
  }
  return {
    hooks,
    place,
    differ,
    model: script(turnsOf(recording)),
    signal: stop.signal,
    difference: () => difference,
    outputOf: (callId: string | undefined) => outputs.get(callId ?? ''),
    missing: () => (left[0] === undefined ? undefined : `${left[0].agent} did not call ${describe(left[0])}`),
  }
}

/** The recorded call that is the same, or how this one differs from the one that was due. */
function findCall(left: readonly CallFact[], call: Omit<CallFact, 'output'>): CallFact | string {
  const same = left.filter(({ tool, agent }) => tool === call.tool && agent === call.agent)
  const found = same.find((other) => firstDifference(call.arguments, other.arguments) === undefined)
  if (found !== undefined) return found
  const [due] = same
  if (due === undefined) return `called ${describe(call)}, which is not recorded`
  const { path, actual, expected } = firstDifference(call.arguments, due.arguments) ?? {
    path: '',
    actual: '',
    expected: '',
  }
  return `called ${call.tool} with ${path === '' ? '' : `${path} `}${show(actual)}, recorded ${show(expected)}`
}

const describe = ({ tool, arguments: args }: Omit<CallFact, 'output'>) => `${tool} with ${show(args)}`

/** The tools of one agent, with recorded answers. Tools of MCP servers are known from the recording alone. */
function standIns(
  agency: Agency,
  name: string,
  { recording, watch, real }: { recording: RunRecording; watch: Watch; real: boolean },
) {
  const role = agency.role(name)
  const answer = (own: FunctionTool): FunctionTool => ({
    ...replaceRun(own, (_input, context) => watch.outputOf(context.toolCallId)),
    needsApproval: false,
  })
  const tools: Tool[] = toolsOf(agency, role.agent).map((own) => (own.kind === 'hosted' || real ? own : answer(own)))
  if (role.mcpSources.length === 0) return { tools }
  const known = new Set([...tools.map((own) => own.name), ...role.stubs.keys()])
  const found = new Set(callsOf(recording).flatMap((call) => (call.agent === name ? [call.tool] : [])))
  const parameters = { type: 'object', properties: {}, additionalProperties: true } as const
  const remote = [...found].filter((toolName) => !known.has(toolName))
  return {
    tools: [
      ...tools,
      ...remote.map((toolName) => answer(tool({ name: toolName, parameters, strict: false, execute: () => '' }))),
    ],
    mcpServers: [],
  }
}

/** The first message that differs, conversation by conversation; undefined when all are the same. */
function findChange(recorded: readonly StoredMessage[], now: readonly StoredMessage[]): string | undefined {
  const present = conversationsOf(now)
  for (const [name, before] of conversationsOf(recorded)) {
    const after = present.get(name) ?? []
    const index = [...before, ...after.slice(before.length)].findIndex((_, at) => {
      const [old, own] = [before[at], after[at]]
      return old === undefined || own === undefined || firstDifference(gist(own), gist(old)) !== undefined
    })
    if (index >= 0) return describeChange(name, before, after, index)
  }
  return undefined
}

function describeChange(
  name: string,
  before: readonly StoredMessage[],
  after: readonly StoredMessage[],
  index: number,
): string {
  const [old, own] = [before[index], after[index]]
  const agent = (own ?? old)?.agent ?? ''
  const shown = (item: StoredMessage | undefined) => (item === undefined ? 'nothing' : show(gist(item)))
  const turn = Math.max(1, countTurns(own === undefined ? before : after, agent, index))
  return `turn ${turn} of ${agent}, in the conversation with ${name}: ${shown(own)}, recorded ${shown(old)}`
}

/** How many answers an agent has given up to a message. */
const countTurns = (messages: readonly StoredMessage[], agent: string, index: number): number =>
  messages
    .slice(0, index + 1)
    .filter(
      (item, at, list) =>
        item.agent === agent && isAnswer(item) && (at === 0 || !isAnswer(list[at - 1] as StoredMessage)),
    ).length
