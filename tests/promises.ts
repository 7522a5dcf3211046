import { TestRunner } from 'vitest'

/** What the product owes its users. A row is kept when a passing test claims it. Ids never change. */
export const PROMISES = {
  A1: `\`agency.serve(options)\` serves one agency; \`serve({ agencies, tools, ... })\` serves several agencies and tools in one process; tools alone are enough`,
  A2: `\`host\` defaults to 0.0.0.0 and \`port\` to 8000; both can be set; \`port: 0\` picks a free one and the handle tells it`,
  A3: `\`appTokenEnv\` (default APP_TOKEN) names the variable that holds the bearer token; unset or empty means no authentication, and the start banner says so loudly`,
  A4: `\`buildApp(options)\` (also \`listen: false\`) returns the Fastify instance without listening; a Fastify plugin mounts the same routes under a prefix of an existing app`,
  A5: `\`corsOrigins\` default \`["*"]\`; with \`*\` credentials are off; with a list the listed origin is echoed and credentials allowed; a server without a token on loopback answers 403 to other sites until it is given`,
  A6: `\`enableAgui\` turns the stream endpoint into AG-UI; the compatible cancel endpoint is then not registered; as in the original \`get_response\` is not either`,
  A7: `\`enableLogging\` + \`logsDir\` (default activity-logs) record requests and register \`/get_logs\` at the root`,
  A8: `\`allowedLocalFileDirs\` is the allowlist for local \`file_urls\`; absent means local files are refused`,
  A9: `agency path segment = map key (or agency name, or \`agency\`), spaces become \`_\`, what cannot stand in a segment is percent-encoded; two equal segments, a reserved name (\`tool\`, \`docs\`, \`redoc\`, \`openapi.json\`, \`get_logs\`, \`healthz\`, \`readyz\`, \`mcp\`, \`oauth\`) and two tools with one route name are start-up errors`,
  A10: `an agency factory is called once at start (names, metadata) and once per request with \`{ loadThreads, saveThreads }\`, where \`loadThreads\` gives the request's \`chat_history\`; a factory that uses its own callbacks keeps its own store, and \`chat_history\` is then not used; a factory that throws fails its request, not the server; a ready Agency object is served as it is, the request's threads and context being values of the run`,
  A11: `nothing to serve is a clear error at start, never a silent return`,
  A12: `every option is checked at start; an unknown option or the snake_case spelling gets an error that names the right one`,
  A13: `\`workers\` (a number, or \`auto\`) serves one port from several processes: cancels and request logs work from any of them, rate limits count all, a crashed one is started again, one that is stopped alone loses no stream, and SIGTERM drains all and ends with 0`,
  A14: `\`agency-swarm-js worker\` (and \`startWorker()\`) works on the runs of API servers with \`runs.work: false\`, serves nothing but probes, and \`agency-swarm-js store migrate\` brings the store up to date; the shipped Compose file and Kubernetes manifest start these programs`,
  B1: `\`POST /{agency}/get_response\` answers \`response\`, \`new_messages\`, \`usage\`, \`file_ids_map\` (when files were given), \`chat_name\` (when asked)`,
  B2: `\`POST /{agency}/get_response_stream\` streams SSE: \`meta\` with run_id first, unnamed data frames, then \`messages\` with \`new_messages\`, \`run_id\`, \`cancelled\` (always a boolean), \`usage\`, \`file_ids_map\` (when files were given), \`chat_name\` (when asked), then \`end\` with \`[DONE]\`; also after errors and cancels; frames are compact JSON in UTF-8 in which U+0085, U+2028 and U+2029 are written as \`\\u\` escapes, so that line-splitting clients survive any text`,
  B3: `text deltas are readable at \`data.data.type == "response.output_text.delta"\` and \`data.data.delta\`; \`agent\`, \`callerAgent\`, \`agent_run_id\`, \`parent_run_id\` tell who speaks`,
  B4: `\`POST /{agency}/cancel_response_stream\` with \`run_id\`, \`cancel_mode\` answers \`ok, run_id, cancelled, cancel_mode, new_messages, timed_out\`; unknown or finished run: 404; \`timed_out: true\` after 60 s leaves the stop request standing; run ids are known to all workers of a server, and to all servers on one PostgreSQL store`,
  B5: `\`immediate\` stops at once, keeps fully generated messages, drops the one in progress and aborts the upstream request; a tool that ignores its signal is abandoned and its later output discarded`,
  B6: `\`after_turn\` finishes the current turn, tools included, then stops; a sub-agent running inside the turn finishes its whole run (the page's words win over the original's behaviour)`,
  B7: `a client that disconnects cancels its run and aborts the upstream request, on both endpoints, before the first byte and while a tool is silent too`,
  B8: `\`GET /{agency}/get_metadata\` gives \`nodes\`, \`edges\`, \`metadata\`, \`agency_swarm_version\`, \`allowed_local_file_dirs\`; conversation starters, quick replies, tools with input schemas are in it`,
  B9: `\`/get_logs\` works as POST with \`log_id\` (as the original's code) and as GET with \`?log_id=\` (as the page)`,
  B10: `\`POST /tool/{name}\` runs function tools and BaseTool classes and answers \`{"response": ...}\`; invalid bodies get 422; names are the function's or class's`,
  B11: `\`/openapi.json\`, \`/docs\` (Swagger UI) and \`/redoc\` work offline, from local assets that name no other host, and the document is valid OpenAPI 3.1 whose schemas mirror agencies and tools`,
  B12: `multi-agent runs stream every sub-agent's events with its name; nesting of any depth; handoffs attribute the messages after them to the new agent`,
  C1: `\`message\` as a string or as a list of Responses input items with \`input_text\`, \`input_image\`, \`input_file\`, passed through untouched`,
  C2: `\`chat_history\` as a flat list with \`agent\`, \`callerAgent\`, \`timestamp\`; structured attachment parts in it keep working on later turns; no call upstream carries \`previous_response_id\` or a conversation id`,
  C3: `a client that appends \`new_messages\` to its history and sends it back has a correct conversation, over any number of turns and agents`,
  C4: `\`recipient_agent\` addresses any agent of the agency; unknown names get 422 that lists the known ones`,
  C5: `\`file_ids\` attaches uploaded files`,
  C6: `\`file_urls\` takes URLs and absolute local paths, uploads them, returns \`file_ids_map\``,
  C7: `\`file_urls\` prepends a system message that records each file's source; it is part of \`new_messages\` and reaches the model again when a client replays it`,
  C8: `the page's list of file types is accepted, each by its proper route (input file, image, code interpreter); others get a clear error`,
  C9: `a local path outside the allowlist, missing, or a folder gives an \`error\` field in the body and nothing is uploaded`,
  C10: `an allowlist entry that exists but is no directory fails local requests; a missing one is skipped and may be created later; metadata lists only usable ones`,
  C11: `\`additional_instructions\` apply to this request only; overlapping requests never see each other's`,
  C12: `\`user_context\` merges over the agency's, is visible to tools for the run, and never reaches the model`,
  C13: `\`client_config.base_url\` and \`api_key\` override OpenAI models for this request, for model and file calls alike; the server's own key never goes to a \`base_url\` from a request`,
  C14: `\`client_config.litellm_keys\` gives each provider its key for \`litellm/<provider>/<model>\` agents; every provider name that LiteLLM knows is accepted (a key for one that is not installed is ignored with a log line), an unknown name gets 422; \`base_url\` replaces the provider's own address for all of them`,
  C15: `custom Model objects are left alone by \`client_config\`, the request still runs, and the log says so`,
  C16: `\`client_config.default_headers\`, \`model\`, \`model_settings_extra_args\` and \`generate_chat_name\` work as in the original's code`,
  C17: `requests with \`client_config\` run side by side with others: no lock, no shared state`,
  C18: `wrong types, missing fields, malformed JSON, unknown tools: 422 in FastAPI's shape (\`detail\` list with type, loc, msg, input)`,
  D1: `each item of \`new_messages\` has \`agent\`, \`callerAgent\`, \`timestamp\` and the other keys of wire.md section 6`,
  D2: `\`usage\` has request_count, cached_tokens, cache_write_tokens, input_tokens, output_tokens, total_tokens, total_cost, and reasoning_tokens, audio_tokens when there are any; sub-agents of every depth count; the \`messages\` event carries the same object`,
  D3: `cost is computed per request from a shipped price table, with tiers, cache prices and each agent's own model; users can pass their own table`,
  D4: `calls of an agent with \`modelSettings: { includeUsage: false }\` are not counted, and \`usage\` is left out when none was; LiteLLM-style models report usage in streams`,
  D5: `the stream's \`messages\` after a cancel or failure carries the usage known so far`,
  D6: `errors: 500 with a safe sentence in JSON; an error frame, then \`messages\` and \`end\` in streams; never a stack trace; known secrets (token, server key, request keys) are masked in every outgoing text, tool errors included`,
  E1: `with a token set, every agency, tool and log endpoint needs \`Authorization: Bearer\`, with the bodies of wire.md section 2.1; comparison takes constant time`,
  E2: `docs, redoc and openapi stay open by default and can be protected by an option`,
  F1: `\`Agent\` and \`Agency\` with every option that framework.md marks "must", then "should"`,
  F2: `communication flows in all forms: pair, pair with tool class, chain, handoff; conflicts are errors at construction`,
  F3: `\`send_message\` with isolated threads per pair of agents, parallel recipients, and errors returned to the sender as text`,
  F4: `handoffs with reminder, named after the target`,
  F5: `\`tool()\` with zod, Standard Schema or JSON Schema; \`BaseTool\` classes with typed fields and \`run()\``,
  F6: `\`toolFactory.getOpenApiSchema(tools, { url, title })\` returns the OpenAPI document as a JSON string`,
  F7: `load/save thread callbacks, sync or async, called at the original's moments; a turn is given to \`saveThreads\` and awaited before the client sees its end`,
  F8: `guardrails on input and output, with retry, as framework.md says`,
  F9: `model strings: plain and \`openai/\` to OpenAI Responses (the prefix is stripped, except towards a request's own \`base_url\`), \`litellm/<provider>/<model>\` to that provider, \`chatCompletions(name)\` for Chat Completions, and any Model object`,
  F10: `\`demo\` model: offline, deterministic, honest about being a demo, drives tools, send_message and handoffs; never a silent fallback`,
  F11: `agents are never changed by a request; after the first run their setters throw an error that names the way`,
  F12: `a request ends at 100 model turns over its whole tree of agents and 20 levels of nesting unless told otherwise`,
  G1: `\`@ag-ui/client\` drives an agency: run, text, tool calls with results, messages snapshot, errors as RUN_ERROR without traces, and nothing after a final event`,
  G2: `request extras: \`chat_history\`, \`additional_instructions\`, \`user_context\`, \`file_ids\`, \`file_urls\`, \`client_config\``,
  G3: `sub-agents are told apart in the events`,
  G4: `a client that stops (abort) stops the run`,
  G5: `\`/{agency}/agui\` keeps the conversation, hands calls of the client's tools to it, shares state with it, and asks it for approvals; a stream that broke goes on after its last frame`,
} as const

export type PromiseId = keyof typeof PROMISES

/** Rows that this version keeps: one without a claim fails the run. The others are listed as open. */
export const REQUIRED: readonly PromiseId[] = [
  'A1',
  'A2',
  'A3',
  'A4',
  'A5',
  'A6',
  'A7',
  'A8',
  'A9',
  'A10',
  'A11',
  'A12',
  'A13',
  'A14',
  'B1',
  'B2',
  'B3',
  'B4',
  'B5',
  'B6',
  'B7',
  'B8',
  'B9',
  'B10',
  'B11',
  'B12',
  'C1',
  'C2',
  'C3',
  'C4',
  'C5',
  'C6',
  'C7',
  'C8',
  'C9',
  'C10',
  'C11',
  'C12',
  'C13',
  'C14',
  'C15',
  'C16',
  'C17',
  'C18',
  'D1',
  'D2',
  'D3',
  'D4',
  'D5',
  'D6',
  'E1',
  'E2',
  'F1',
  'F2',
  'F3',
  'F4',
  'F5',
  'F6',
  'F7',
  'F8',
  'F9',
  'F10',
  'F11',
  'F12',
  'G1',
  'G2',
  'G3',
  'G4',
]

declare module 'vitest' {
  interface TaskMeta {
    promises?: PromiseId[]
  }
}

/**
 * Called inside a test: this test holds these rows. It counts only when the test passes; a test without an assertion fails.
 * @throws outside of a test, or for an id that is no row
 */
export function promise(...ids: PromiseId[]): void {
  for (const id of ids) if (!Object.hasOwn(PROMISES, id)) throw new Error(`There is no promise "${id}".`)
  const test = TestRunner.getCurrentTest<ReturnType<typeof TestRunner.getCurrentTest>>()
  if (test === undefined) throw new Error('promise() has to be called inside a test.')
  test.meta.promises = [...(test.meta.promises ?? []), ...ids]
}

/** The claims of passed tests against the list. */
export function judge(claimed: ReadonlySet<string>, required: readonly string[] = REQUIRED) {
  const all = Object.keys(PROMISES)
  return {
    kept: all.filter((id) => claimed.has(id)),
    broken: required.filter((id) => !claimed.has(id)),
    open: all.filter((id) => !claimed.has(id) && !required.includes(id)),
  }
}
