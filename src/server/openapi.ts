import { VERSION } from '../base/version.ts'
import type { Services } from '../services.ts'
import {
  addOperation,
  answerOf,
  BODY_REFUSALS,
  bodyOf,
  describeTools,
  emptyParts,
  type Gate,
  toDocument,
} from '../tools/openapi.ts'
import { aguiRequestSchema } from '../wire/agui.ts'
import { aguiStreamSchemas } from '../wire/agui-events.ts'
import type { ClientConfigField } from '../wire/client-config.ts'
import { type Components, schemaRef, toComponents } from '../wire/components.ts'
import { streamSchemas } from '../wire/events.ts'
import { AGUI_EXAMPLE, RUN_ID, STREAM_EXAMPLES } from '../wire/examples.ts'
import type { JsonObject, JsonSchema } from '../wire/json.ts'
import { requestSchemas } from '../wire/requests.ts'
import { agencyResponse, cancelResponse, health, logLine, metadata } from '../wire/responses.ts'

/** The OpenAPI 3.1 document of a server, without its address; `metricsGate` undefined: there are no metrics. */
export function describeApi(
  { agencies, tools, requestLog, dialects: { agui }, requestRules }: Services,
  { gate, metricsGate }: { gate: Gate; metricsGate: Gate | undefined },
): JsonObject {
  const parts = emptyParts(gate)
  const streamed = agui !== undefined ? [aguiRequestSchema, ...aguiStreamSchemas] : streamSchemas
  const ours = [...requestSchemas, agencyResponse, ...streamed, cancelResponse, metadata, logLine, health]
  Object.assign(parts.schemas, withAllowed(toComponents(ours), requestRules.clientConfig))
  const ids = new Set(tools.map((tool) => tool.name)) // a tool's operation is named as the tool
  for (const { path, preview } of agencies) {
    const tags = [preview.name ?? decodeURIComponent(path)]
    for (const [endpoint, [method, operation]] of Object.entries(
      agui !== undefined ? AGUI_OPERATIONS : NATIVE_OPERATIONS,
    )) {
      const operationId = addUnique(ids, `${path.replace(/\W/g, '_')}_${endpoint}`)
      addOperation(parts, `/${path}/${endpoint}`, method, { tags, operationId, ...operation })
    }
  }
  if (requestLog !== undefined) {
    addOperation(parts, '/get_logs', 'post', { operationId: addUnique(ids, 'get_logs'), ...LOG_BY_BODY })
    addOperation(parts, '/get_logs', 'get', { operationId: addUnique(ids, 'get_logs_by_query'), ...LOG_BY_QUERY })
  }
  const open = { ...parts, gate: { ...gate, token: 'none' as const } }
  if (metricsGate !== undefined)
    addOperation({ ...parts, gate: metricsGate }, '/metrics', 'get', {
      operationId: addUnique(ids, 'metrics'),
      ...METRICS,
    })
  addOperation(open, '/healthz', 'get', { operationId: addUnique(ids, 'healthz'), ...ALIVE })
  addOperation(open, '/readyz', 'get', { operationId: addUnique(ids, 'readyz'), ...READY })
  const info = { title: 'agency-swarm-js', version: VERSION, description: DESCRIPTION }
  return toDocument(info, '/', describeTools(tools, parts))
}

/** Request bodies as this server takes them: of `client_config` only what callers may set, and nothing where that is nothing. */
function withAllowed({ ClientConfig, ...others }: Components, allowed: readonly ClientConfigField[]): Components {
  if (allowed.length > 0)
    return { ...others, ClientConfig: pickProperties(ClientConfig, (name) => allowed.some((field) => field === name)) }
  for (const body of ['ModifiedRequest', 'RunAgentInput'])
    if (others[body] !== undefined) others[body] = pickProperties(others[body], (name) => name !== 'client_config')
  return others
}

const pickProperties = (schema: JsonSchema | undefined, keep: (name: string) => boolean): JsonSchema => ({
  ...schema,
  properties: Object.fromEntries(Object.entries(schema?.properties ?? {}).filter(([name]) => keep(name))),
})

const DESCRIPTION = `Agencies and tools over HTTP.

Unknown paths are answered with 404, other methods with 405 and \`Allow\`, a trailing slash with 307 to the path without it. What is no proper HTTP request is
answered with 400, 408, 414 or 431 before any operation sees it. Where requests are limited, every path may answer 429. A server without a token that only this
machine reaches answers 403 to pages and host names of elsewhere.`

type Operation = Parameters<typeof addOperation>[3]

/** Without readers of events, generators take the body as one text. */
const streamOf = (description: string, frame: string, examples: JsonObject = {}) => ({
  description: `${description} The schema is that of each event for clients that read events, and of the body as one text for those that do not.`,
  content: { 'text/event-stream': { schema: { anyOf: [schemaRef(frame), { type: 'string' }] }, ...examples } },
})
const NOT_STARTED = answerOf('The run could not be started; a failure later on is told in the stream.', 'Failure')

type Operations = { [endpoint: string]: ['get' | 'post', Operation] }
const METADATA: Operations = {
  get_metadata: [
    'get',
    { summary: 'The agency as a graph', responses: { 200: answerOf('Agents, tools and flows.', 'Metadata') } },
  ],
}
const NATIVE_OPERATIONS: Operations = {
  ...METADATA,
  get_response: [
    'post',
    {
      summary: 'Run the agency and answer when it is done',
      requestBody: bodyOf('ModifiedRequest', { message: 'Hello' }),
      responses: {
        200: answerOf(
          'The answer, or why the files of the request could not be attached.',
          'AgencyResponse',
          'Failure',
        ),
        ...BODY_REFUSALS,
        500: answerOf('The run failed.', 'Failure'),
      },
    },
  ],
  get_response_stream: [
    'post',
    {
      summary: 'Run the agency and stream what happens',
      requestBody: bodyOf('ModifiedRequest', { message: 'Hello' }),
      responses: {
        200: streamOf(
          'Server-sent events: `meta` with the run_id, then what agents do (texts in `data.data.delta`), then `messages` with everything to keep, then `end`. Files that cannot be attached: one error, then `end`.',
          'StreamFrame',
          { examples: STREAM_EXAMPLES },
        ),
        ...BODY_REFUSALS,
        500: NOT_STARTED,
      },
    },
  ],
  cancel_response_stream: [
    'post',
    {
      summary: 'Stop a streamed run',
      requestBody: bodyOf('CancelRequest', { run_id: RUN_ID, cancel_mode: 'immediate' }),
      responses: {
        200: answerOf('The run has ended, or takes its time.', 'CancelResponse'),
        404: answerOf('No such run is running.', 'Detail'),
        ...BODY_REFUSALS,
      },
    },
  ],
}
const AGUI_OPERATIONS: Operations = {
  ...METADATA,
  get_response_stream: [
    'post',
    {
      summary: 'Run the agency and stream what happens, in AG-UI',
      requestBody: bodyOf('RunAgentInput', AGUI_EXAMPLE),
      responses: {
        200: streamOf(
          'Server-sent events of AG-UI (https://docs.ag-ui.com): `RUN_STARTED`, then texts, calls and their results as agents work, then `RUN_FINISHED` or `RUN_ERROR`.',
          'AguiFrame',
        ),
        ...BODY_REFUSALS,
        500: NOT_STARTED,
      },
    },
  ],
}

const LOG_RESPONSES = {
  200: {
    description: 'The lines; the log is gone afterwards.',
    content: { 'application/json': { schema: { type: 'array', items: schemaRef('LogLine') } } },
  },
  400: answerOf('An empty id.', 'Failure'),
  404: answerOf('No such log.', 'Failure'),
  422: BODY_REFUSALS[422],
  500: answerOf('The log could not be read.', 'Failure'),
}
const LOG_BY_BODY: Operation = {
  tags: ['Logs'],
  summary: "Read a request's log",
  requestBody: bodyOf('LogRequest', { log_id: 'my-request-1' }),
  responses: { ...LOG_RESPONSES, ...BODY_REFUSALS },
}
const LOG_BY_QUERY: Operation = {
  tags: ['Logs'],
  summary: "Read a request's log",
  parameters: [{ name: 'log_id', in: 'query', required: true, schema: { type: 'string', minLength: 1 } }],
  responses: {
    ...LOG_RESPONSES,
    403: answerOf('A page of another site asks, and reading deletes: send POST.', 'Detail'),
  },
}

const METRICS: Operation = {
  tags: ['Health'],
  summary: 'Metrics as Prometheus scrapes them',
  responses: { 200: { description: 'All of them.', content: { 'text/plain': { schema: { type: 'string' } } } } },
}
const ALIVE: Operation = {
  tags: ['Health'],
  summary: 'Whether the process lives',
  responses: { 200: answerOf('It does.', 'Health') },
}
const READY: Operation = {
  tags: ['Health'],
  summary: 'Whether the server takes new work',
  responses: { 200: answerOf('It does.', 'Health'), 503: answerOf('It is stopping.', 'Health') },
}

/** Operation ids have to differ: generators name functions after them. */
function addUnique(ids: Set<string>, wanted: string): string {
  let id = wanted
  for (let count = 2; ids.has(id); count++) id = `${wanted}_${count}`
  ids.add(id)
  return id
}
