import { type FunctionTool, tool } from 'agency-swarm-js'

type JsonObject = { [key: string]: unknown }

interface Operation {
  operationId?: string
  summary?: string
  description?: string
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: JsonObject }[]
  requestBody?: { required?: boolean; content?: { [type: string]: { schema?: JsonObject } } }
}

export interface OpenApiDocument {
  servers?: { url: string }[]
  paths: { [path: string]: { [method: string]: Operation } }
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete']
/** The longest answer that a model is given, in characters. */
const MAX_ANSWER_CHARS = 20_000

/**
 * A tool for each operation of an API. The model fills in path, query and body; address and headers are yours.
 * @param headers sent with each request, such as the API's key
 */
export function toolsFrom(document: OpenApiDocument, headers: { [name: string]: string } = {}): FunctionTool[] {
  const base = document.servers?.[0]?.url ?? ''
  return Object.entries(document.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method]
      return operation === undefined ? [] : [toTool(operation, { method, address: base + path, headers })]
    }),
  )
}

interface Target {
  method: string
  address: string
  headers: { [name: string]: string }
}

function toTool(operation: Operation, target: Target): FunctionTool {
  const { operationId = `${target.method} ${target.address}`, parameters = [], requestBody } = operation
  const body = requestBody?.content?.['application/json']?.schema
  const own = parameters.filter((parameter) => ['path', 'query'].includes(parameter.in))
  const properties = Object.fromEntries(
    own.map(({ name, schema = { type: 'string' }, description }) => [
      name,
      { ...schema, ...(description && { description }) },
    ]),
  )
  return tool({
    name: operationId.replace(/[^\w-]+/g, '_').slice(0, 64),
    description: operation.description ?? operation.summary ?? operationId,
    parameters: {
      type: 'object',
      properties: { ...properties, ...(body && { body }) },
      required: [
        ...own.filter(({ required }) => required).map(({ name }) => name),
        ...(requestBody?.required ? ['body'] : []),
      ],
      additionalProperties: false,
    },
    execute: (input) => call(input as JsonObject, own, target),
  })
}

async function call(
  input: JsonObject,
  parameters: NonNullable<Operation['parameters']>,
  target: Target,
): Promise<string> {
  let { address } = target
  const query = new URLSearchParams()
  for (const { name, in: place } of parameters) {
    const value = input[name]
    if (place === 'path') address = address.replace(`{${name}}`, encodeURIComponent(String(value)))
    else if (value !== undefined && value !== null) query.set(name, String(value))
  }
  const answer = await fetch(query.size === 0 ? address : `${address}?${query}`, {
    method: target.method.toUpperCase(),
    headers: { ...(input.body === undefined ? {} : { 'content-type': 'application/json' }), ...target.headers },
    ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) }),
    signal: AbortSignal.timeout(30_000),
  })
  const text = (await answer.text()).slice(0, MAX_ANSWER_CHARS)
  return answer.ok ? text : `The API answered ${answer.status}: ${text}` // the model may try again
}
