/** Adapts the computer, shell and patch tools of the OpenAI Agents SDK. */
import { invalidTool } from '../base/start-errors.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { hostedTool } from './hosted.ts'
import {
  applyPatchTool,
  type ComputerAction,
  type ComputerCall,
  computerTool,
  type PatchOperation,
  type ShellCall,
  type ShellResult,
  shellTool,
} from './native.ts'
import { runContextOf } from './sdk-run-context.ts'
import type { ApprovalCheck, FunctionTool, Tool } from './tool.ts'

/** The functions of the SDK's objects that are called here. */
type Methods = Record<string, (...given: unknown[]) => unknown>

/**
 * The SDK's `computerTool`, `shellTool` or `applyPatchTool`; undefined for anything else. A hosted shell stays with the provider.
 * @throws INVALID_TOOL for a computer that the SDK creates per run
 */
export function fromSdkNative(value: JsonObject): Tool | undefined {
  const { type } = value
  if (type === 'computer') return fromSdkComputer(value)
  if (type === 'shell')
    return isObject(value.shell) ? fromSdkShell(value, value.shell as Methods) : hostedTool(toHosted(value))
  return type === 'apply_patch' && isObject(value.editor) ? fromSdkEditor(value, value.editor as Methods) : undefined
}

const toHosted = ({ environment }: JsonObject) => ({ type: 'shell', environment })

/** The SDK's `needsApproval(runContext, input, callId)`, which is always a function. */
function readApproval<Input>({ needsApproval }: JsonObject, toInput: (input: Input) => unknown): ApprovalCheck<Input> {
  return async (input, context) =>
    typeof needsApproval === 'function' &&
    (await needsApproval(runContextOf(context), toInput(input), context.toolCallId)) === true
}

function fromSdkComputer(value: JsonObject): FunctionTool {
  const { computer, onSafetyCheck } = value
  if (!isObject(computer) || typeof computer.screenshot !== 'function')
    throw invalidTool(
      `The computer tool "${value.name}" of the Agents SDK creates a computer per run, which this package does not support. Give it a computer, or write computerTool({ execute }).`,
    )
  const methods = computer as Methods
  const { dimensions, environment } = computer as {
    dimensions?: [number, number]
    environment?: 'mac' | 'windows' | 'ubuntu' | 'browser'
  }
  const asked = readApproval<ComputerCall>(value, ({ actions }) => actions[0])
  return computerTool({
    ...(dimensions && environment ? { display: { width: dimensions[0], height: dimensions[1], environment } } : {}),
    // The SDK asks `onSafetyCheck` instead of a person; without it, warnings wait for one here.
    needsApproval: async (call, context) =>
      (call.pending_safety_checks.length > 0 && typeof onSafetyCheck !== 'function') || (await asked(call, context)),
    async execute({ actions, pending_safety_checks: pendingSafetyChecks }, context) {
      const runContext = runContextOf(context)
      if (pendingSafetyChecks.length > 0 && typeof onSafetyCheck === 'function') {
        const verdict: unknown = await onSafetyCheck({ runContext, pendingSafetyChecks, toolCall: { actions } })
        if (verdict === false) throw new Error('The safety checks of this call were not acknowledged.')
      }
      for (const action of actions) await perform(methods, action, runContext)
      return `data:image/png;base64,${await methods.screenshot?.(runContext)}`
    },
  })
}

/** One action as a method of the SDK's computer. */
async function perform(computer: Methods, action: ComputerAction, runContext: unknown): Promise<void> {
  const { type, x, y } = action
  const path = Array.isArray(action.path) ? action.path.map((point: JsonObject) => [point.x, point.y]) : []
  const given: { [type: string]: unknown[] } = {
    click: [x, y, action.button],
    double_click: [x, y],
    drag: [path],
    keypress: [action.keys],
    move: [x, y],
    scroll: [x, y, action.scroll_x, action.scroll_y],
    type: [action.text],
    wait: [],
    screenshot: [],
  }
  const name = type.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const args = Object.hasOwn(given, type) ? given[type] : undefined
  if (args === undefined || typeof computer[name] !== 'function')
    throw new Error(`The computer has no action "${type}".`)
  if (type !== 'screenshot') await computer[name](...args, runContext) // one follows the last action
}

function fromSdkShell(value: JsonObject, shell: Methods): FunctionTool {
  const toAction = ({ commands, timeout_ms, max_output_length }: ShellCall) => ({
    commands,
    timeoutMs: timeout_ms ?? undefined,
    maxOutputLength: max_output_length ?? undefined,
  })
  return shellTool({
    needsApproval: readApproval<ShellCall>(value, toAction),
    async execute(call) {
      const result = await shell.run?.(toAction(call))
      const outputs = isObject(result) && Array.isArray(result.output) ? result.output : []
      return outputs.map(toShellResult)
    },
  })
}

/** The SDK writes `exitCode`. */
function toShellResult({ stdout, stderr, outcome }: JsonObject): ShellResult {
  const ended = isObject(outcome) ? outcome : {}
  const code = ended.exitCode ?? ended.exit_code
  return {
    stdout: String(stdout ?? ''),
    stderr: String(stderr ?? ''),
    outcome:
      ended.type === 'timeout' ? { type: 'timeout' } : { type: 'exit', exit_code: typeof code === 'number' ? code : 0 },
  }
}

const EDITOR_METHODS = { create_file: 'createFile', update_file: 'updateFile', delete_file: 'deleteFile' } as const

function fromSdkEditor(value: JsonObject, editor: Methods): FunctionTool {
  return applyPatchTool({
    needsApproval: readApproval<PatchOperation>(value, (operation) => operation),
    async execute(operation, context) {
      const result = await editor[EDITOR_METHODS[operation.type]]?.(operation, { runContext: runContextOf(context) })
      const { status, output } = isObject(result) ? result : {}
      if (status === 'failed') throw new Error(typeof output === 'string' ? output : 'The change failed.')
      return output
    },
  })
}
