/** Calls with item types of their own in the Responses API, whose tools run in this process: arguments in, output items out. */
import { isObject, type JsonObject } from '../wire/json.ts'
import type { ContentPart, InputItem } from '../wire/message.ts'

/** What a tool answered: the output for a function call, and the value itself. */
interface Answer {
  output: string | ContentPart[]
  value: unknown
}

interface NativeKind {
  /** The name of the tool; undefined when the call has it. */
  tool?: string
  /** The arguments of the tool. */
  toArguments(call: InputItem): JsonObject
  /** The type of the output item. */
  output: string
  /** The fields of the output item beside its type and its call id. */
  toOutput(answer: Answer, call: InputItem): JsonObject
  /** The field of the output item with the id of the call. @default call_id */
  idField?: 'id'
}

/** One transparent pixel: the API requires a screenshot for every computer call, also for one that did not run. */
const NO_SCREENSHOT =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='

/** Source: the item types of the `openai` package, which follow OpenAI's OpenAPI document. */
const KINDS: { readonly [type: string]: NativeKind } = {
  custom_tool_call: {
    toArguments: ({ input }) => ({ input: typeof input === 'string' ? input : '' }),
    output: 'custom_tool_call_output',
    toOutput: ({ output }) => ({ output }),
  },
  computer_call: {
    tool: 'computer',
    toArguments: ({ actions, action, pending_safety_checks: checks }) => ({
      actions: Array.isArray(actions) ? actions : isObject(action) ? [action] : [],
      pending_safety_checks: Array.isArray(checks) ? checks : [],
    }),
    output: 'computer_call_output',
    toOutput: (answer, { pending_safety_checks: checks }) => {
      const image = imageOf(answer)
      return {
        output: { type: 'computer_screenshot', ...(image ?? { image_url: NO_SCREENSHOT }) },
        ...(image !== undefined && Array.isArray(checks) && checks.length > 0
          ? { acknowledged_safety_checks: checks }
          : {}),
      }
    },
  },
  local_shell_call: {
    tool: 'local_shell',
    toArguments: ({ action }) => (isObject(action) ? action : {}),
    output: 'local_shell_call_output',
    toOutput: ({ output }) => ({ output: textOf(output) }),
    idField: 'id',
  },
  shell_call: {
    tool: 'shell',
    toArguments: ({ action }) => (isObject(action) ? action : {}),
    output: 'shell_call_output',
    toOutput: ({ output, value }, { action }) => {
      const limit = isObject(action) ? action.max_output_length : undefined
      const results = isResults(value) ? value : [toFailedResult(textOf(output))]
      return { output: results, ...(typeof limit === 'number' ? { max_output_length: limit } : {}) }
    },
  },
  apply_patch_call: {
    tool: 'apply_patch',
    toArguments: ({ operation }) => (isObject(operation) ? operation : {}),
    output: 'apply_patch_call_output',
    toOutput: ({ output, value }) =>
      isObject(value) && (value.status === 'completed' || value.status === 'failed')
        ? { status: value.status, ...(typeof value.output === 'string' ? { output: value.output } : {}) }
        : { status: 'failed', output: textOf(output) },
  },
}

const kindOfCall = ({ type }: InputItem): NativeKind | undefined =>
  typeof type === 'string' && Object.hasOwn(KINDS, type) ? KINDS[type] : undefined

/** The tool and the arguments of a native call; undefined for any other item. */
export function readNativeCall(item: InputItem): { name: string; args: JsonObject } | undefined {
  const kind = kindOfCall(item)
  return kind && { name: kind.tool ?? String(item.name), args: kind.toArguments(item) }
}

/** The output item of a native call; undefined for any other call. */
export function toNativeOutput(call: InputItem, answer: Answer): InputItem | undefined {
  const kind = kindOfCall(call)
  return kind && { [kind.idField ?? 'call_id']: call.call_id, type: kind.output, ...kind.toOutput(answer, call) }
}

/** The text for the model that the output item of a call cannot hold: why a computer call has no screenshot. */
export function toNativeNote(call: InputItem, answer: Answer): string | undefined {
  if (call.type !== 'computer_call' || imageOf(answer) !== undefined) return undefined
  return textOf(answer.output) || 'The computer call returned no screenshot.'
}

/** The first image of an output. */
function imageOf({ output }: Answer): JsonObject | undefined {
  if (typeof output === 'string') return output.startsWith('data:image/') ? { image_url: output } : undefined
  const image = output.find(({ type }) => type === 'input_image')
  if (typeof image?.image_url === 'string') return { image_url: image.image_url }
  return typeof image?.file_id === 'string' ? { file_id: image.file_id } : undefined
}

const textOf = (output: Answer['output']): string => (typeof output === 'string' ? output : JSON.stringify(output))

const isResults = (value: unknown): value is JsonObject[] =>
  Array.isArray(value) && value.length > 0 && value.every((result) => isObject(result) && isObject(result.outcome))

const toFailedResult = (text: string) => ({ stdout: '', stderr: text, outcome: { type: 'exit', exit_code: 1 } })
