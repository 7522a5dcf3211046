/** Errors that end a run. */
import { AgencyError } from './errors.ts'

/** The error of a run that a guardrail ended. */
export class GuardrailTripped extends AgencyError {
  readonly kind: 'InputGuardrail' | 'OutputGuardrail'
  /** What the guardrail says to the agent, or to the caller. */
  readonly guidance: string
  constructor(kind: GuardrailTripped['kind'], guidance: string) {
    super('GUARDRAIL_TRIPPED', 500, `Guardrail ${kind} triggered tripwire`, { cause: new Error(guidance) })
    this.kind = kind
    this.guidance = guidance
  }
}

/** The error as that of a guardrail; undefined for any other error. */
export const guardrailError = (error: unknown): GuardrailTripped | undefined =>
  AgencyError.isInstance(error) && error.code === 'GUARDRAIL_TRIPPED' ? (error as GuardrailTripped) : undefined
export const nothingToAnswer = (reason: string) =>
  new AgencyError('NOTHING_TO_ANSWER', 422, `There is nothing to answer: ${reason}.`)
export const emptyMessage = () => new AgencyError('EMPTY_MESSAGE', 422, 'message cannot be empty')
/** @param guidance the guardrail's text, kept in `cause` */
export const guardrailTripped = (kind: GuardrailTripped['kind'], guidance: string) =>
  new GuardrailTripped(kind, guidance)
export const unknownTool = (tool: string, agent: string) =>
  new AgencyError('UNKNOWN_TOOL', 500, `Tool ${tool} not found in agent ${agent}`)
/** @param what is gone, such as `agent "Billing"` */
export const agencyChanged = (what: string) =>
  new AgencyError(
    'AGENCY_CHANGED',
    500,
    `The run cannot go on: the agency has changed since it was stored, and its ${what} is gone. Start a new run.`,
  )
export const invalidOutput = (agent: string, reason: string) =>
  new AgencyError('INVALID_OUTPUT', 500, `The answer of agent ${agent} does not match its outputType: ${reason}`)
export const turnLimit = (maxTurns: number) =>
  new AgencyError(
    'TURN_LIMIT',
    500,
    `The run was stopped at its limit of ${maxTurns} model turns. Raise maxTurns if the task needs more.`,
  )
export const depthLimit = (maxDepth: number) =>
  new AgencyError('DEPTH_LIMIT', 500, `The run was stopped at its limit of ${maxDepth} nested agents.`)
export const timeLimit = (runMs: number) =>
  new AgencyError('TIME_LIMIT', 500, `The run was stopped at its limit of ${runMs / 1000} seconds.`)
/** A request and its run hold more data than limits.runBytes. */
export const runTooLarge = (runBytes: number) =>
  new AgencyError(
    'MEMORY_LIMIT',
    413,
    `The run was stopped at its limit of ${runBytes} bytes of data: its request, history, model answers and tool outputs together (limits.runBytes).`,
  )
