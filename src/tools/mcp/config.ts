/** The `mcpServers` that a program describes with plain data, and the check of what it says. */

import { MAX_MS } from '../../base/limits.ts'
import { refuseUnknown } from '../../base/options.ts'
import { invalidOption } from '../../base/start-errors.ts'
import { isObject } from '../../wire/json.ts'
import type { ToolContext } from '../tool.ts'
import { checkOAuth, type McpOAuth } from './oauth/options.ts'

/** A tool as its server lists it, for `toolFilter`. */
export interface McpToolInfo {
  readonly name: string
  readonly description: string
  /** What the server says of the tool, such as `{ readOnlyHint: true }`; a hint, not a promise. */
  readonly annotations: { readonly [name: string]: unknown }
}

/** Decides whether a call of a server's tool needs a person's approval. */
export type McpApprovalCheck = {
  check(args: { [name: string]: unknown }, context: ToolContext, tool: McpToolInfo): boolean | Promise<boolean>
}['check']

/** What a tool reports while it runs. */
export interface McpProgress {
  /** The name of the tool at its server. */
  readonly tool: string
  readonly toolCallId: string
  readonly progress: number
  readonly total: number | undefined
  readonly message: string | undefined
}

/** Settings of every kind of MCP server. */
export interface McpServerSettings {
  /** Letters, digits, spaces, `_` and `-`, at most 32. Distinguishes tools of equal names, and stands in errors and events. @default 'mcp1', 'mcp2', ... */
  name?: string | undefined
  /** The only tools that are used, by the server's names. @default all */
  allowedTools?: readonly string[] | undefined
  /** Tools that are not used. @default [] */
  blockedTools?: readonly string[] | undefined
  /** Decides about each tool that the lists leave. @default every tool is used */
  toolFilter?: ((tool: McpToolInfo) => boolean) | undefined
  /** Put before the name of every tool. @default '' */
  toolPrefix?: string | undefined
  /**
   * Calls wait until a person has approved them: of every tool, of these, by the server's names, or those for which a function
   * returns true. See `needsApproval` of `tool()`. @default false
   */
  needsApproval?: boolean | readonly string[] | McpApprovalCheck | undefined
  /**
   * Calls that a restart interrupted are run again, and those whose connection was lost: of every tool, or of these. See
   * `safeToRetry` of `tool()`. @default the tools that the server calls read-only or idempotent
   */
  safeToRetry?: boolean | readonly string[] | undefined
  /** Ask the provider to follow the schemas of the tools exactly, where strict mode can express them. @default false */
  strict?: boolean | undefined
  /** Makes the text that the model reads when a call fails. See `describeFailure` of `tool()`. @default a text with the message of the error */
  describeFailure?: ((error: Error, tool: McpToolInfo) => string) | undefined
  /**
   * Let the model load the tools when it finds them with `toolSearch()`, in a namespace of the server's name. See `deferLoading` of
   * `tool()`. @default false
   */
  deferLoading?: boolean | undefined
  /** How long starting and connecting may take, with all attempts, in milliseconds. @default 30_000 */
  startTimeoutMs?: number | undefined
  /** How long a call may be silent, in milliseconds; each progress report of the server starts it anew. @default 60_000 */
  timeoutMs?: number | undefined
  /** How long a call may take in all, in milliseconds. @default 600_000 */
  maxCallMs?: number | undefined
  /** How much text of a result the model gets, in bytes; a longer one is cut off, and the model is told. @default 131_072 */
  maxResultBytes?: number | undefined
  /** How long a connection that is not used stays open, in milliseconds. The next use connects again. @default 300_000 */
  idleTimeoutMs?: number | undefined
  /** Called with every progress report of a tool. What it throws is ignored. */
  onProgress?: ((progress: McpProgress) => void) | undefined
}

/** An MCP server that is a program: it is started as a child process and spoken to over its stdin and stdout. */
export interface McpCommand extends McpServerSettings {
  /** The program, such as `npx`. */
  command: string
  /** @default [] */
  args?: readonly string[] | undefined
  /** Variables of its environment, beside PATH, HOME and a few more: it does not get the keys of this process. @default {} */
  env?: { readonly [name: string]: string } | undefined
  /** Its working directory. @default that of this process */
  cwd?: string | undefined
}

/** An MCP server with an address. */
export interface McpAddress extends McpServerSettings {
  /** An http(s) address. It may be inside your network. */
  url: string | URL
  /** Headers of every request, such as `{ authorization: 'Bearer ...' }`. @default {} */
  headers?: { readonly [name: string]: string } | undefined
  /**
   * Log in with OAuth in the name of each owner of runs: the owner gives consent in a browser, once. With true, the program
   * registers itself with the authorization server. @default false
   */
  oauth?: boolean | McpOAuth | undefined
  /** `http` is Streamable HTTP, `sse` the older transport of two addresses. @default 'http' */
  transport?: 'http' | 'sse' | undefined
}

/** An MCP server, described by plain data. Agents that list the same object share one connection. */
export type McpServerConfig = McpCommand | McpAddress

const SETTINGS = [
  ...(['name', 'allowedTools', 'blockedTools', 'toolFilter', 'toolPrefix', 'startTimeoutMs', 'timeoutMs'] as const),
  ...(['needsApproval', 'safeToRetry', 'maxCallMs', 'maxResultBytes', 'idleTimeoutMs', 'onProgress'] as const),
  ...(['deferLoading', 'strict', 'describeFailure'] as const),
] satisfies (keyof McpServerSettings)[]
const COMMAND = new Set<string>([...SETTINGS, 'command', 'args', 'env', 'cwd'] satisfies (keyof McpCommand)[])
const ADDRESS = new Set<string>([...SETTINGS, 'url', 'headers', 'oauth', 'transport'] satisfies (keyof McpAddress)[])
const MOVED = {
  type: 'transport: "http" or "sse"',
  requestInit: 'headers',
  timeout: 'timeoutMs',
  clientSessionTimeoutSeconds: 'timeoutMs',
  cacheToolsList: 'nothing: a list is kept until the server reports a change',
}

export const isConfig = (value: unknown): value is McpServerConfig =>
  isObject(value) && ('command' in value || 'url' in value) && typeof value.listTools !== 'function'

/** @param owner the owner named in errors @throws INVALID_OPTION */
export function checkConfig(config: McpServerConfig, owner: string): void {
  const wrong = (text: string) => invalidOption(`An MCP server of ${owner}: ${text}`)
  refuseUnknown(`An MCP server of ${owner}`, config, 'command' in config ? COMMAND : ADDRESS, MOVED)
  if ('command' in config) checkCommand(config, wrong)
  else checkAddress(config, wrong)
  const { name, toolPrefix } = config
  if (name !== undefined && !/^[\w -]{1,32}$/.test(name))
    throw wrong('name must be 1 to 32 letters, digits, spaces, "_" or "-".')
  if (toolPrefix !== undefined && !/^[\w-]{1,32}$/.test(toolPrefix))
    throw wrong('toolPrefix must be 1 to 32 letters, digits, "_" or "-".')
  for (const option of ['allowedTools', 'blockedTools'] as const)
    if (config[option] !== undefined && !Array.isArray(config[option]))
      throw wrong(`${option} must be a list of names.`)
  const isNames = (value: unknown) =>
    typeof value === 'boolean' || (Array.isArray(value) && value.every((one) => typeof one === 'string'))
  const { needsApproval = false, safeToRetry = false } = config
  if (typeof needsApproval !== 'function' && !isNames(needsApproval))
    throw wrong('needsApproval must be true, false, a list of names, or a function (args, context, tool) => boolean.')
  for (const option of ['deferLoading', 'strict'] as const)
    if (config[option] !== undefined && typeof config[option] !== 'boolean')
      throw wrong(`${option} must be true or false.`)
  if (!isNames(safeToRetry)) throw wrong('safeToRetry must be true, false or a list of names.')
  for (const option of ['toolFilter', 'onProgress', 'describeFailure'] as const)
    if (config[option] !== undefined && typeof config[option] !== 'function')
      throw wrong(`${option} must be a function.`)
  for (const option of ['startTimeoutMs', 'timeoutMs', 'maxCallMs', 'maxResultBytes', 'idleTimeoutMs'] as const) {
    const value = config[option]
    if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= MAX_MS))
      throw wrong(`${option} must be a whole number from 1 to ${MAX_MS}.`)
  }
}

type Wrong = (text: string) => Error
const isTexts = (value: unknown) => isObject(value) && Object.values(value).every((text) => typeof text === 'string')

function checkCommand({ command, args, env, cwd }: McpCommand, wrong: Wrong): void {
  if (typeof command !== 'string' || command.trim() === '')
    throw wrong('command must be the name or path of a program.')
  if (args !== undefined && !(Array.isArray(args) && args.every((arg) => typeof arg === 'string')))
    throw wrong('args must be a list of texts.')
  if (env !== undefined && !isTexts(env)) throw wrong('env must be an object of texts.')
  if (cwd !== undefined && typeof cwd !== 'string') throw wrong('cwd must be the path of a folder.')
}

function checkAddress({ url, headers, oauth, transport = 'http' }: McpAddress, wrong: Wrong): void {
  if (!/^https?:$/.test(URL.parse(String(url))?.protocol ?? '')) throw wrong('url must be an http(s) address.')
  if (headers !== undefined && !isTexts(headers)) throw wrong('headers must be an object of texts.')
  checkOAuth(oauth, 'an MCP server', wrong)
  if (oauth && Object.keys(headers ?? {}).some((name) => name.toLowerCase() === 'authorization'))
    throw wrong('headers.authorization and oauth both log in. Leave one of them out.')
  if (transport !== 'http' && transport !== 'sse') throw wrong('transport must be "http" or "sse".')
}

/** What in a configuration may be a secret: no log or error shows it. */
export function secretsOf(config: McpServerConfig): string[] {
  if ('command' in config) return [...Object.values(config.env ?? {}), ...secretArgs(config.args ?? [])]
  const headers = Object.values(config.headers ?? {}).flatMap((value) => [value, ...value.split(' ').slice(1)])
  const { clientSecret } = typeof config.oauth === 'object' ? config.oauth : {}
  return [
    ...headers,
    ...new URL(config.url).searchParams.values(),
    ...(clientSecret === undefined ? [] : [clientSecret]),
  ]
}

/** The values of `--api-key=...` and `--api-key ...`. */
const secretArgs = (args: readonly string[]): string[] =>
  args.flatMap((arg, index) => {
    const equals = arg.indexOf('=')
    const name = equals < 0 ? arg : arg.slice(0, equals)
    if (!/key|token|secret|passw|auth/i.test(name)) return []
    return equals < 0 ? (args[index + 1] ?? []) : [arg.slice(equals + 1)]
  })
