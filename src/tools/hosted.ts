import { invalidTool } from '../errors.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { tool } from './define.ts'
import { toToolNames } from './names.ts'
import type { FunctionTool, HostedTool } from './tool.ts'

/** What the Responses API adds to its answers when it is asked to. */
export const FILE_SEARCH_RESULTS = 'file_search_call.results'
export const WEB_SEARCH_SOURCES = 'web_search_call.action.sources'

/** Options of `webSearch`; what is not listed is sent on as it is. */
export interface WebSearchOptions {
  /** Where the user is, for results nearby. */
  userLocation?: { city?: string; country?: string; region?: string; timezone?: string }
  /** How much of what was found the model gets to see. Default: the provider's. */
  searchContextSize?: 'low' | 'medium' | 'high'
  filters?: { allowedDomains?: string[] }
  /** `false`: only what the provider has in its index. */
  externalWebAccess?: boolean
  [more: string]: unknown
}

/** Options of `fileSearch`; what is not listed is sent on as it is. */
export interface FileSearchOptions {
  /** At least one. */
  vectorStoreIds: string | readonly string[]
  maxNumResults?: number
  /** Ask for the passages that were found; they are then kept in the conversation. Default: the agent's `includeSearchResults`. */
  includeSearchResults?: boolean
  rankingOptions?: { ranker?: string; scoreThreshold?: number }
  filters?: JsonObject
  [more: string]: unknown
}

/** Options of `codeInterpreter`; what is not listed is sent on as it is. */
export interface CodeInterpreterOptions {
  /** Default: a container of its own for each run, without files. */
  container?: string | { type: 'auto'; fileIds?: string[]; memoryLimit?: string }
  /** Ask for what the code printed and drew. */
  includeOutputs?: boolean
  [more: string]: unknown
}

/** Options of `imageGeneration`; what is not listed is sent on as it is. */
export interface ImageGenerationOptions {
  model?: string
  size?: string
  quality?: string
  background?: 'transparent' | 'opaque' | 'auto'
  outputFormat?: 'png' | 'webp' | 'jpeg'
  partialImages?: number
  [more: string]: unknown
}

/** Options of `hostedMcp`. One of `serverUrl` and `connectorId` is required. */
export interface HostedMcpOptions {
  /** What the server is called in calls and in the metadata. */
  serverLabel: string
  serverUrl?: string
  /** A connector of the provider instead of an address. */
  connectorId?: string
  serverDescription?: string
  /** An OAuth token for the server. */
  authorization?: string
  /** Sent to the server as they are. */
  headers?: Record<string, string>
  allowedTools?: string[] | { toolNames?: string[]; readOnly?: boolean }
  [more: string]: unknown
}

/** The provider searches the web. */
export const webSearch = ({ userLocation, ...options }: WebSearchOptions = {}): HostedTool =>
  hostedTool({
    type: 'web_search',
    ...options,
    ...(userLocation === undefined ? {} : { userLocation: { type: 'approximate', ...userLocation } }),
  })

/** The provider searches vector stores. @throws INVALID_TOOL without `vectorStoreIds` */
export function fileSearch({ vectorStoreIds, ...options }: FileSearchOptions): HostedTool {
  const ids = typeof vectorStoreIds === 'string' ? [vectorStoreIds] : vectorStoreIds
  if (!Array.isArray(ids) || ids.length === 0)
    throw invalidTool('fileSearch() needs the vector stores to look in: fileSearch({ vectorStoreIds: ["vs_..."] }).')
  return hostedTool({ type: 'file_search', vectorStoreIds: ids, ...options })
}

/** The provider runs code in a container of its own. */
export const codeInterpreter = (options: CodeInterpreterOptions = {}): HostedTool =>
  hostedTool({ type: 'code_interpreter', container: { type: 'auto' }, ...options })

/** The provider draws images. */
export const imageGeneration = (options: ImageGenerationOptions = {}): HostedTool =>
  hostedTool({ type: 'image_generation', ...options })

/**
 * The provider calls the tools of an MCP server, without asking for approval.
 * @throws INVALID_TOOL without a label or an address, and for `requireApproval`
 */
export function hostedMcp(options: HostedMcpOptions): HostedTool {
  if (!options.serverLabel || !(options.serverUrl || options.connectorId))
    throw invalidTool('hostedMcp() needs a serverLabel and a serverUrl (or a connectorId).')
  return hostedTool({ type: 'mcp', requireApproval: 'never', ...options })
}

/** Types whose calls the application would have to carry out. */
const LOCAL = /^(function|custom|computer.*|local_shell|apply_patch|tool_search|programmatic_tool_calling)$/

/**
 * Any tool that the provider runs itself, in the Responses API's words; camelCase names become its snake_case ones:
 * `hostedTool({ type: 'web_search_preview', searchContextSize: 'low' })`.
 * @throws INVALID_TOOL without a `type`, and for types that ask the application to act or to approve
 */
export function hostedTool(options: { type: string; [option: string]: unknown }): HostedTool {
  const { include_search_results, include_outputs, ...definition } = toSnake(options) as JsonObject
  const { type, server_label } = definition
  if (typeof type !== 'string' || type === '') throw invalidTool('A hosted tool needs a type, such as "web_search".')
  const ownShell =
    type === 'shell' && !/^container/.test(String((definition.environment as JsonObject | undefined)?.type))
  if (LOCAL.test(type) || ownShell)
    throw invalidTool(
      `The tool "${type}" leaves the work to your program, which this version does not do for it. Write it with tool({ ... }).`,
    )
  if (type === 'mcp' && definition.require_approval !== 'never')
    throw invalidTool(
      `The hosted MCP server "${server_label}" asks for approval before its tools run, and there is nobody to ask here. Use requireApproval: "never", with allowedTools for the tools you trust.`,
    )
  const name = type === 'mcp' ? 'hosted_mcp' : (type.split('_preview', 1)[0] as string)
  const wantsImages =
    Array.isArray(definition.search_content_types) && definition.search_content_types.includes('image')
  const include = [
    ...(include_search_results === true ? [FILE_SEARCH_RESULTS] : []),
    ...(include_outputs === true ? ['code_interpreter_call.outputs'] : []),
    ...(wantsImages ? ['web_search_call.results'] : []),
  ]
  return Object.freeze<HostedTool>({
    kind: 'hosted',
    name,
    label: typeof server_label === 'string' ? server_label : name,
    definition,
    include,
  })
}

/** camelCase names as the API's; what is not set falls away. The names of `headers` belong to the caller. */
function toSnake(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toSnake)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [
        key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        key === 'headers' ? item : toSnake(item),
      ]),
  )
}

/** What stands for a hosted tool on a model that cannot run it: a function of its name that says so. */
export const stubFor = ({ name }: HostedTool): FunctionTool =>
  tool({
    name: toToolNames([name])[0] as string,
    description: 'Not available on this model.',
    parameters: { type: 'object', properties: {}, additionalProperties: true },
    strict: false,
    execute: () =>
      `The tool "${name}" is run by OpenAI's Responses API, which this request does not go to. Go on without the tool, and say so where the answer would need it.`,
  })
