/** The lines that a run writes to the log of its request. */
import type { RunHooks } from '../agency/hooks.ts'
import { isObject } from '../wire/json.ts'
import type { RunSummary } from './events.ts'

/** Writes one line to the log of a request. `where` names the part of the run that it is about. */
export type WriteRunLog = (level: 'INFO' | 'WARNING' | 'ERROR', message: string, where: string) => void

/** Writes a line for each step of a run. Texts of users, tools and models are not logged. */
export const logSteps = (write: WriteRunLog): RunHooks => ({
  onAgentStart: (_, agent) => write('INFO', `Agent ${agent.name} starts`, 'agent'),
  onAgentEnd: (_, agent) => write('INFO', `Agent ${agent.name} finished`, 'agent'),
  onHandoff: (_, from, to) => write('INFO', `Agent ${from.name} hands over to ${to.name}`, 'handoff'),
  onToolStart: (_, agent, call) => write('INFO', `Agent ${agent.name} calls tool ${call.name}`, 'tool'),
  onToolEnd: (_, agent, call) => write('INFO', `Tool ${call.name} returned to ${agent.name}`, 'tool'),
  onLlmStart: (_, agent, request) =>
    write('INFO', `Agent ${agent.name} calls its model (${request.input.length} items)`, 'model'),
  onLlmEnd: (_, agent, response) =>
    write('INFO', `The model of ${agent.name} answered (${response.output.length} items)`, 'model'),
})

/** Writes how a run ended. */
export function logEnd(write: WriteRunLog, { failure, cancelled, usage }: RunSummary): void {
  if (failure !== undefined) write('ERROR', `The run failed: ${failure}`, 'run')
  else if (cancelled) write('WARNING', 'The run was cancelled', 'run')
  else write('INFO', `The run finished${isObject(usage) ? ` (${usage.total_tokens} tokens)` : ''}`, 'run')
}
