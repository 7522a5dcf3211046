import type { Services } from '../services.ts'
import {
  type ApiParts,
  addSchema,
  BEARER,
  describeTools,
  INVALID,
  jsonContent,
  schemaRef,
  toDocument,
} from '../tools/openapi.ts'
import { VERSION } from '../version.ts'
import { aguiRequestSchemas } from '../wire/agui.ts'
import type { JsonObject, JsonSchema } from '../wire/json.ts'
import { requestSchemas } from '../wire/requests.ts'

const integer = { type: 'integer', minimum: 0 }
const text = { type: 'string' }
const object = (properties: JsonObject, required: readonly string[] = Object.keys(properties)): JsonSchema => ({
  type: 'object',
  properties,
  required,
})
const messages = { type: 'array', items: schemaRef('StoredMessage') }

const answerSchemas: ApiParts['schemas'] = {
  StoredMessage: {
    ...object(
      {
        agent: text,
        callerAgent: { type: ['string', 'null'] },
        timestamp: { ...integer, description: 'Microseconds since 1970.' },
        agent_run_id: text,
        parent_run_id: text,
      },
      ['agent', 'callerAgent', 'timestamp'],
    ),
    description: 'A Responses item and whose it is. Send it back in chat_history as it came.',
    additionalProperties: true,
  },
  Usage: object(
    {
      request_count: integer,
      cached_tokens: integer,
      cache_write_tokens: integer,
      input_tokens: integer,
      output_tokens: integer,
      total_tokens: integer,
      total_cost: { type: 'number', minimum: 0, description: 'US dollars.' },
      reasoning_tokens: integer,
      audio_tokens: integer,
      estimated: {
        type: 'boolean',
        description: 'True when a model call that broke off is part of the figures, as far as it can be guessed.',
      },
    },
    [
      'request_count',
      'cached_tokens',
      'cache_write_tokens',
      'input_tokens',
      'output_tokens',
      'total_tokens',
      'total_cost',
    ],
  ),
  AgencyResponse: object(
    {
      response: { description: "The last agent's answer: a text, or an object where it has an output type." },
      new_messages: messages,
      usage: schemaRef('Usage'),
      file_ids_map: {
        type: 'object',
        additionalProperties: text,
        description: 'Name -> stored id of what file_urls named.',
      },
      chat_name: { ...text, description: 'With generate_chat_name: 2 to 6 words; missing where none could be made.' },
    },
    ['response', 'new_messages'],
  ),
  CancelResponse: object({
    ok: { type: 'boolean' },
    run_id: text,
    cancelled: { type: 'boolean' },
    cancel_mode: { enum: ['immediate', 'after_turn'] },
    new_messages: messages,
    timed_out: { type: 'boolean', description: 'The run did not end within 60 s; the request to stop stands.' },
  }),
  Metadata: object({
    nodes: { type: 'array', items: { type: 'object' } },
    edges: { type: 'array', items: { type: 'object' } },
    metadata: { type: 'object' },
    agency_swarm_version: text,
    allowed_local_file_dirs: { type: ['array', 'null'], items: text },
  }),
  LogLines: { type: 'array', items: object({ message: text, details: { type: 'object' } }) },
  Detail: object({ detail: text }),
  Failure: object({ error: text }),
}

const answer = (description: string, schema: string) => ({ description, content: jsonContent(schemaRef(schema)) })
const UNAUTHORIZED = answer('A token is set, and the request does not carry it.', 'Detail')
const STREAM = {
  description:
    'Server-sent events: `meta` with the run_id, then data frames `{"data": ...}` as agents work (texts in `data.data.delta`), then `messages` with everything to keep, then `end`. Files that cannot be attached: one frame `{"error": ...}`, then `end`.',
  content: { 'text/event-stream': { schema: { type: 'string' } } },
}

const AGUI_STREAM = {
  description:
    'Server-sent events of AG-UI (https://docs.ag-ui.com): `RUN_STARTED`, then texts, calls and their results as agents work, then `RUN_FINISHED` or `RUN_ERROR`.',
  content: { 'text/event-stream': { schema: { type: 'string' } } },
}

/** The OpenAPI 3.1 document of a server; `url` is its own address. */
export function describeApi({ agencies, tools, requestLog, agui }: Services, url: string): JsonObject {
  const parts: ApiParts = { paths: {}, schemas: {} }
  for (const [name, schema] of Object.entries({
    ...requestSchemas(),
    ...(agui ? aguiRequestSchemas() : {}),
    ...answerSchemas,
  })) {
    if (agencies.length > 0 || requestLog !== undefined) addSchema(parts.schemas, name, schema)
  }
  for (const { path, preview } of agencies) {
    const label = preview.name ?? decodeURIComponent(path)
    const add = (
      method: 'get' | 'post',
      endpoint: string,
      summary: string,
      body: string | undefined,
      ok: JsonObject,
      more: JsonObject = {},
    ) => {
      const invalid = body === undefined ? {} : { 422: INVALID }
      const operation = {
        tags: [label],
        summary,
        operationId: `${path.replace(/[^\w]/g, '_')}_${endpoint}`,
        ...(body === undefined ? {} : { requestBody: { content: jsonContent(schemaRef(body)), required: true } }),
        responses: { 200: ok, 401: UNAUTHORIZED, ...more, ...invalid },
        security: BEARER,
      }
      parts.paths[`/${path}/${endpoint}`] = { [method]: operation }
    }
    const failed = { 500: answer('The run failed.', 'Failure'), 503: answer('The server is stopping.', 'Detail') }
    add('get', 'get_metadata', 'The agency as a graph', undefined, answer('Agents, tools and flows', 'Metadata'))
    if (agui) {
      const summary = 'Run the agency and stream what happens, in AG-UI'
      add('post', 'get_response_stream', summary, 'RunAgentInput', AGUI_STREAM, failed)
      continue
    }
    add(
      'post',
      'get_response',
      'Run the agency and answer when it is done',
      'ModifiedRequest',
      {
        description: 'The answer, or why the files of the request could not be attached',
        content: jsonContent({ anyOf: [schemaRef('AgencyResponse'), schemaRef('Failure')] }),
      },
      failed,
    )
    add('post', 'get_response_stream', 'Run the agency and stream what happens', 'ModifiedRequest', STREAM, {
      503: failed[503],
    })
    add(
      'post',
      'cancel_response_stream',
      'Stop a streamed run',
      'CancelRequest',
      answer('The run has ended', 'CancelResponse'),
      { 404: answer('No such run is running.', 'Detail') },
    )
  }
  if (requestLog !== undefined) {
    const responses = {
      200: answer('The lines; the log is gone afterwards', 'LogLines'),
      400: answer('An empty id.', 'Failure'),
      401: UNAUTHORIZED,
      404: answer('No such log.', 'Failure'),
      422: INVALID,
    }
    const summary = "Read a request's log"
    const requestBody = { content: jsonContent(schemaRef('LogRequest')), required: true }
    const parameters = [{ name: 'log_id', in: 'query', required: true, schema: text }]
    parts.paths['/get_logs'] = {
      post: { summary, operationId: 'get_logs', requestBody, responses, security: BEARER },
      get: { summary, operationId: 'get_logs_by_query', parameters, responses, security: BEARER },
    }
  }
  const info = { title: 'agency-swarm-js', version: VERSION, description: 'Agencies and tools over HTTP.' }
  return toDocument(info, url, describeTools(tools, parts))
}
