/** What callers, models and logs get to know when a run fails. */
import { AgencyError, errorText } from '../base/errors.ts'
import { guardrailError } from '../base/run-errors.ts'
import { createRedactor, type Redact, textsOf } from '../wire/redact.ts'
import type { RunProgress } from './events.ts'
import type { RunPlan } from './plan.ts'

/** The run that a line of the log is about. */
export interface RunFields {
  runId: string
  agency: string
  agent: string
}

export const runFields = (runId: string, { servedAs, recipient }: RunPlan): RunFields => ({
  runId,
  agency: servedAs,
  agent: recipient,
})

/** Masks the secrets that only this request knows. */
export function requestRedactor({ secrets, userContext, logins }: RunPlan): Redact {
  const mask = createRedactor(() => [...secrets, ...textsOf(userContext)])
  return logins === undefined ? mask : (text) => logins.redact(mask(text))
}

/**
 * A failure in one sentence for callers and models. Texts of providers and of users' code stay in the log.
 * @param exposeErrors give those texts to callers, too
 */
export function explain(error: unknown, agent: string, exposeErrors: boolean): string {
  if (!AgencyError.isInstance(error)) return exposeErrors ? errorText(error) : failureOf(agent, 'InternalError')
  if (exposeErrors || error.code !== 'MODEL_FAILED') return error.message
  return failureOf(agent, error.cause instanceof Error ? error.cause.constructor.name : 'ModelError')
}

/** The sentence for an error that nobody expected. */
export const unexpectedFailure = (agent: string) => failureOf(agent, 'InternalError')

const failureOf = (agent: string, cause: string) => `The run of agent ${agent} failed (cause: ${cause}).`

/** The event of a failed run. Callers also get the guidance of an output guardrail; that of an input guardrail was sent before. */
export function failureEvent(error: unknown, failure: string): RunProgress {
  const tripped = guardrailError(error)
  if (tripped === undefined) return { kind: 'error', who: undefined, content: failure }
  return { kind: 'tripped', content: tripped.kind === 'OutputGuardrail' ? `${failure}: ${tripped.guidance}` : failure }
}
