import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const FILE = resolve(import.meta.dirname, '../../node_modules/openai/resources/responses/responses.d.ts')

/**
 * The fields of each type of item that a request may hold, as the types of the installed `openai` package have them, which follow
 * OpenAI's OpenAPI document: every interface with a `type` of one text, read line by line.
 */
export function readItemFields(): Map<string, Set<string>> {
  const fields = new Map<string, Set<string>>()
  const lines = readFileSync(FILE, 'utf8').split('\n')
  for (const [start, line] of lines.entries()) {
    const indent = /^( *)(?:export )?interface \w+(?: extends \w+)? \{$/.exec(line)?.[1]
    if (indent === undefined) continue
    const end = lines.indexOf(`${indent}}`, start)
    const named = lines.slice(start, end).flatMap((text) => {
      const field = new RegExp(`^${indent} {4}(\\w+)\\??: (.*);?$`).exec(text)
      return field === null ? [] : [{ name: field[1] as string, value: field[2] as string }]
    })
    const type = /^'(\w+)'/.exec(named.find(({ name }) => name === 'type')?.value ?? '')?.[1]
    if (type === undefined) continue
    const known = fields.get(type) ?? new Set()
    for (const { name } of named) known.add(name)
    fields.set(type, known)
  }
  return fields
}
