/** Checks the types of an agent's options. */
import { invalidOption } from '../base/start-errors.ts'
import { isObject } from '../wire/json.ts'
import { isStoredPrompt, isVoice, VOICES } from './stored-prompt.ts'

/** @throws INVALID_OPTION, which names the option and the agent */
export function checkShapes(agent: string, options: { readonly [name: string]: unknown }): void {
  for (const [names, fits, expected] of SHAPES)
    for (const name of names)
      if (options[name] !== undefined && !fits(options[name]))
        throw invalidOption(`${name} of agent "${agent}" must be ${expected}.`)
}

const isText = (value: unknown) => typeof value === 'string'
/** The expected types of an agent's options that nothing else validates at construction. */
const SHAPES: [names: readonly string[], fits: (value: unknown) => boolean, expected: string][] = [
  [['description', 'handoffReminder'], isText, 'a text'],
  [['cacheConversationStarters'], (value) => typeof value === 'boolean', 'true or false'],
  [
    ['instructions'],
    (value) => isText(value) || typeof value === 'function' || value instanceof URL,
    'a text, a file URL or a function',
  ],
  [['tools', 'mcpServers', 'inputGuardrails', 'outputGuardrails'], Array.isArray, 'a list'],
  [['modelSettings', 'hooks', 'apiHeaders', 'apiParams'], isObject, 'an object'],
  [
    ['prompt'],
    (value) => isStoredPrompt(value) || typeof value === 'function',
    'an object with the id of a stored prompt, { id: "pmpt_...", version, variables }, or a function that returns one',
  ],
  [['voice'], isVoice, `one of ${VOICES.join(', ')}`],
]
