import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const FILE = resolve(import.meta.dirname, '../../node_modules/openai/resources/responses/responses.d.ts')

/**
 * The fields of each type of item that a request may hold, as the types of the installed `openai` package have them, which follow
 * OpenAI's OpenAPI document: what the union `ResponseInputItem` names, read line by line.
 */
export function readItemFields(): Map<string, Set<string>> {
  const lines = readFileSync(FILE, 'utf8').split('\n')
  const union = /^export type ResponseInputItem = (.*);$/
  const names = lines.flatMap((line) => union.exec(line)?.[1]?.split(' | ') ?? [])
  const fields = new Map<string, Set<string>>()
  for (const name of names) {
    const { type, keys } = readInterface(lines, name)
    if (type === undefined) continue
    const known = fields.get(type) ?? new Set()
    for (const key of keys) known.add(key)
    fields.set(type, known)
  }
  return fields
}

function readInterface(lines: readonly string[], path: string): { type: string | undefined; keys: string[] } {
  const [outer, inner] = path.split('.')
  const from = inner === undefined ? 0 : lines.indexOf(`export declare namespace ${outer} {`)
  const indent = inner === undefined ? '' : '    '
  const start = lines.findIndex(
    (line, index) =>
      index >= from && line.startsWith(`${indent}${inner === undefined ? 'export ' : ''}interface ${inner ?? outer} `),
  )
  const found = lines.slice(start, lines.indexOf(`${indent}}`, start)).flatMap((line) => {
    const field = new RegExp(`^${indent} {4}(\\w+)\\??: (.*);?$`).exec(line)
    return field === null ? [] : [{ key: field[1] as string, value: field[2] as string }]
  })
  const type = /^'(\w+)'/.exec(found.find(({ key }) => key === 'type')?.value ?? '')?.[1]
  return { type, keys: found.map(({ key }) => key) }
}
