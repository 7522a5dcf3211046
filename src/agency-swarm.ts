import type { FastifyInstance } from 'fastify'
import { AgencyGraph } from './agency/agency.ts'
import { Agent as AgentInGraph } from './agency/agent.ts'
import type { RunHooks } from './agency/hooks.ts'
import { describeAgency } from './agency/metadata.ts'
import { toData } from './dialects/native.ts'
import { errorText, unknownAgent } from './errors.ts'
import { createFileDesk } from './files/desk.ts'
import { type Limits, readLimits } from './limits.ts'
import { createModels, type Models } from './models/models.ts'
import { createPricer, type Prices, warnOnce } from './models/prices.ts'
import { keysIn } from './models/providers.ts'
import { attachFiles, namesFiles } from './runs/attach-files.ts'
import { type CancelMode, Hub, type Run, type RunSummary } from './runs/hub.ts'
import { planRun, type RunPlan } from './runs/plan.ts'
import { joinTelemetry, type Telemetry } from './runs/span.ts'
import type { RunningServer, ServeOptions } from './serve.ts'
import { loadConversation } from './threads/load.ts'
import { refuseClientConfig } from './wire/client-config.ts'
import type { JsonObject } from './wire/json.ts'
import type { InputItem, StoredMessage, Usage } from './wire/message.ts'
import { createRedactor } from './wire/redact.ts'
import { type ClientConfig, secretsOf } from './wire/requests.ts'

/** Options of `getResponse` and `getResponseStream`; all may be left out. */
export interface RunOptions {
  /** Any agent of the agency, or its name. Default: the first entry point. */
  recipientAgent?: string | AgentInGraph
  /** Merged over the agency's `userContext` for this run; without it the run shares the agency's own object. */
  contextOverride?: { [key: string]: unknown }
  /** Added to the recipient's instructions for this run. */
  additionalInstructions?: string
  /** Model turns over the whole tree of agents; null lifts the limit. Default: `AGENCY_MAX_TURNS`, else 100. */
  maxTurns?: number | null
  /** Another address, key or model for this run, in the wire's names. */
  clientConfig?: ClientConfig
  /** Model name -> what its tokens cost, beside the shipped price table and before it. */
  prices?: Prices
  /** Ask a model for a name of the conversation afterwards. Default false. */
  generateChatName?: boolean
  /** Listeners of this run. */
  hooks?: RunHooks
  /** Ids of files that the provider has, attached to the message. */
  fileIds?: readonly string[]
  /** File name -> http(s) address, or local path in one of `allowedLocalFileDirs`: fetched, stored with the provider and attached. */
  fileUrls?: { readonly [name: string]: string }
  /** Directories whose files `fileUrls` may name. Default none. */
  allowedLocalFileDirs?: readonly string[]
  /** Who is told of this run: what `openTelemetry()` or `createMetrics()` of `agency-swarm-js/otel` gives, or several. */
  telemetry?: Telemetry | readonly Telemetry[]
  /** Aborting it cancels the run at once. */
  signal?: AbortSignal
}

/** What a run gave. */
export interface AgencyResult {
  /** The final answer: a text, or the parsed value of an agent with `outputType`. */
  finalOutput: unknown
  /** Present when the answer was cut off. `reason`: `max_output_tokens`, `content_filter`, or the provider's own word. */
  incompleteDetails?: { reason: string }
  /** What the run added to the conversation, in the order of storing. */
  newMessages: StoredMessage[]
  /** Left out when no agent's usage is counted. */
  usage: Usage | undefined
  /** Left out when no name was asked for, or none could be made. */
  chatName?: string
  /** True when the run was stopped before its end. */
  cancelled: boolean
  /** Name -> stored id of what `fileUrls` named. */
  fileIdsMap?: { readonly [name: string]: string }
}

/** A run that is being watched: iterate it for the events of the wire (the content of a frame's `data`). */
export interface AgencyStream extends AsyncIterable<JsonObject> {
  /** Settles when the run is over; rejects when it failed. */
  readonly finalResult: Promise<AgencyResult>
  /** Stops the run: at once (default), or when its turn is finished. */
  cancel(mode?: CancelMode): void
  /** Only the text that the agent in front of the user says, piece by piece. */
  textStream(): AsyncIterable<string>
}

/**
 * Agents and who may talk to whom: `new Agency(entry, { communicationFlows: [[a, b]] })`.
 * @throws INVALID_OPTION, INVALID_FLOW, DUPLICATE_NAME
 */
export class Agency extends AgencyGraph {
  #edge: Models | undefined
  #hub: Hub | undefined
  #bounds: Limits | undefined
  readonly #warn = warnOnce((text) => console.warn(text))
  /** The conversation of in-process runs, for an agency without `loadThreads`. */
  #messages: StoredMessage[] = []

  /**
   * Runs the agency in this process and gives its answer.
   * @throws INVALID_OPTION, UNKNOWN_AGENT, MISSING_API_KEY, THREADS_FAILED, MODEL_FAILED, TURN_LIMIT, TIME_LIMIT and whatever
   *   else ended the run
   */
  async getResponse(message: string | InputItem[], options: RunOptions = {}): Promise<AgencyResult> {
    const { run, watch } = await this.#start(message, options, false)
    return watch(run)
  }

  /** As `getResponse`, watched. Start-up errors come with the first event. */
  getResponseStream(message: string | InputItem[], options: RunOptions = {}): AgencyStream {
    const started = this.#start(message, options, true)
    const finalResult = started.then(({ run, watch }) => watch(run))
    finalResult.catch(() => {}) // whoever only iterates must not be met by an unhandled rejection
    async function* events(): AsyncGenerator<JsonObject> {
      const { run } = await started
      for await (const batch of run.events ?? []) for (const event of batch) yield toData(event)
      await finalResult
    }
    async function* texts(): AsyncGenerator<string> {
      for await (const { data, callerAgent } of events()) {
        const event = data as JsonObject | undefined
        if (callerAgent === null && event?.type === 'response.output_text.delta') yield String(event.delta)
      }
    }
    return {
      finalResult,
      cancel: (mode = 'immediate') => void started.then(({ run }) => run.stop(mode)).catch(() => {}),
      textStream: texts,
      [Symbol.asyncIterator]: events,
    }
  }

  /** What `/get_metadata` shows: nodes, edges and totals. */
  getMetadata(): JsonObject {
    return describeAgency(this)
  }

  /** Serves this agency alone, at `/<name>`; takes every option of `serve()` but `agencies`. */
  async serve(options: Omit<ServeOptions, 'agencies'> = {}): Promise<RunningServer> {
    const { serve } = await import('./serve.ts')
    return serve({ ...options, agencies: { [this.name ?? 'agency']: this } })
  }

  /** As `serve`, without listening. */
  async buildApp(options: Omit<ServeOptions, 'agencies'> = {}): Promise<FastifyInstance> {
    const { buildApp } = await import('./serve.ts')
    return buildApp({ ...options, agencies: { [this.name ?? 'agency']: this } })
  }

  async #start(message: string | InputItem[], options: RunOptions, streaming: boolean) {
    const { recipientAgent, contextOverride, signal, clientConfig } = options
    signal?.throwIfAborted()
    const recipient = recipientAgent instanceof AgentInGraph ? recipientAgent.name : recipientAgent
    if (recipientAgent instanceof AgentInGraph && !this.agents.includes(recipientAgent))
      throw unknownAgent(recipientAgent.name, this.agentNames)
    refuseClientConfig(clientConfig)
    const plan = planRun(this, await this.#models().of(clientConfig), {
      message,
      history: await loadConversation(this.loadThreads, {
        sent: this.#messages,
        callbackMs: this.#limits().callbackMs,
      }),
      recipient,
      additionalInstructions: options.additionalInstructions,
      userContext: contextOverride === undefined ? this.userContext : { ...this.userContext, ...contextOverride },
      secrets: secretsOf(clientConfig),
      hooks: options.hooks,
      price: createPricer(options.prices, this.#warn),
      namesChat: options.generateChatName === true,
      streaming,
      telemetry: joinTelemetry([options.telemetry ?? []].flat(), (error) =>
        this.#warn(`Telemetry failed; runs go on. (${errorText(error)})`),
      ),
      maxTurns: options.maxTurns === undefined ? this.#limits().maxTurns : options.maxTurns,
    })
    const run = this.#runs().start(await withFiles(plan, options, this.#limits()), this)
    const onAbort = () => run.stop('immediate')
    signal?.addEventListener('abort', onAbort, { once: true })
    const watch = async ({ done }: Run): Promise<AgencyResult> => {
      const summary = await done
      signal?.removeEventListener('abort', onAbort)
      return this.#finish(summary)
    }
    return { run, watch }
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

  #models(): Models {
    this.#edge ??= createModels({
      env: { ...process.env },
      trustedModelOrigins: [],
      limits: this.#limits(),
      log: (text) => console.warn(text),
    })
    return this.#edge
  }

  /** What the environment says; there are no other limits in process. */
  #limits(): Limits {
    this.#bounds ??= readLimits()
    return this.#bounds
  }

  #runs(): Hub {
    this.#hub ??= createHub(this.#limits())
    return this.#hub
  }
}

/** The plan with the files of an in-process run; its caller is told what a provider says. */
async function withFiles(plan: RunPlan, options: RunOptions, limits: Limits): Promise<RunPlan> {
  if (!namesFiles(options)) return plan
  const desk = createFileDesk({
    limits,
    allowedLocalFileDirs: options.allowedLocalFileDirs,
    trustedFileOrigins: [],
    explain: (error) => `(${errorText(error)})`,
    log: () => {}, // the caller gets the error itself
    warn: (text) => console.warn(text),
  })
  return attachFiles(plan, options, desk, options.signal ?? new AbortController().signal)
}

function createHub(limits: Limits): Hub {
  const redact = createRedactor(() => keysIn(process.env))
  return new Hub({
    limits: { ...limits, concurrentRuns: Number.POSITIVE_INFINITY },
    exposeErrors: true,
    redact,
    log: (message, error, mask = (text) => text) => console.warn(`${message} ${redact(mask(errorText(error)))}`),
    logFailure: () => {}, // the caller gets the error itself
  })
}

/** An agent, which can also run by itself: as an agency of one, with a new conversation for each call. */
export class Agent extends AgentInGraph {
  #alone: Agency | undefined

  /** As `Agency.getResponse`. */
  getResponse(message: string | InputItem[], options: Omit<RunOptions, 'recipientAgent'> = {}): Promise<AgencyResult> {
    return this.#agency().getResponse(message, options)
  }

  /** As `Agency.getResponseStream`. */
  getResponseStream(message: string | InputItem[], options: Omit<RunOptions, 'recipientAgent'> = {}): AgencyStream {
    return this.#agency().getResponseStream(message, options)
  }

  #agency(): Agency {
    if (this.#alone === undefined || !this.frozen)
      this.#alone = new Agency(this, { name: this.name, loadThreads: () => [] })
    return this.#alone
  }
}
