/** Hosted tools: tools that the model's provider runs itself. */
import { invalidTool } from '../base/start-errors.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { tool } from './define.ts'
import { checkOAuth, type McpOAuth } from './mcp/oauth/options.ts'
import { toToolNames } from './names.ts'
import type { FunctionTool, HostedTool } from './tool.ts'

/** `include` values of the Responses API: extra data in its answers. */
export const FILE_SEARCH_RESULTS = 'file_search_call.results'
export const WEB_SEARCH_SOURCES = 'web_search_call.action.sources'

/** Options of `webSearch`; other fields are sent unchanged. */
export interface WebSearchOptions {
  /** The user's approximate location, for local results. */
  userLocation?: { city?: string; country?: string; region?: string; timezone?: string }
  /** How much of the results the model gets. @default the provider's */
  searchContextSize?: 'low' | 'medium' | 'high'
  /** Restricts the search to these domains. */
  filters?: { allowedDomains?: string[] }
  /** False searches only the provider's index. @default the provider's */
  externalWebAccess?: boolean
  [option: string]: unknown
}

/** Options of `fileSearch`; other fields are sent unchanged. */
export interface FileSearchOptions {
  /** Id of the vector store to search, or a list of at least one. */
  vectorStoreIds: string | readonly string[]
  /** Most results of one search. @default the provider's */
  maxNumResults?: number
  /** Request the passages that were found and keep them in the conversation. @default the agent's `includeSearchResults` */
  includeSearchResults?: boolean
  rankingOptions?: { ranker?: string; scoreThreshold?: number }
  filters?: JsonObject
  [option: string]: unknown
}

/** Options of `codeInterpreter`; other fields are sent unchanged. */
export interface CodeInterpreterOptions {
  /** Id of a container, or `{ type: 'auto' }` with its files and memory limit. @default { type: 'auto' } */
  container?: string | { type: 'auto'; fileIds?: string[]; memoryLimit?: string }
  /** Request what the code printed and the images it drew. @default false */
  includeOutputs?: boolean
  [option: string]: unknown
}

/** Options of `imageGeneration`; other fields are sent unchanged. */
export interface ImageGenerationOptions {
  model?: string
  size?: string
  quality?: string
  background?: 'transparent' | 'opaque' | 'auto'
  outputFormat?: 'png' | 'webp' | 'jpeg'
  partialImages?: number
  [option: string]: unknown
}

/** Options of `hostedMcp`. One of `serverUrl` and `connectorId` is required. */
export interface HostedMcpOptions {
  /** The server's name in tool calls and in the metadata. */
  serverLabel: string
  /** The server's address. */
  serverUrl?: string
  /** Id of a connector of the provider, instead of an address. */
  connectorId?: string
  serverDescription?: string
  /** An OAuth token for the server. */
  authorization?: string
  /**
   * Log in with OAuth in the name of each owner of runs; the token goes into `authorization`. Needs `serverUrl` and the package
   * `@modelcontextprotocol/client`. See the `oauth` of an entry of `mcpServers`. @default false
   */
  oauth?: boolean | McpOAuth
  /** Headers of every request to the server; their names are sent unchanged. */
  headers?: Record<string, string>
  /** The tools the model may call. @default all */
  allowedTools?: string[] | { toolNames?: string[]; readOnly?: boolean }
  /** Which calls wait for a person's approval. @default 'never' */
  requireApproval?: 'always' | 'never' | { always?: { toolNames: string[] }; never?: { toolNames: string[] } }
  [option: string]: unknown
}

/** Creates a web search that the provider runs. */
export const webSearch = ({ userLocation, ...options }: WebSearchOptions = {}): HostedTool =>
  hostedTool({
    type: 'web_search',
    ...options,
    ...(userLocation === undefined ? {} : { userLocation: { type: 'approximate', ...userLocation } }),
  })

/** Creates a search in vector stores that the provider runs. @throws INVALID_TOOL without `vectorStoreIds` */
export function fileSearch({ vectorStoreIds, ...options }: FileSearchOptions): HostedTool {
  const ids = typeof vectorStoreIds === 'string' ? [vectorStoreIds] : vectorStoreIds
  if (!Array.isArray(ids) || ids.length === 0)
    throw invalidTool('fileSearch() needs the vector stores to search: fileSearch({ vectorStoreIds: ["vs_..."] }).')
  return hostedTool({ type: 'file_search', vectorStoreIds: ids, ...options })
}

/** Creates a tool with which the model runs code in a container of the provider. */
export const codeInterpreter = (options: CodeInterpreterOptions = {}): HostedTool =>
  hostedTool({ type: 'code_interpreter', container: { type: 'auto' }, ...options })

/** Creates a tool with which the provider generates images. */
export const imageGeneration = (options: ImageGenerationOptions = {}): HostedTool =>
  hostedTool({ type: 'image_generation', ...options })

/**
 * Lets the provider call the tools of an MCP server. With `requireApproval`, calls wait for a person in stored runs, and are
 * refused in others.
 * @throws INVALID_TOOL without a label or an address
 */
export function hostedMcp({ oauth, ...options }: HostedMcpOptions): HostedTool {
  const { serverLabel: label, serverUrl: url, connectorId, authorization } = options
  if (!label || !(url || connectorId))
    throw invalidTool('hostedMcp() needs a serverLabel and a serverUrl (or a connectorId).')
  const made = hostedTool({ type: 'mcp', requireApproval: 'never', ...options })
  checkOAuth(oauth, 'hostedMcp()', (text) => invalidTool(`hostedMcp(): ${text}`))
  if (!oauth) return made
  if (url === undefined || authorization !== undefined)
    throw invalidTool('hostedMcp() with oauth needs a serverUrl, and gets its authorization by itself.')
  return Object.freeze<HostedTool>({ ...made, login: { url, label, oauth: oauth === true ? {} : oauth } })
}

/** Types of tools that the application runs -> the function that creates them. */
const MAKERS: { readonly [type: string]: string } = {
  custom: 'customTool()',
  computer: 'computerTool()',
  computer_use_preview: 'computerTool({ display })',
  local_shell: 'localShellTool()',
  shell: 'shellTool()',
  apply_patch: 'applyPatchTool()',
  tool_search: "toolSearch(); searches of your own (execution: 'client') are not supported",
}
/** Types of tools whose calls the application would have to run. */
const LOCAL = /^(function|custom|computer.*|local_shell|apply_patch|programmatic_tool_calling)$/

/**
 * Creates any hosted tool of the Responses API: `hostedTool({ type: 'web_search_preview', searchContextSize: 'low' })`. Names
 * in camelCase become the API's snake_case names.
 * @throws INVALID_TOOL without a `type`, and for types whose calls the application would have to run
 */
export function hostedTool(options: { type: string; [option: string]: unknown }): HostedTool {
  const { include_search_results, include_outputs, ...definition } = toSnake(options) as JsonObject
  const { type, server_label } = definition
  if (typeof type !== 'string' || type === '') throw invalidTool('A hosted tool needs a type, such as "web_search".')
  const ownShell =
    type === 'shell' && !/^container/.test(String((definition.environment as JsonObject | undefined)?.type))
  const ownSearch = type === 'tool_search' && definition.execution === 'client'
  if (LOCAL.test(type) || ownShell || ownSearch)
    throw invalidTool(`The tool "${type}" must be run by the application. Write it with ${MAKERS[type] ?? 'tool()'}.`)
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

/** Converts camelCase names to snake_case and drops undefined values. The names inside `headers` stay unchanged. */
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

/** The replacement for a hosted tool on a model that cannot run it: a function of the same name that says so. */
export const stubFor = ({ name }: HostedTool): FunctionTool =>
  tool({
    name: toToolNames([name])[0] as string,
    description: 'Not available on this model.',
    parameters: { type: 'object', properties: {}, additionalProperties: true },
    strict: false,
    execute: () =>
      `The tool "${name}" is run by OpenAI's Responses API, which this model does not use. Continue without the tool, and say so if the answer needs it.`,
  })
