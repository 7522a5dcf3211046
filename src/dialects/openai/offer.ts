/** What a request brings for the conversation with the user: tools that its client runs, and the form of the answer. */
import type { AgencyGraph } from '../../agency/agency.ts'
import { errorText } from '../../base/errors.ts'
import { toPortable } from '../../tools/portable-schema.ts'
import { asStrict } from '../../tools/strict.ts'
import type { JsonSchema } from '../../wire/json.ts'
import { type FunctionFields, refuse } from '../../wire/openai.ts'
import type { ClientOffer, ClientTool } from '../../wire/requests.ts'

/** A tool with its place in the body. */
export interface OfferedTool {
  tool: FunctionFields
  loc: readonly (string | number)[]
}

/** The form of an answer that a request asks for. */
export type AnswerFormat =
  | { type: 'text' | 'json_object' }
  | { type: 'json_schema'; name: string; schema?: JsonSchema | null | undefined; strict?: boolean | null | undefined }

export interface OfferRequest {
  tools: readonly OfferedTool[]
  /** `none`, `auto`, `required`, or the name of a tool; or one of the first three for some of the client's tools. */
  choice: string | { mode: string; allowed: readonly string[] } | undefined
  format: AnswerFormat | undefined
  /** The field of the body that has the format. */
  formatLoc: readonly string[]
}

/**
 * The offer of a request.
 * @param recipient the agent that the request addresses
 * @throws RequestInvalid for a tool whose name is taken, a schema that is too large, a choice without its tool, and a schema for
 *   an agent that has an output type
 */
export function toOffer(agency: AgencyGraph, recipient: string, request: OfferRequest): ClientOffer {
  const role = agency.role(recipient)
  const taken = new Set([...role.schemas.map(({ name }) => name), ...role.stubs.keys()])
  const tools = request.tools.map((offered) => {
    const { name } = offered.tool
    if (taken.has(name)) refuse([...offered.loc, 'name'], `the name "${name}" is that of another tool here`)
    taken.add(name)
    return toClientTool(offered)
  })
  const { mode: choice, allowed } =
    typeof request.choice === 'object' ? request.choice : { mode: request.choice, allowed: undefined }
  const missing = allowed?.find((name) => !taken.has(name))
  if (missing !== undefined) refuse(['tool_choice'], `there is no tool "${missing}"`)
  if (choice !== undefined && !MODES.has(choice) && !taken.has(choice))
    refuse(['tool_choice'], `there is no tool "${choice}"`)
  if (request.format?.type === 'json_schema' && role.outputSchema !== undefined)
    refuse(request.formatLoc, `the agent "${recipient}" answers in a form of its own`)
  const outputSchema = toOutputSchema(request)
  return {
    tools: choice === 'none' ? [] : tools.filter(({ name }) => allowed?.includes(name) ?? true),
    ...(choice === undefined || choice === 'none' || choice === 'auto' ? {} : { toolChoice: choice }),
    ...(outputSchema === undefined ? {} : { outputSchema }),
  }
}

const MODES = new Set(['none', 'auto', 'required'])

function toClientTool({ tool, loc }: OfferedTool): ClientTool {
  const { name, description, parameters, strict } = tool
  const given = parameters ?? { type: 'object', properties: {} }
  const sent = toSent(given, strict === true, [...loc, 'parameters'])
  return { type: 'function', name, description: description ?? '', parameters: sent.schema, strict: sent.strict }
}

function toOutputSchema({ format, formatLoc }: OfferRequest): ClientOffer['outputSchema'] {
  if (format === undefined || format.type === 'text') return undefined
  if (format.type === 'json_object') return { name: 'json_object', schema: { type: 'object' }, strict: false }
  if (format.type !== 'json_schema') return undefined
  const { name, schema, strict } = format
  return { name, ...toSent(schema ?? { type: 'object' }, strict === true, [...formatLoc, 'schema']) }
}

/** A schema as the agents' own are sent. */
function toSent(schema: JsonSchema, strict: boolean, loc: readonly (string | number)[]) {
  try {
    return strict ? asStrict(schema) : { schema: toPortable(schema), strict: false }
  } catch (error) {
    return refuse(loc, errorText(error))
  }
}
