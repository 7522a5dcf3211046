/**
 * Tools with call types of their own in the Responses API that this process runs: custom (free-form) tools, computers, shells and
 * patches. Models over other APIs get them as functions with the same arguments.
 */
import { z } from 'zod'
import { invalidTool } from '../base/start-errors.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import type { ContentPart } from '../wire/message.ts'
import { tool } from './define.ts'
import { toolOutputImage } from './output.ts'
import type { CallOptions, FunctionTool, ToolContext } from './tool.ts'

/** Options of `customTool`. `Input` is the text that the model writes. */
export interface CustomToolOptions extends CallOptions<{ input: string }> {
  /** 1 to 64 letters, digits, `_` or `-`. */
  name: string
  /** Tells the model when and how to call the tool. @default '' */
  description?: string | undefined
  /** What the model may write: any text, or texts of a grammar. @default { type: 'text' } */
  format?: { type: 'text' } | { type: 'grammar'; syntax: 'lark' | 'regex'; definition: string } | undefined
  /** Decides before every model call whether the agent may use the tool. @default always enabled */
  isEnabled?: FunctionTool['isEnabled'] | undefined
  /** Receives the text that the model wrote, unchecked. The model gets its result, or a text with the error it threw. */
  execute(input: string, context: ToolContext): unknown
}

/** An action of a computer call: `click`, `double_click`, `drag`, `keypress`, `move`, `screenshot`, `scroll`, `type` or `wait`. */
export interface ComputerAction {
  readonly type: string
  readonly [field: string]: unknown
}

/** A warning of the provider about a computer call. */
export interface SafetyCheck {
  readonly id: string
  readonly code?: string | null
  readonly message?: string | null
}

/** The arguments of a computer call. */
export interface ComputerCall {
  /** The actions, to be performed in order. */
  readonly actions: readonly ComputerAction[]
  /** Warnings about them. Unless `needsApproval` decides otherwise, a call with warnings waits for a person. */
  readonly pending_safety_checks: readonly SafetyCheck[]
}

/** Options of `computerTool`. */
export interface ComputerToolOptions extends CallOptions<ComputerCall> {
  /** The screen, for models of the preview (`computer_use_preview`). @default none: the tool `computer` */
  display?:
    | { width: number; height: number; environment: 'windows' | 'mac' | 'linux' | 'ubuntu' | 'browser' }
    | undefined
  /** Performs the actions and returns the screenshot after them: PNG bytes, a data URL, or `toolOutputImage(...)`. */
  execute(call: ComputerCall, context: ToolContext): Screenshot | Promise<Screenshot>
}
/** PNG bytes, a data URL, or `toolOutputImage(...)`. */
export type Screenshot = Uint8Array | string | ContentPart

/** The arguments of a shell call. */
export interface ShellCall {
  /** The commands; they may run side by side. */
  readonly commands: readonly string[]
  /** The time limit that the model asks for, in milliseconds. */
  readonly timeout_ms?: number | null | undefined
  /** Most characters of output that the model asks for. */
  readonly max_output_length?: number | null | undefined
}

/** The result of one command. */
export interface ShellResult {
  stdout: string
  stderr: string
  outcome: { type: 'exit'; exit_code: number } | { type: 'timeout' }
}

/** Options of `shellTool`. */
export interface ShellToolOptions extends CallOptions<ShellCall> {
  /** Runs the commands and returns the result of each, in order. */
  execute(call: ShellCall, context: ToolContext): readonly ShellResult[] | Promise<readonly ShellResult[]>
}

/** The arguments of a local shell call. */
export interface LocalShellCall {
  /** The program and its arguments. */
  readonly command: readonly string[]
  readonly env?: { readonly [name: string]: string } | undefined
  readonly working_directory?: string | null | undefined
  readonly user?: string | null | undefined
  /** The time limit that the model asks for, in milliseconds. */
  readonly timeout_ms?: number | null | undefined
}

/** Options of `localShellTool`. */
export interface LocalShellToolOptions extends CallOptions<LocalShellCall> {
  /** Runs the program. The model gets its result as a text. */
  execute(call: LocalShellCall, context: ToolContext): unknown
}

/** A change of one file. `diff` is in the V4A format that OpenAI's models write; the whole text of a new file has "+" before each line. */
export type PatchOperation =
  | { readonly type: 'create_file' | 'update_file'; readonly path: string; readonly diff: string }
  | { readonly type: 'delete_file'; readonly path: string }

/** Options of `applyPatchTool`. */
export interface ApplyPatchToolOptions extends CallOptions<PatchOperation> {
  /** Makes the change. The model gets a text that it returns, and reads the error that it throws as the failure. */
  execute(operation: PatchOperation, context: ToolContext): unknown
}

/** A tool as a function, and its definition for the Responses API. */
const withNative = (made: FunctionTool, native: JsonObject): FunctionTool => Object.freeze({ ...made, native })

/** Creates a tool that takes free text instead of JSON arguments, optionally of a grammar. @throws INVALID_TOOL */
export function customTool({ name, description = '', format, execute, ...options }: CustomToolOptions): FunctionTool {
  requireExecute('customTool', execute)
  const grammar =
    format?.type === 'grammar' ? `A text of this ${format.syntax} grammar: ${format.definition}` : undefined
  const input = grammar === undefined ? z.string() : z.string().describe(grammar)
  const made = tool({
    ...options,
    name,
    description,
    parameters: { input },
    execute: ({ input: text }, context) => execute(text, context),
  })
  return withNative(made, { type: 'custom', name, description, ...(format === undefined ? {} : { format }) })
}

const computerCall = z.object({
  actions: z.array(z.looseObject({ type: z.string() })).describe('Actions to perform in order, such as click or type.'),
  pending_safety_checks: z.array(z.looseObject({ id: z.string() })).default([]),
})

/**
 * Creates a tool with which the model uses a computer or browser of the program. A call with warnings of the provider waits for a
 * person's approval, unless `needsApproval` says otherwise; an approved or allowed call acknowledges its warnings.
 * @throws INVALID_TOOL
 */
export function computerTool({ display, execute, ...options }: ComputerToolOptions): FunctionTool {
  requireExecute('computerTool', execute)
  const made = tool({
    needsApproval: ({ pending_safety_checks: checks }: ComputerCall) => checks.length > 0,
    ...options,
    name: 'computer',
    description: 'Uses a computer: performs mouse and keyboard actions and returns a screenshot.',
    parameters: computerCall,
    strict: false,
    execute: async (call, context) => toImage(await execute(call as ComputerCall, context)),
  })
  const { width, height, environment } = display ?? {}
  return withNative(
    made,
    display === undefined
      ? { type: 'computer' }
      : { type: 'computer_use_preview', display_width: width, display_height: height, environment },
  )
}

/** @throws Error for a value that is not an image */
function toImage(shot: Screenshot): ContentPart {
  if (shot instanceof Uint8Array) return toolOutputImage({ data: shot })
  if (typeof shot === 'string' && shot.startsWith('data:image/')) return toolOutputImage({ url: shot })
  if (isObject(shot) && shot.type === 'input_image') return shot
  throw new Error('The computer returned no screenshot.')
}

const shellCall = z.object({
  commands: z.array(z.string()).min(1),
  timeout_ms: z.number().nullish(),
  max_output_length: z.number().nullish(),
})

/** Creates the tool `shell`, whose commands the program runs. @throws INVALID_TOOL */
export function shellTool({ execute, ...options }: ShellToolOptions): FunctionTool {
  requireExecute('shellTool', execute)
  const made = tool({
    ...options,
    name: 'shell',
    description: 'Runs shell commands and returns the output of each.',
    parameters: shellCall,
    strict: false,
    execute,
  })
  return withNative(made, { type: 'shell', environment: { type: 'local' } })
}

const localShellCall = z.object({
  command: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()).optional(),
  working_directory: z.string().nullish(),
  user: z.string().nullish(),
  timeout_ms: z.number().nullish(),
})

/** Creates the tool `local_shell` of older models, whose programs the program runs. @throws INVALID_TOOL */
export function localShellTool({ execute, ...options }: LocalShellToolOptions): FunctionTool {
  requireExecute('localShellTool', execute)
  const made = tool({
    ...options,
    name: 'local_shell',
    description: 'Runs a program and returns its output.',
    parameters: localShellCall,
    strict: false,
    execute,
  })
  return withNative(made, { type: 'local_shell' })
}

const patchOperation = z.object({
  type: z.enum(['create_file', 'update_file', 'delete_file']),
  path: z.string().min(1),
  diff: z.string().optional().describe('The change in the V4A diff format; left out to delete a file.'),
})

/** Creates the tool `apply_patch`, whose changes of files the program makes. @throws INVALID_TOOL */
export function applyPatchTool({ execute, ...options }: ApplyPatchToolOptions): FunctionTool {
  requireExecute('applyPatchTool', execute)
  const made = tool({
    ...(options as CallOptions),
    name: 'apply_patch',
    description: 'Creates, updates or deletes one file.',
    parameters: patchOperation,
    strict: false,
    execute: async (operation, context) => {
      const output = await execute({ diff: '', ...operation } as PatchOperation, context)
      return { status: 'completed', ...(typeof output === 'string' ? { output } : {}) }
    },
  })
  return withNative(made, { type: 'apply_patch' })
}

function requireExecute(maker: string, execute: unknown): void {
  if (typeof execute !== 'function') throw invalidTool(`${maker}() needs an execute function.`)
}
