/** System reminders: messages for the model that are never stored. */
import { invalidOption } from '../base/start-errors.ts'
import type { UserContext } from '../tools/user-context.ts'
import { isObject } from '../wire/json.ts'
import type { InputItem, StoredMessage } from '../wire/message.ts'
import type { AgencyContext, AgentInfo } from './context.ts'

type ReminderText<Context extends object> =
  | string
  | ((context: AgencyContext<Context>, agent: AgentInfo) => string | Promise<string>)
/**
 * A system message the model gets but that is never stored: after each user message, or, with `everyToolCalls`, on the next
 * model call after that many tool calls.
 */
export type SystemReminder<Context extends object = UserContext> =
  | ReminderText<Context>
  | { everyToolCalls: number; message: ReminderText<Context> }

/** What happened in a conversation since its last model call. */
export interface ReminderProgress {
  /** True when there is a user message the model has not seen. */
  newUserMessage: boolean
  /** Tool calls before the last model call. */
  toolCallsBefore: number
  /** Tool calls until now. */
  toolCalls: number
}

/** The `systemReminders` option as a list. @throws INVALID_OPTION for an entry that is not a reminder */
export function readReminders(
  option: SystemReminder | readonly SystemReminder[] | undefined,
  agent: string,
): readonly SystemReminder[] {
  const reminders = (option === undefined ? [] : Array.isArray(option) ? option : [option]) as readonly SystemReminder[]
  for (const reminder of reminders) {
    const message = isObject(reminder) ? reminder.message : reminder
    const every = isObject(reminder) ? reminder.everyToolCalls : 1
    if (!/^(string|function)$/.test(typeof message) || !Number.isInteger(every) || Number(every) < 1)
      throw invalidOption(
        `systemReminders of agent "${agent}" must be a list of texts, functions, or { everyToolCalls: 3, message: ... }.`,
      )
  }
  return reminders
}

/** The reminders that are due before a model call, as items for the front of its input. */
export async function dueReminders(
  reminders: readonly SystemReminder[],
  agent: AgentInfo,
  context: AgencyContext,
  { newUserMessage, toolCallsBefore, toolCalls }: ReminderProgress,
): Promise<InputItem[]> {
  const items: InputItem[] = []
  for (const reminder of reminders) {
    const counted = typeof reminder === 'object'
    const due = counted
      ? Math.floor(toolCalls / reminder.everyToolCalls) > Math.floor(toolCallsBefore / reminder.everyToolCalls)
      : newUserMessage
    if (!due) continue
    const message = counted ? reminder.message : reminder
    const content = typeof message === 'function' ? await message(context, agent) : message
    if (content !== '') items.push({ role: 'system', content })
  }
  return items
}

const CONTROL = new Set<unknown>(['handoff_reminder', 'recipient_reminder'])

/**
 * The system message for an agent that the user addresses after another agent had taken over (docs/wire.md, "Messages");
 * undefined when the conversation did not change hands.
 */
export function recipientReminder(thread: readonly StoredMessage[], agent: AgentInfo): string | undefined {
  let start = thread.findLastIndex((message) => message.role === 'user')
  while (start > 0 && CONTROL.has(thread[start - 1]?.message_origin)) start--
  const lastCall = thread.slice(Math.max(start, 0))
  if (!lastCall.some((message) => CONTROL.has(message.message_origin))) return undefined
  const speaker = lastCall.findLast((message) => message.role === 'assistant')?.agent
  if (speaker === agent.name) return undefined
  const role = agent.description.trim()
  const sentence = role === '' ? '' : ` Your role: ${role}${/[.!?]$/.test(role) ? '' : '.'}`
  return `The user now talks to you: you are "${agent.name}".${sentence} Please go on with the task.`
}
