/** The schemas that a model gets, and the rules of providers for them. */
import { Agency, Agent, type AgentOptions, tool } from '../../src/index.ts'
import { useUpstream } from './client.ts'

export type Json = { [key: string]: unknown }

export interface Sent {
  name: string
  strict: boolean
  parameters: Json
}

export const agent = (options: Partial<AgentOptions> = {}) =>
  new Agent({ name: 'Assistant', instructions: 'Help.', model: 'gpt-4.1', ...options })

export const define = (parameters: unknown, name = 'probe') =>
  tool({ name, parameters: parameters as Json, execute: () => 'ran' })

/** What a model is told of an agent's tools. */
export async function sentBy(options: Partial<AgentOptions>): Promise<Sent[]> {
  const upstream = await useUpstream(() => ({ text: 'ok' }))
  await new Agency(agent(options)).getResponse('Hi')
  return (upstream.seen[0]?.body.tools ?? []) as unknown as Sent[]
}

export const FORMATS = new Set(['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid'])

/** The words of JSON Schema that OpenAI's strict mode, Anthropic and Gemini all take. */
export const WORDS = new Set([
  ...['type', 'properties', 'required', 'additionalProperties', 'items', 'enum', 'anyOf', '$ref', '$defs'],
  ...['title', 'description', 'pattern', 'format', 'multipleOf', 'minimum', 'maximum', 'exclusiveMinimum'],
  ...['exclusiveMaximum', 'minItems', 'maxItems'],
])

export const LOOSE_WORDS = new Set([...WORDS, 'default', 'minLength', 'maxLength'])

/** Every place of a schema that some provider would refuse. */
export function offences(schema: unknown, strict: boolean, at = '$'): string[] {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return [`${at} is no schema`]
  const node = schema as Json
  const words = Object.keys(node)
  const found = words.filter((word) => !(strict ? WORDS : LOOSE_WORDS).has(word)).map((word) => `${at} has ${word}`)
  if (at === '$' && node.type !== 'object') found.push('$ is no object')
  if (at === '$') found.push(...['anyOf', '$ref', 'enum'].filter((word) => word in node).map((word) => `$ has ${word}`))
  if (node.format !== undefined && !FORMATS.has(String(node.format))) found.push(`${at} has format ${node.format}`)
  if (/\(\?[^:]|\\[pPbBkuxc1-9]/.test(String(node.pattern ?? ''))) found.push(`${at} has ${node.pattern}`)
  if ([node.type].flat().includes('array') && node.items === undefined) found.push(`${at} has no items`)
  const names = Object.keys((node.properties ?? {}) as object)
  if (strict && !['type', 'anyOf', '$ref'].some((word) => word in node)) found.push(`${at} says nothing`)
  if (strict && [node.type].flat().includes('object')) {
    if (node.additionalProperties !== false) found.push(`${at} is open`)
    if (names.some((name) => !((node.required ?? []) as string[]).includes(name)))
      found.push(`${at} has optional fields`)
  }
  const within = (parts: unknown, under: string) =>
    Object.entries((parts ?? {}) as object).flatMap(([key, part]) => offences(part, strict, `${at}.${under}${key}`))
  const single = [node.items, node.additionalProperties].filter((part) => typeof part === 'object')
  return [
    ...found,
    ...within(node.properties, ''),
    ...within(node.$defs, '$defs.'),
    ...within(node.anyOf, 'anyOf.'),
    ...within(single, ''),
  ]
}
