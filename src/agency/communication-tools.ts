/** Schemas of the tools through which agents reach each other: send_message and transfer_to_. */
import type { ToolSchema } from '../models/model.ts'
import { zodToJsonSchema } from '../tools/define.ts'
import { toToolNames } from '../tools/names.ts'
import { toPortable } from '../tools/portable-schema.ts'
import { isObject } from '../wire/json.ts'
import type { Agent } from './agent.ts'
import type { SendMessageClass } from './flows.ts'

/** The schema of a send_message tool. One tool covers all its recipients; its three fields and all extra ones are required. */
export function sendMessageSchema(
  name: string,
  route: { via: SendMessageClass; recipients: ReadonlyMap<string, Agent> },
): ToolSchema {
  const recipients = [...route.recipients.values()]
  const { properties: extra, $defs } =
    route.via.extraParams === undefined ? {} : toPortable(zodToJsonSchema(name, route.via.extraParams))
  const properties = {
    recipient_agent: {
      type: 'string',
      enum: recipients.map((agent) => agent.name),
      description: 'The agent to ask.',
    },
    message: { type: 'string', description: 'What you want from it, complete and clear.' },
    additional_instructions: {
      type: 'string',
      description: 'Instructions that hold for this one message; an empty string if there are none.',
    },
    ...(isObject(extra) ? extra : {}),
  }
  const lines = recipients.map((agent) => `- ${agent.name}: ${agent.description}`)
  return {
    type: 'function',
    name,
    description: `${route.via.description}\n\nAgents you can reach:\n${lines.join('\n')}`,
    parameters: {
      type: 'object',
      properties,
      required: Object.keys(properties),
      additionalProperties: false,
      ...($defs === undefined ? {} : { $defs }),
    },
    strict: false,
  }
}

/** The names of the tools that hand a conversation to these agents, each of them different. */
export const handoffToolNames = (targets: readonly Agent[]): string[] =>
  toToolNames(
    targets.map(({ name }) => name),
    { prefix: 'transfer_to_' },
  )

/** The schema of a handoff tool. */
export function handoffSchema(name: string, target: Agent): ToolSchema {
  return {
    type: 'function',
    name,
    description: `Hands the conversation to ${target.name}. ${target.description}`.trim(),
    parameters: {
      type: 'object',
      properties: { recipient_agent: { type: 'string', const: target.name } },
      required: ['recipient_agent'],
      additionalProperties: false,
    },
    strict: true,
  }
}
