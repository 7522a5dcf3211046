/** The tools of an agent's MCP servers: listed before every model call, filtered, and described as function tools. */
import { inTurns } from '../../base/async.ts'
import { AgencyError } from '../../base/errors.ts'
import { MCP_LIMITS } from '../../base/limits.ts'
import { isConsentNeeded, mcpFailed, tooManyMcpTools } from '../../base/model-errors.ts'
import { invalidOption } from '../../base/start-errors.ts'
import { isObject, type JsonSchema } from '../../wire/json.ts'
import { createServerCheck } from '../check.ts'
import { toToolNames } from '../names.ts'
import { toPortable } from '../portable-schema.ts'
import type { FunctionTool } from '../tool.ts'
import { checkConfig, isConfig, type McpServerConfig, type McpServerSettings, type McpToolInfo } from './config.ts'
import { closeConnections, connectionTo, type McpConnection } from './connection.ts'
import { connectName, connectTool } from './oauth/connect-tool.ts'
import type { OwnerLogins } from './oauth/desk.ts'
import type { Login, LoginServer } from './oauth/login.ts'
import { isServerObject, type McpServer, SdkServer, serverFor, settingsOf } from './sdk-server.ts'
import { titleOf } from './tool-names.ts'

/** Tools of a server that an error names. */
const NAMES_SHOWN = 20

/** A server whose tools can be listed and called. */
type Endpoint = McpConnection | SdkServer

/** Wraps the `mcpServers` of an agent. @throws INVALID_OPTION for an entry that is not a server, or has a wrong setting */
export function readMcpServers(
  servers: readonly (McpServer | McpServerConfig)[] | undefined,
  agent: string,
): readonly McpSource[] {
  return [...new Set(servers ?? [])].map((server, index) => readServer(server, agent, index))
}

function readServer(server: unknown, agent: string, index: number): McpSource {
  const place = { agent, index }
  if (isConfig(server)) {
    checkConfig(server, `agent "${agent}"`)
    return new McpSource(server, server, place)
  }
  if (isServerObject(server)) return new McpSource(serverFor(server, agent), settingsOf(server), place)
  throw invalidOption(
    `mcpServers of agent "${agent}" must be a list of { command, args }, { url }, or server objects of the Agents SDK. For servers that the provider calls, use hostedMcp() in tools.`,
  )
}

/** The tools of one MCP server, as one agent uses them. */
export class McpSource {
  readonly #server: McpServerConfig | SdkServer
  readonly #settings: McpServerSettings
  readonly #agent: string
  #isChecked = false

  /** Prefix for tool names that another server has, too. */
  readonly label: string
  /** Where owners log in; undefined for a server without `oauth`. */
  readonly login: LoginServer | undefined
  /** True when the program chose the label. */
  readonly named: boolean
  /** True when its tools are loaded by a search. */
  readonly deferred: boolean

  constructor(
    server: McpServerConfig | SdkServer,
    settings: McpServerSettings,
    { agent, index }: { agent: string; index: number },
  ) {
    // A name that is not simple is the address or command, which may contain a key.
    this.named = /^[\w -]{1,32}$/.test(settings.name ?? '')
    this.label = this.named ? String(settings.name) : `mcp${index + 1}`
    this.#server = server
    this.login = server instanceof SdkServer ? undefined : loginServerOf(server, this.label)
    this.#settings = settings
    this.deferred = settings.deferLoading === true
    this.#agent = agent
  }

  /**
   * The server's current tools, under the server's own names. Called before every model call; a server that reports changes
   * is asked again only then.
   * @param logins those of the run's owner: where the owner has given no access yet, a tool that asks for it stands for the server's
   * @throws MCP_FAILED when the server cannot be reached, does not answer, or lists too many tools; PACKAGE_MISSING;
   *   INVALID_OPTION when `needsApproval` names a tool that its first list does not have
   */
  async tools(logins?: OwnerLogins): Promise<FunctionTool[]> {
    const server = this.named ? this.label : undefined
    const login = this.#loginOf(logins)
    try {
      const endpoint = this.#endpointFor(login)
      const listed = await endpoint.list()
      if (listed.length > MCP_LIMITS.tools) throw tooManyMcpTools(this.#agent, MCP_LIMITS.tools, server)
      const named = listed.filter(isObject).filter((tool) => typeof tool.name === 'string')
      this.#checkNames(named.map(({ name }) => String(name)))
      return await inTurns(
        named.filter((tool) => this.#allows(tool)),
        (tool) => this.#toTool(tool, endpoint, login),
      )
    } catch (error) {
      if (login !== undefined && isConsentNeeded(error)) return [connectTool(login)]
      if (error instanceof AgencyError) throw error
      throw mcpFailed(this.#agent, error, server)
    }
  }

  /** The tool that asks for access; undefined for a server without `oauth`. */
  connector(logins: OwnerLogins): FunctionTool | undefined {
    const login = this.#loginOf(logins)
    return login && connectTool(login)
  }

  /** Closes the connections, unless the program's own code opened them. */
  async close(): Promise<void> {
    if (!(this.#server instanceof SdkServer)) await closeConnections(this.#server)
  }

  #loginOf(logins: OwnerLogins | undefined): Login | undefined {
    return this.login && logins?.at(this.#server, this.login)
  }

  #endpointFor(login: Login | undefined): Endpoint {
    return this.#server instanceof SdkServer ? this.#server : connectionTo(this.#server, login)
  }

  /** A misspelled name would let calls pass that have to wait. Later lists may have fewer tools. */
  #checkNames(known: readonly string[]): void {
    const { needsApproval } = this.#settings
    if (this.#isChecked || typeof needsApproval !== 'object') return
    const unknown = needsApproval.filter((name) => !known.includes(name))
    if (unknown.length > 0)
      throw invalidOption(
        `needsApproval of the MCP server "${this.label}" of ${this.#agent} names tools that the server does not have: ${unknown.join(', ')}. It has ${known.slice(0, NAMES_SHOWN).join(', ')}${known.length > NAMES_SHOWN ? ', ...' : ''}. Names are those of the server, without toolPrefix; for tools that come later, use a function.`,
      )
    this.#isChecked = true
  }

  #allows(tool: { [key: string]: unknown }): boolean {
    const { allowedTools, blockedTools, toolFilter } = this.#settings
    const name = String(tool.name)
    if (allowedTools?.includes(name) === false || blockedTools?.includes(name) === true) return false
    return toolFilter?.(toInfo(tool)) ?? true
  }

  #toTool(listed: { [key: string]: unknown }, endpoint: Endpoint, login: Login | undefined): FunctionTool {
    const name = String(listed.name)
    const schema = toObjectSchema(listed.inputSchema)
    const parameters = toSendable(schema)
    const repeatable = readChoice(this.#settings.safeToRetry, name) ?? isRepeatable(listed)
    return Object.freeze<FunctionTool>({
      kind: 'function',
      origin: 'function',
      name: `${this.#settings.toolPrefix ?? ''}${name}`,
      description: textOf(listed.description),
      title: titleOf(listed),
      mcpServer: withoutSecrets(endpoint.name),
      parameters,
      strict: this.#settings.strict ?? false,
      oneCallAtATime: false,
      ...this.#placeOf(name),
      ...this.#approvalOf(listed),
      ...(repeatable ? { safeToRetry: true } : {}),
      ...this.#failureOf(listed),
      check: createServerCheck(schema, parameters.required),
      run: async (value, { signal, toolCallId }) => {
        try {
          return await endpoint.call(name, value as object, { signal, toolCallId, repeatable })
        } catch (error) {
          if (login === undefined || !isConsentNeeded(error)) throw error
          return `Error: the user has to give access to "${this.label}" first. Call "${connectName(login)}".`
        }
      },
    })
  }

  #placeOf(tool: string): Pick<FunctionTool, 'deferLoading' | 'namespace'> {
    if (!this.deferred) return {}
    const name = toToolNames([this.label])[0] as string
    const namespace = { name, description: `The tools of the MCP server "${this.label}".` }
    return { deferLoading: true, ...(name === `${this.#settings.toolPrefix ?? ''}${tool}` ? {} : { namespace }) }
  }

  #failureOf(listed: { [key: string]: unknown }): Pick<FunctionTool, 'describeFailure'> {
    const { describeFailure } = this.#settings
    return describeFailure === undefined ? {} : { describeFailure: (error) => describeFailure(error, toInfo(listed)) }
  }

  #approvalOf(listed: { [key: string]: unknown }): Pick<FunctionTool, 'needsApproval'> {
    const { needsApproval } = this.#settings
    if (typeof needsApproval !== 'function')
      return readChoice(needsApproval, String(listed.name)) === true ? { needsApproval: true } : {}
    const info = toInfo(listed)
    return { needsApproval: (args, context) => needsApproval(args as { [name: string]: unknown }, context, info) }
  }
}

function loginServerOf(config: McpServerConfig, label: string): LoginServer | undefined {
  if (!('url' in config) || !config.oauth) return undefined
  return { url: String(config.url), label, oauth: config.oauth === true ? {} : config.oauth }
}

/** What an option for all tools, or for some by name, says of one; undefined when it is not set. */
const readChoice = (option: boolean | readonly string[] | undefined, name: string): boolean | undefined =>
  typeof option === 'object' ? option.includes(name) : option

/** A tool as the options of its server get it. */
const toInfo = ({ name, description, annotations }: { [key: string]: unknown }): McpToolInfo => ({
  name: String(name),
  description: textOf(description),
  annotations: isObject(annotations) ? annotations : {},
})

/** What the server says of the tool; the specification calls it a hint. */
const isRepeatable = ({ annotations }: { [key: string]: unknown }) =>
  isObject(annotations) && (annotations.readOnlyHint === true || annotations.idempotentHint === true)

const textOf = (value: unknown) => (typeof value === 'string' ? value : '')

/** The schema of a tool's arguments; an object without fields when the server sent no schema. */
function toObjectSchema(inputSchema: unknown): JsonSchema {
  const { $schema: _, ...schema } = isObject(inputSchema) ? inputSchema : {}
  return { type: 'object', properties: {}, ...schema }
}

/** Sent instead of a schema that is too large: any arguments, which the server validates. */
const ANY_ARGUMENTS: JsonSchema = { type: 'object', properties: {}, additionalProperties: true }

function toSendable(schema: JsonSchema): JsonSchema {
  try {
    return toPortable(schema)
  } catch {
    return ANY_ARGUMENTS
  }
}

/**
 * The server's name without what may be a key. The SDK uses the address or command as the name; only the origin of an address
 * and the first word of a command are kept.
 */
const withoutSecrets = (name: string): string =>
  name.replace(/^(stdio: \S+).*$/s, '$1').replace(/[a-z][a-z0-9+.-]{0,30}:\/\/\S+/gi, (address) => {
    const url = URL.parse(address)
    return url === null || url.origin === 'null' ? '' : url.origin
  })
