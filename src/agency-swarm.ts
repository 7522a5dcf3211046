/** `Agency` and `Agent` as users import them: the graph plus the methods that run and serve it. */
import type { FastifyInstance } from 'fastify'
import type { z } from 'zod'
import { AgencyGraph, type AgencyOptions } from './agency/agency.ts'
import { Agent as AgentInGraph, type AgentOptions } from './agency/agent.ts'
import type { CheckedFlows, HandoffOutput, NoFlows, OutputOf, WrittenFlow } from './agency/flows.ts'
import { describeAgency } from './agency/metadata.ts'
import { readLimits } from './base/limits.ts'
import { unknownAgent } from './base/request-errors.ts'
import { WIRE_VERSION } from './base/version.ts'
import { createConsoleLog } from './composition/log.ts'
import { createRuns } from './composition/runs.ts'
import { checkRun, type RunOptions } from './in-process/run-options.ts'
import { WatchedRun } from './in-process/watched-run.ts'
import { keysIn } from './models/providers.ts'
import type { RunSummary } from './runs/events.ts'
import type { CancelMode } from './runs/execute.ts'
import { startRun } from './runs/start.ts'
import type { RunningServer, ServeOptions } from './serve.ts'
import { readAnswer } from './tools/mcp/oauth/desk.ts'
import type { KnownContext, UserContext } from './tools/user-context.ts'
import type { StreamEvent } from './wire/events.ts'
import type { InputItem, StoredMessage, Usage } from './wire/message.ts'
import { createRedactor } from './wire/redact.ts'
import type { Metadata } from './wire/responses.ts'

/** The result of a run in this process. */
export interface AgencyResult<Output = unknown> {
  /** The final answer: a text, or the parsed value when the agent has an `outputType`. Undefined when `cancelled` is true. */
  finalOutput: Output
  /** Present when the answer was cut off. `reason`: `max_output_tokens`, `content_filter`, or a provider's own reason. */
  incompleteDetails?: { reason: string }
  /** Messages the run added to the conversation, in stored order. */
  newMessages: StoredMessage[]
  /** Undefined when no agent counts usage. */
  usage: Usage | undefined
  /** Present when `generateChatName` was set and the model returned a name. */
  chatName?: string
  /** True when the run was cancelled before its end. */
  cancelled: boolean
  /** Name in `fileUrls` -> id of the stored file. Present when the run had files. */
  fileIdsMap?: { readonly [name: string]: string }
}

/**
 * A streamed run. Iterate it for the events of the wire (the content of a frame's `data`), use `textStream()`, or await
 * `finalResult` alone. It allows one reader; a second one gets a TypeError. Leaving the loop early (`break`) stops the run.
 */
export interface AgencyStream<Output = unknown> extends AsyncIterable<StreamEvent> {
  /**
   * Settles when the run is over: rejects when it failed, resolves with `cancelled: true` when it was cancelled. Reads the
   * stream and drops its events unless a reader has started when the run begins.
   */
  readonly finalResult: Promise<AgencyResult<Output>>
  /** Stops the run: `immediate` at once, `after_turn` when the current turn is finished. @default 'immediate' */
  cancel(mode?: CancelMode): void
  /** Only the text of the agent in the user's thread, piece by piece. */
  textStream(): AsyncIterableIterator<string>
}

/** The answer type of a run addressed to `To`: that of this agent, or of an agent it hands over to. */
type AnswerOf<To extends string | AgentInGraph, Output, Handed> = [To] extends [never]
  ? Output
  : To extends string
    ? unknown
    : OutputOf<To> | Handed

/**
 * Agents and who may talk to whom. `Context` is the type of the user context, `Output` the answer type of the first entry
 * agent or of an agent it hands over to, `Handed` that of the agents a handoff may reach.
 */
export interface Agency<
  // biome-ignore lint/suspicious/noExplicitAny: any agency
  Context extends object = any,
  Output = unknown,
  Handed = unknown,
> extends AgencyGraph {
  /** For the compiler only: never set. */
  readonly '~types'?: { readonly output: Output; readonly handed: Handed }
  /** The user context that in-process runs share. A run may add keys. */
  readonly userContext: KnownContext<Context> & { [key: string]: unknown }

  /**
   * Runs the agency in this process and resolves with its answer.
   * @throws INVALID_OPTION, EMPTY_MESSAGE, UNKNOWN_AGENT, MISSING_API_KEY, THREADS_FAILED, MODEL_FAILED, TURN_LIMIT, TIME_LIMIT,
   *   and any other error that ended the run
   */
  getResponse<To extends string | AgentInGraph = never>(
    message: string | InputItem[],
    options?: RunOptions<Context, To>,
  ): Promise<AgencyResult<AnswerOf<To, Output, Handed>>>

  /** Like `getResponse`, as a stream. Errors that prevent the run from starting are thrown when the first event is read. */
  getResponseStream<To extends string | AgentInGraph = never>(
    message: string | InputItem[],
    options?: RunOptions<Context, To>,
  ): AgencyStream<AnswerOf<To, Output, Handed>>

  /**
   * Takes the answer of a user who was asked for consent at an MCP server with `oauth`: the whole address, with `code` and
   * `state`, to which the browser came back. The next run of that owner has access.
   * @returns false when the user refused
   * @throws INVALID_OPTION for a text that is not such an address, CONSENT_GONE, CONSENT_FAILED
   */
  finishConsent(callbackUrl: string | URL): Promise<boolean>

  /** The answer of `/get_metadata`: nodes, edges and totals. */
  getMetadata(): Metadata

  /** Serves this agency alone at `/<name>`. Takes every option of `serve()` except `agencies`. */
  serve(options?: Omit<ServeOptions, 'agencies'>): Promise<RunningServer>

  /** Builds the same server as `serve()` without listening. */
  buildApp(options?: Omit<ServeOptions, 'agencies'>): Promise<FastifyInstance>
}

type Entries = AgentInGraph | readonly AgentInGraph[]
/** The agent a run addresses when it names none: the first entry agent. */
type FirstOf<Entry extends Entries> = Entry extends readonly [infer First, ...unknown[]]
  ? First
  : Entry extends readonly (infer Each)[]
    ? Each
    : Entry
type ContextOf<Entry> = Entry extends { readonly '~types'?: { readonly context: (context: infer Context) => void } }
  ? Context extends object
    ? Context
    : UserContext
  : UserContext
/** The context type of the entry agent, or that of the agency's `userContext`. */
type AgencyContextOf<Entry extends Entries, Given extends object> = string extends keyof ContextOf<FirstOf<Entry>>
  ? Given
  : ContextOf<FirstOf<Entry>>
/** The type of the `userContext` option. When agents type the context, the agency may leave keys to its requests. */
type GivenContext<Entry extends Entries, Given extends object> = string extends keyof ContextOf<FirstOf<Entry>>
  ? Given
  : Partial<ContextOf<FirstOf<Entry>>> & { [key: string]: unknown }

/** The constructor of `Agency`, with the types the compiler infers from its arguments. */
export interface AgencyConstructor {
  /**
   * `new Agency(entry, { communicationFlows: [[a, b]] })`. The context type is that of the entry agent's tools, or that of
   * `userContext`.
   * @throws INVALID_OPTION for a missing entry agent or a wrong option; INVALID_FLOW for a wrong flow; DUPLICATE_NAME for two
   *   agents or tools with one name
   */
  new <
    Context extends object = UserContext,
    const Entry extends Entries = Entries,
    const Flows extends readonly WrittenFlow[] = NoFlows,
  >(
    entry: Entry,
    options?: Omit<AgencyOptions<AgencyContextOf<Entry, Context>>, 'communicationFlows' | 'userContext'> & {
      /** Who may talk to whom. @default [] */
      communicationFlows?: (Flows & CheckedFlows<Flows>) | undefined
      /** The user context. In-process runs share it; each served request gets a copy. @default {} */
      userContext?: GivenContext<Entry, Context> | undefined
    },
  ): Agency<AgencyContextOf<Entry, Context>, OutputOf<FirstOf<Entry>> | HandoffOutput<Flows>, HandoffOutput<Flows>>
  readonly prototype: Agency
}

/** Agents and who may talk to whom, ready to run and to be served. */
export const Agency: AgencyConstructor = class Agency extends AgencyGraph {
  #cachedRuns: ReturnType<typeof createRuns> | undefined
  /** The conversation of in-process runs when the agency has no `loadThreads`. */
  #messages: StoredMessage[] = []

  async getResponse(message: string | InputItem[], options: RunOptions = {}): Promise<AgencyResult> {
    return (await this.#start(message, options, false)).result
  }

  getResponseStream(message: string | InputItem[], options: RunOptions = {}): AgencyStream {
    return new WatchedRun(this.#start(message, options, true))
  }

  finishConsent(callbackUrl: string | URL): Promise<boolean> {
    return this.#runs().logins.answer(readAnswer(URL.parse(String(callbackUrl))?.searchParams))
  }

  getMetadata(): Metadata {
    return { ...describeAgency(this), agency_swarm_version: WIRE_VERSION, allowed_local_file_dirs: null }
  }

  async serve(options: Omit<ServeOptions, 'agencies'> = {}): Promise<RunningServer> {
    const { serve } = await import('./serve.ts')
    return serve({ ...options, agencies: { [this.name ?? 'agency']: this } })
  }

  async buildApp(options: Omit<ServeOptions, 'agencies'> = {}): Promise<FastifyInstance> {
    const { buildApp } = await import('./serve.ts')
    return buildApp({ ...options, agencies: { [this.name ?? 'agency']: this } })
  }

  async #start(message: string | InputItem[], options: RunOptions, streaming: boolean) {
    const request = checkRun(message, options)
    const { recipientAgent, contextOverride, signal, hooks, prices, telemetry, allowedLocalFileDirs } = options
    signal?.throwIfAborted()
    if (recipientAgent instanceof AgentInGraph && !this.agents.includes(recipientAgent))
      throw unknownAgent(recipientAgent.name, this.agentNames)
    const runs = this.#runs()
    const shared = runs.with({ prices, telemetry: [telemetry ?? []].flat(), allowedLocalFileDirs })
    const order = {
      agency: this,
      request: { ...request, message, chat_history: this.#messages },
      userContext: contextOverride === undefined ? this.userContext : { ...this.userContext, ...contextOverride },
      owner: options.owner ?? '',
      save: this.saveThreads,
      hooks,
      maxTurns: options.maxTurns === undefined ? runs.limits.maxTurns : options.maxTurns,
      maxCost: options.maxCost ?? null,
    }
    const run = await startRun(shared, order, { streaming, signal })
    return { run, result: run.done.then((summary) => this.#finish(summary)) }
  }

  #finish({ error, finalOutput, cut, newMessages, usage, fileIdsMap, chatName, cancelled }: RunSummary): AgencyResult {
    if (this.loadThreads === undefined) this.#messages = [...this.#messages, ...newMessages]
    if (error !== undefined) throw error
    return {
      finalOutput,
      ...(cut === undefined ? {} : { incompleteDetails: { reason: cut } }),
      newMessages,
      usage,
      ...(fileIdsMap === undefined ? {} : { fileIdsMap }),
      ...(chatName === undefined ? {} : { chatName }),
      cancelled,
    }
  }

  /** Made at the first run. */
  #runs(): ReturnType<typeof createRuns> {
    this.#cachedRuns ??= createRunsInProcess()
    return this.#cachedRuns
  }
} as AgencyConstructor

/** Limits come from the environment. Errors have the provider's texts, since the caller runs the code, and are not logged. */
function createRunsInProcess() {
  const limits = { ...readLimits(), concurrentRuns: Number.POSITIVE_INFINITY }
  const redact = createRedactor(() => keysIn(process.env))
  const note = (text: string) => console.error(text)
  return createRuns({ limits, redact, log: createConsoleLog(redact), note, logFailures: false, exposeErrors: true })
}

/**
 * An agent. It can also run alone, as an agency of one agent with a new conversation for each call. `Context` is the type of
 * the user context it uses, `Output` the type of its answers.
 */
export interface Agent<
  // biome-ignore lint/suspicious/noExplicitAny: any agent
  Context extends object = any,
  Output = unknown,
> extends AgentInGraph {
  /** For the compiler only: never set. */
  readonly '~types'?: { readonly output: Output; readonly context: (context: Context) => void }

  /** Like `Agency.getResponse`, with a new conversation for each call. */
  getResponse(
    message: string | InputItem[],
    options?: Omit<RunOptions<Context>, 'recipientAgent'>,
  ): Promise<AgencyResult<Output>>

  /** Like `Agency.getResponseStream`, with a new conversation for each call. */
  getResponseStream(
    message: string | InputItem[],
    options?: Omit<RunOptions<Context>, 'recipientAgent'>,
  ): AgencyStream<Output>

  /** A copy of this agent with changed options, for use in another agency. */
  clone<Changed>(
    changes: Partial<AgentOptions<Context, Changed>> & { outputType: z.ZodType<Changed> },
  ): Agent<Context, Changed>
  clone(changes?: Partial<AgentOptions<Context, Output>>): this
}

/** The answer type of an agent. Options of type `AgentOptions` leave it unknown. */
type KnownOutput<Output> = 0 extends 1 & Output ? unknown : Output

/** The constructor of `Agent`, with the types the compiler infers from its options. */
export interface AgentConstructor {
  /**
   * @throws INVALID_OPTION for a missing name, an unknown option or a wrong value; INVALID_TOOL for an entry of `tools` that is
   *   not a tool; DUPLICATE_NAME for two different tools with one name
   */
  new <Context extends object = UserContext, Output = string>(
    options: AgentOptions<Context, Output>,
  ): Agent<Context, KnownOutput<Output>>
  /**
   * The same class for agents whose user context has a type: `const ShopAgent = Agent.withContext<Shop>()`, then
   * `new ShopAgent({ ... })`. The type of the answers is inferred from `outputType`, which `new Agent<Shop>` cannot do.
   */
  withContext<Context extends object>(): ContextAgentConstructor<Context>
  readonly prototype: Agent
}

/** The constructor of `Agent` for one type of user context. */
export interface ContextAgentConstructor<Context extends object> {
  /** @throws as the constructor of `Agent` */
  new <Output = string>(options: AgentOptions<Context, Output>): Agent<Context, KnownOutput<Output>>
  readonly prototype: Agent<Context>
}

/** One agent: a name, instructions, a model and tools. */
export const Agent: AgentConstructor = class Agent extends AgentInGraph {
  #alone: (AgencyGraph & Pick<Agency, 'getResponse' | 'getResponseStream'>) | undefined

  static withContext() {
    // biome-ignore lint/complexity/noThisInStatic: a subclass gives itself
    return this
  }

  getResponse(message: string | InputItem[], options: RunOptions = {}) {
    return this.#agency().getResponse(message, options)
  }

  getResponseStream(message: string | InputItem[], options: RunOptions = {}) {
    return this.#agency().getResponseStream(message, options)
  }

  #agency() {
    if (this.#alone === undefined || !this.frozen)
      this.#alone = new Agency(this, { name: this.name, loadThreads: () => [] })
    return this.#alone
  }
} as AgentConstructor
