/** The meaning and remedy of each error code, for `doctor --explain` and docs/errors.md. */
import {
  type AgencyError,
  agentAmbiguous,
  agentNotInRun,
  approvalDecided,
  approvalExpired,
  costLimit,
  crashLoop,
  type ErrorCode,
  eventsExpired,
  fenced,
  idempotencyMismatch,
  interruptOpen,
  notFound,
  notIdentified,
  notRecoverable,
  notRepeatable,
  recordingDiffers,
  recordingInvalid,
  runActive,
  runEnded,
  runPaused,
  scriptEnded,
  steerLimit,
  storeInUse,
  storeNotShared,
  storeUnavailable,
  threadBusy,
  threadExists,
  threadQueueFull,
  ticketExpired,
  ticketInvalid,
  ticketScope,
  unpricedModel,
} from '../base/errors.ts'
import {
  answerCut,
  consentFailed,
  consentGone,
  consentNeeded,
  gatewayRefused,
  mcpFailed,
  missingApiKey,
  modelFailed,
  modelRefused,
  providerNotInstalled,
  providerNotSupported,
} from '../base/model-errors.ts'
import {
  clientGone,
  fileUrlFailed,
  folderFailed,
  invalidHost,
  otherSite,
  overloaded,
  runNotFound,
  shuttingDown,
  threadsFailed,
  tooLarge,
  tooManyRequests,
  unknownAgent,
  unknownExpectation,
  unsupportedBody,
} from '../base/request-errors.ts'
import {
  agencyChanged,
  depthLimit,
  emptyMessage,
  guardrailTripped,
  invalidOutput,
  nothingToAnswer,
  runTooLarge,
  timeLimit,
  turnLimit,
  unknownTool,
} from '../base/run-errors.ts'
import {
  agentFrozen,
  duplicateName,
  factoryFailed,
  invalidEvent,
  invalidFlow,
  invalidOption,
  invalidTool,
  listenFailed,
  missingToken,
  nothingToServe,
  packageMissing,
  workerFailed,
} from '../base/start-errors.ts'
import { RequestInvalid } from '../wire/requests.ts'

export interface CatalogueEntry {
  /** When the error occurs: a heading of the page. */
  when: 'start' | 'request' | 'run'
  means: string
  remedy: string
  /** An example, for its status and text. */
  example: AgencyError
}

const OPENAI = { provider: 'openai', variables: ['OPENAI_API_KEY'] }
const CAUSE = undefined

/** Every code has an entry: a new code without one does not compile. */
export const ERROR_CATALOGUE: { readonly [code in ErrorCode]: CatalogueEntry } = {
  INVALID_OPTION: {
    when: 'start',
    means:
      'An option of an agent, an agency, a tool, a run or serve() is unknown, misspelt or has a value that cannot work.',
    remedy:
      'The text names the option and its valid values. Options are written in camelCase, those of the Python original too. The text gives the new name of an option that has one.',
    example: invalidOption('serve() has no option "cors_origins". Write "corsOrigins".'),
  },
  NOTHING_TO_SERVE: {
    when: 'start',
    means: 'serve() got neither an agency nor a tool.',
    remedy:
      'Give serve() { agencies: { name: agency } } or { tools: [...] }. For the command line, export "agency" from the file.',
    example: nothingToServe(),
  },
  STORE_IN_USE: {
    when: 'start',
    means: 'Another process has the SQLite file of the runs open. One file serves one process.',
    remedy: 'Stop the other process. Several processes share runs through PostgreSQL.',
    example: storeInUse('./agency.db', CAUSE),
  },
  DUPLICATE_NAME: {
    when: 'start',
    means: 'Two agencies, agents or tools have the same name, or a name is a path of the server (docs, tool, healthz).',
    remedy: 'Rename one of them.',
    example: duplicateName('Two tools are served under the name "search". Rename one of them.'),
  },
  INVALID_FLOW: {
    when: 'start',
    means: 'communicationFlows contains something that is not a pair of agents, or a pair of the same agent.',
    remedy: 'Write [[a, b]] for "a may ask b", [a, b, Handoff] for "a may hand over to b".',
    example: invalidFlow('An agent cannot talk to itself: "Guide".'),
  },
  INVALID_TOOL: {
    when: 'start',
    means: 'A tool has no name, no function to run, or parameters that are not an object.',
    remedy:
      'Create it with tool({ name, parameters: z.object({ ... }), execute }) or as a class of BaseTool.define({ ... }).',
    example: invalidTool('A tool needs a name.'),
  },
  INVALID_EVENT: {
    when: 'run',
    means: 'A tool has called context.emit() with something that cannot be sent.',
    remedy:
      'Send { name, value } with a value that JSON can express; send less, or raise limits.toolEventBytes. Unless the tool catches the error, the model reads it as a failure of the tool.',
    example: invalidEvent('an event is { name, value }, with a name of 1 to 128 characters'),
  },
  AGENT_FROZEN: {
    when: 'start',
    means: 'The code changed an agent that has already run. Requests share agents, so they cannot change.',
    remedy:
      'Make a changed copy with agent.clone({ ... }) and build an agency from it, or write the instructions as a function.',
    example: agentFrozen('Guide', 'instructions'),
  },
  MISSING_API_KEY: {
    when: 'start',
    means: 'A model needs a key, and none is set. With status 422: the key for client_config.model is missing.',
    remedy:
      'Set the variable that the text names, in the environment or in .env. Without a key, use the model "demo", or start with keyPerRequest: true and let each request send its key.',
    example: missingApiKey('Guide', 'gpt-5.4', OPENAI),
  },
  MISSING_TOKEN: {
    when: 'start',
    means: 'requireAuth is set, but there is no token.',
    remedy: 'Set APP_TOKEN, or the variable named by appTokenEnv.',
    example: missingToken('APP_TOKEN'),
  },
  MODEL_NOT_SUPPORTED: {
    when: 'start',
    means: 'The provider in a model name is unknown, or has no address. Status 422 when client_config names the model.',
    remedy:
      'Use one of the names in docs/models.md. Reach other providers through an OpenAI-compatible address: OPENAI_BASE_URL or client_config.base_url.',
    example: providerNotSupported('acme/one', 'Guide', ['openai', 'anthropic']),
  },
  PROVIDER_NOT_INSTALLED: {
    when: 'start',
    means:
      'The provider of a model needs a package that is not installed. Status 422 when client_config names the model.',
    remedy: 'Install the package that the text names.',
    example: providerNotInstalled('anthropic/claude-sonnet-4-5', 'Guide', '@ai-sdk/anthropic'),
  },
  PACKAGE_MISSING: {
    when: 'start',
    means: 'An optional feature needs a package that is not installed.',
    remedy: 'Install the package that the text names.',
    example: packageMissing('openTelemetry()', '@opentelemetry/api', CAUSE),
  },
  PORT_TAKEN: {
    when: 'start',
    means: 'Another program listens on the port, often an earlier server that still runs.',
    remedy: 'Stop it, or set PORT to another port; 0 selects a free one.',
    example: listenFailed('127.0.0.1', 8000, { code: 'EADDRINUSE' }),
  },
  WORKER_FAILED: {
    when: 'start',
    means: 'A worker process of `serve({ workers })` ended before it listened.',
    remedy: 'Read what it printed above the error. A server without `workers` shows the same failure in one process.',
    example: workerFailed('it ended with code 1 before it listened. Its output has the reason.'),
  },
  LISTEN_FAILED: {
    when: 'start',
    means: 'The server cannot listen on this host and port.',
    remedy:
      'Set HOST to an address of this machine: 127.0.0.1 for this machine only, 0.0.0.0 for all. Ports below 1024 need special permissions.',
    example: listenFailed('10.1.2.3', 8000, { code: 'EADDRNOTAVAIL' }),
  },
  INVALID_REQUEST: {
    when: 'request',
    means:
      'The body of a request is not valid: a field is missing, has the wrong type, or a value that is not allowed.',
    remedy: 'detail lists each field (loc) and its fault (msg). /docs describes every body.',
    example: new RequestInvalid([{ type: 'missing', loc: ['body', 'message'], msg: 'Field required', input: {} }]),
  },
  EMPTY_MESSAGE: {
    when: 'request',
    means: 'The message is empty or blank.',
    remedy: 'Send a message with text in it.',
    example: emptyMessage(),
  },
  NOTHING_TO_ANSWER: {
    when: 'request',
    means: 'An AG-UI request has no message for an agent to answer. The stream reports it.',
    remedy: 'End the list with a message of the user or the result of a tool call.',
    example: nothingToAnswer('the last message is not addressed to the agent'),
  },
  UNKNOWN_AGENT: {
    when: 'request',
    means: 'recipient_agent, or recipientAgent in process, names an agent that is not in this agency.',
    remedy:
      'Use one of the names in the text; GET /<agency>/get_metadata lists them. After an agent is renamed, start a new conversation.',
    example: unknownAgent('Bob', ['Guide', 'Researcher']),
  },
  RUN_NOT_FOUND: {
    when: 'request',
    means: 'The run has ended, belongs to another agency, or runs in another process.',
    remedy:
      'Cancel with the run_id of the meta event while the stream is open, and send the request to the process that runs it.',
    example: runNotFound('6cceec2e'),
  },
  SHUTTING_DOWN: {
    when: 'request',
    means: 'The server is stopping. It finishes running work and accepts no new work.',
    remedy: 'Send the request again after the time in Retry-After.',
    example: shuttingDown(),
  },
  OVERLOADED: {
    when: 'request',
    means: 'The server is at its limit of concurrent runs or of data in memory.',
    remedy:
      'Send the request again after the time in Retry-After. Raise limits.concurrentRuns or limits.heldBytes if the machine has the capacity, or add processes.',
    example: overloaded('concurrent runs'),
  },
  RATE_LIMITED: {
    when: 'request',
    means: 'The caller has sent more requests than rateLimit allows.',
    remedy: 'Wait for the time in Retry-After. The operator sets rateLimit.',
    example: tooManyRequests(12),
  },
  TOO_LARGE: {
    when: 'request',
    means:
      'The body (413) or the address (414) is larger than the limit of the server, or a request is too large to be stored.',
    remedy:
      'Send less data, send files with file_urls, or raise limits.bodyBytes, limits.urlBytes or, for what is stored, limits.storedBodyBytes.',
    example: tooLarge(413, 'body', 26_214_400),
  },
  UNSUPPORTED_BODY: {
    when: 'request',
    means: 'The body is compressed, or its charset is not UTF-8.',
    remedy: 'Send uncompressed JSON in UTF-8, without Content-Encoding.',
    example: unsupportedBody('Content-Encoding'),
  },
  UNKNOWN_EXPECTATION: {
    when: 'request',
    means: 'The Expect header of the request has a value other than 100-continue.',
    remedy: 'Leave the header out.',
    example: unknownExpectation(),
  },
  INVALID_HOST: {
    when: 'request',
    means: 'The request has no Host header, more than one, or one with an invalid host name.',
    remedy: 'Send one Host header with a host name and an optional port.',
    example: invalidHost(),
  },
  OTHER_SITE: {
    when: 'request',
    means:
      'The server has no token and listens on this machine only, and the request comes from a page or names a host of another machine. Or a page of another site reads a log with GET.',
    remedy: 'Set a token, or list the pages that may use the server in corsOrigins. Read logs with POST.',
    example: otherSite('Origin', 'https://other.example.com'),
  },
  GATEWAY_REFUSED: {
    when: 'request',
    means: 'client_config.base_url is not a public address, so the server sends nothing to it.',
    remedy: 'Ask the operator to allow the address with trustedModelOrigins.',
    example: gatewayRefused('10.0.0.5'),
  },
  CLIENT_GONE: {
    when: 'request',
    means: 'The caller closed the connection while its files were fetched. Only logs and metrics show it.',
    remedy: 'No action is needed. If the caller gave up too early, give it a longer timeout.',
    example: clientGone(),
  },
  FACTORY_FAILED: {
    when: 'request',
    means:
      'The function that creates an agency threw an error or took longer than limits.callbackMs, at the start of the server or for a request.',
    remedy: 'Read the original error in the log; the command line shows it in parentheses.',
    example: factoryFailed('shop', CAUSE),
  },
  THREADS_FAILED: {
    when: 'request',
    means: 'loadThreads threw an error, took too long, or did not return a list of messages. The run did not start.',
    remedy: 'Read the original error in the log. Return [] for a conversation that does not exist yet.',
    example: threadsFailed(CAUSE),
  },
  NOT_FOUND: {
    when: 'request',
    means: 'There is no such run, thread or approval, it was deleted, or it belongs to another owner.',
    remedy: 'Check the id, and that the request is authenticated as the one that created it.',
    example: notFound('run'),
  },
  THREAD_BUSY: {
    when: 'request',
    means: 'A run is active on the thread and the request has multitask_strategy "reject". run_id names that run.',
    remedy: 'Wait for the run or cancel it. With "enqueue", "interrupt" or "rollback" the new run is accepted.',
    example: threadBusy('6cceec2e'),
  },
  THREAD_EXISTS: {
    when: 'request',
    means: 'A thread was to be created with an id that the owner already uses.',
    remedy: 'Send another thread_id, or none to get a new one.',
    example: threadExists(),
  },
  THREAD_QUEUE_FULL: {
    when: 'request',
    means: 'As many runs wait on the thread as limits.threadQueue allows.',
    remedy: 'Send the request again: Retry-After says when. Raise limits.threadQueue for longer queues.',
    example: threadQueueFull(20),
  },
  RUN_ACTIVE: {
    when: 'request',
    means: 'A run, or a thread with a run, was to be deleted while the run has not ended. run_id names it.',
    remedy: 'Cancel the run, then delete.',
    example: runActive('thread', '6cceec2e'),
  },
  NOT_REPEATABLE: {
    when: 'request',
    means: 'A run was to be started again whose request had keys in client_config. They are erased when a run ends.',
    remedy: 'Send the request again, with its keys.',
    example: notRepeatable(),
  },
  RUN_ENDED: {
    when: 'request',
    means: 'A run was to be cancelled after it had ended by itself. status says how.',
    remedy: 'Read the run: its result is there.',
    example: runEnded('completed'),
  },
  RUN_PAUSED: {
    when: 'request',
    means: 'One agent was to go on while the whole run is paused.',
    remedy: 'Send the request without an agent: the run goes on, and single agents can be paused then.',
    example: runPaused(),
  },
  STEER_LIMIT: {
    when: 'request',
    means:
      'As many messages wait for the agents of the run as limits.steers or limits.steerBytes allow, or 100 branches are paused.',
    remedy: 'Wait for the next turn of the agents, then send it again. Raise the limits for longer messages.',
    example: steerLimit('16 waiting messages'),
  },
  AGENT_NOT_IN_RUN: {
    when: 'request',
    means: 'No agent with this name works in the run now. It has not been asked yet, has answered, or does not exist.',
    remedy: 'Take an agent that the text names, or wait until the agent is asked.',
    example: agentNotInRun('Billing', ['CEO']),
  },
  AGENT_AMBIGUOUS: {
    when: 'request',
    means: 'The agent works for several calls of the run at the same time.',
    remedy: 'Name the call with call_id. Use "main" for the conversation with the user.',
    example: agentAmbiguous('Billing', ['call_1', 'call_2']),
  },
  IDEMPOTENCY_MISMATCH: {
    when: 'request',
    means: 'The Idempotency-Key belongs to an earlier request with another method, path or body.',
    remedy: 'Use one key for one request: repeat that request as it was, or take a new key.',
    example: idempotencyMismatch(),
  },
  APPROVAL_DECIDED: {
    when: 'request',
    means: 'Somebody has already decided the approval, or its run was cancelled. status says which.',
    remedy: 'Nothing has to be done: the first decision counts.',
    example: approvalDecided('approved'),
  },
  INTERRUPT_OPEN: {
    when: 'request',
    means:
      'An AG-UI request came while calls of its thread wait for a person, and did not answer all of them. The stream reports it.',
    remedy: 'Send an entry in resume for each interrupt of the last RUN_FINISHED, or cancel the run.',
    example: interruptOpen(1),
  },
  APPROVAL_EXPIRED: {
    when: 'request',
    means: 'The decision came after expires_at. The model reads that the call was not approved in time.',
    remedy: 'Decide earlier, or raise limits.approvalMs.',
    example: approvalExpired(),
  },
  EVENTS_EXPIRED: {
    when: 'request',
    means: 'The run ended longer ago than its events are kept (limits.runEventsMs).',
    remedy: 'Read the run itself: it has the messages and the usage.',
    example: eventsExpired(),
  },
  STORE_UNAVAILABLE: {
    when: 'request',
    means: 'The database of the runs could not be reached, opened or written. The log has its own error.',
    remedy:
      'Look for a full disk, missing rights, a damaged file or a database that is down, then send the request again.',
    example: storeUnavailable(CAUSE),
  },
  STORE_NOT_SHARED: {
    when: 'request',
    means:
      'The request is about runs or threads that are kept, and the server has several workers but no store for all of them.',
    remedy:
      'Give the server a store of PostgreSQL, or serve without `workers`. OpenAI clients can send `store: false`.',
    example: storeNotShared(),
  },
  FENCED: {
    when: 'run',
    means: 'A worker was away so long that another one has taken over its run, and then tried to write.',
    remedy: 'Nothing has to be done: the run goes on at the other worker. Often it means a blocked event loop.',
    example: fenced('6cceec2e'),
  },
  FOLDER_FAILED: {
    when: 'start',
    means:
      'The files of a filesFolder or sharedFilesFolder could not be stored: a type that is not supported, a folder that cannot be renamed, a key of another account, or an answer of the Files API.',
    remedy:
      'The text names the folder and the reason. What was stored before the failure stays; the next start goes on from there.',
    example: folderFailed('/srv/desk/files', 'the type of plan.xyz is not supported'),
  },
  FILE_FAILED: {
    when: 'request',
    means:
      'A file of file_urls or file_ids could not be fetched, read or stored. The native endpoints answer it with 200 and {"error"}, as the original does; AG-UI streams end with RUN_ERROR.',
    remedy:
      'The text names the file. Local files need allowedLocalFileDirs, private addresses need trustedFileOrigins, and storing files needs OPENAI_API_KEY.',
    example: fileUrlFailed('Local file not in allowed directories: notes.txt'),
  },
  MODEL_FAILED: {
    when: 'run',
    means:
      "The provider rejected the call or broke it off: a wrong key, an unknown model, no credit, a rate limit, an outage. Callers see the kind of error; the provider's own text is in the log.",
    remedy:
      'Read the log line: it has the time, agency, agent and run id. exposeErrors: true, which "dev" sets, shows the text to callers. 401: check the key. 404: check the name of the model. 429: check the limits of your account. "agency-swarm-js doctor --reach" tests the connection.',
    example: modelFailed('401 Incorrect API key provided'),
  },
  ANSWER_CUT: {
    when: 'run',
    means: 'The answer reached its token limit, or was filtered, before it contained text or a complete tool call.',
    remedy: 'Raise maxTokens in modelSettings, lower the reasoning effort, or ask for a shorter answer.',
    example: answerCut('Guide', 'max_output_tokens'),
  },
  MODEL_REFUSED: {
    when: 'run',
    means: 'The model refused to answer.',
    remedy: 'Change the message or the instructions.',
    example: modelRefused('I cannot help with that.'),
  },
  MCP_FAILED: {
    when: 'run',
    means: 'An MCP server of an agent could not be reached or did not list its tools.',
    remedy: 'Start the server, check its command or address, and read the log line.',
    example: mcpFailed('Guide', CAUSE),
  },
  CONSENT_NEEDED: {
    when: 'run',
    means: 'A call reached an MCP server with oauth whose user has given no access, or has withdrawn it.',
    remedy: 'The model calls the tool connect_..., and the user opens the address that it gives.',
    example: consentNeeded('issues'),
  },
  CONSENT_GONE: {
    when: 'request',
    means:
      'A browser came back to /oauth/callback with a state that is unknown, was used, or is older than limits.consentMs.',
    remedy: 'Ask the agent again: it gives a new address.',
    example: consentGone(),
  },
  CONSENT_FAILED: {
    when: 'request',
    means:
      'A browser came back to /oauth/callback, and its user is not the owner of the run, or the authorization server gave no token.',
    remedy:
      'Sign in as the user who was asked. For a failed login read the reason in the log, and ask the agent again.',
    example: consentFailed('issues', CAUSE),
  },
  UNKNOWN_TOOL: {
    when: 'run',
    means: 'The model called a tool that the agent does not have.',
    remedy: 'Write tool names in the instructions exactly as the tools are named, or leave them out.',
    example: unknownTool('search', 'Guide'),
  },
  NOT_IDENTIFIED: {
    when: 'request',
    means: 'The `identify` function of the server gave no owner for the request, or failed.',
    remedy:
      'Send what the operator identifies callers by, such as a session cookie. Operators find the cause in the log.',
    example: notIdentified(undefined),
  },
  TICKET_INVALID: {
    when: 'request',
    means:
      'The ticket was changed, or was signed with another secret, such as that of another process or before a restart.',
    remedy: 'Ask for a new ticket. For several processes set AGENCY_TICKET_SECRET to one value.',
    example: ticketInvalid(),
  },
  TICKET_EXPIRED: {
    when: 'request',
    means: 'The time of the ticket is over.',
    remedy: 'Ask your back end for a new ticket, which it gets at POST /{agency}/tickets.',
    example: ticketExpired(),
  },
  TICKET_SCOPE: {
    when: 'request',
    means: 'The ticket is for another run or thread, or its verbs do not allow the request.',
    remedy: 'Make a ticket for this run or thread with the verb that the request needs (docs/tickets.md).',
    example: ticketScope('watch on run 0b5f'),
  },
  NOT_RECOVERABLE: {
    when: 'run',
    means:
      'A stored run could not be taken up after its process had ended: it used keys of its request, or a context that is not JSON.',
    remedy:
      'Start it again. Set AGENCY_STORE_KEY, so that keys are kept encrypted until the run ends; keep JSON in the context.',
    example: notRecoverable(),
  },
  CRASH_LOOP: {
    when: 'run',
    means: 'The processes that worked on the run ended again and again before it reached a turn boundary.',
    remedy:
      'Look in the log of the process for what ended it, often memory. `limits.attempts` sets how often a run is tried.',
    example: crashLoop(3),
  },
  COST_LIMIT: {
    when: 'run',
    means:
      'The next model call might have passed a bound on costs. A stored run ends as incomplete, with what it has; any other fails.',
    remedy:
      'Set `modelSettings.maxTokens` of the agent, so that each call reserves less. Or raise `max_cost` of the request, or `maxCost` and `budgets` of the server.',
    example: costLimit({
      of: 'run',
      limitUsd: 1,
      spentUsd: 0.31,
      reservedUsd: 0,
      worst: { usd: 1.92, inputTokens: 1204, outputTokens: 128_000 },
    }),
  },
  MODEL_NOT_PRICED: {
    when: 'run',
    means: 'A run with a bound on its costs uses a model whose price is not known.',
    remedy: 'Give the model a price: `prices: { "my-model": { inputUsdPerMillion: 1, outputUsdPerMillion: 2 } }`.',
    example: unpricedModel('our-model'),
  },
  AGENCY_CHANGED: {
    when: 'run',
    means:
      'A stored run was taken up by a version of the agency in which an agent or tool that the run is using is gone.',
    remedy: 'Start a new run. Let stored runs end before you remove or rename agents and tools that they use.',
    example: agencyChanged('agent "Billing"'),
  },
  INVALID_OUTPUT: {
    when: 'run',
    means: 'The final answer does not match the outputType of the agent.',
    remedy:
      'Describe the fields with .describe(), make fields that may be unknown .nullable(), or use a stronger model.',
    example: invalidOutput('Guide', 'title: expected string, received number'),
  },
  GUARDRAIL_TRIPPED: {
    when: 'run',
    means: 'An input guardrail with raiseInputGuardrailError tripped, or an output guardrail tripped on every attempt.',
    remedy: 'Read the guidance of the guardrail. Raise validationAttempts, or change the guardrail.',
    example: guardrailTripped('OutputGuardrail', 'Close with a question.'),
  },
  TURN_LIMIT: {
    when: 'run',
    means:
      'The run reached its limit of model calls, over all its agents. Often, two agents ask each other in turns without end.',
    remedy: 'Look at the run in the playground. Raise maxTurns if the task needs more.',
    example: turnLimit(100),
  },
  DEPTH_LIMIT: {
    when: 'run',
    means: 'Agents called other agents, nested deeper than the limit.',
    remedy: 'Remove flows that form a circle.',
    example: depthLimit(20),
  },
  TIME_LIMIT: {
    when: 'run',
    means: 'The run took longer than limits.runMs.',
    remedy: 'Look for a tool that hangs. Raise limits.runMs if the task needs more.',
    example: timeLimit(600_000),
  },
  MEMORY_LIMIT: {
    when: 'run',
    means:
      'The request and its run hold more data than limits.runBytes: history, model answers and tool outputs together.',
    remedy: 'Let tools return less, or send a shorter history. Raise limits.runBytes if the task needs more.',
    example: runTooLarge(268_435_456),
  },
  SCRIPT_ENDED: {
    when: 'run',
    means: 'A test asked a scripted model more often than its script has answers, or an answer is for another agent.',
    remedy: 'Add the answer to script([...]), or find out why the agent asks its model again.',
    example: scriptEnded('request 2 of agent "Guide", which was asked "And tomorrow?". All 1 answers are used.'),
  },
  RECORDING_INVALID: {
    when: 'run',
    means: 'The file of a recording is missing, too large or not a recording.',
    remedy: 'Record anew: set AGENCY_RECORD=1 for one run of the test, or use the command `record`.',
    example: recordingInvalid('tests/billing.json', 'it is not JSON.'),
  },
  RECORDING_DIFFERS: {
    when: 'run',
    means: 'A test that replays a recording asked a model, or called a tool, in another way than the recorded run.',
    remedy: 'Read the first difference in the text. When the change is intended, record anew.',
    example: recordingDiffers(
      'tests/billing.json',
      'turn 3 of Billing: called refund with amount 20, recorded 17',
      'If this is intended, record the run anew.',
    ),
  },
}

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(ERROR_CATALOGUE, text)
