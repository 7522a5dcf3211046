import { z } from 'zod'
import { isObject, type JsonSchema } from './json.ts'

/** Component name -> JSON Schema. */
export interface Components {
  [name: string]: JsonSchema
}

const REF = '#/components/schemas/'
export const schemaRef = (name: string) => ({ $ref: `${REF}${name}` })

/** Zod schemas as components of an OpenAPI 3.1 document: each one that has an id, at any depth, becomes one. */
export function toComponents(schemas: readonly z.ZodType[]): Components {
  const { $defs } = z.toJSONSchema(z.array(z.union(schemas)), { io: 'input', override: polish })
  return JSON.parse(JSON.stringify($defs).replaceAll('"#/$defs/', `"${REF}`))
}

/** A text that is the JSON of a component. */
export const jsonOf = (component: z.ZodType) =>
  z.string().meta({ contentMediaType: 'application/json', contentSchema: schemaRef(String(idOf(component))) })

const idOf = (schema: z.core.$ZodType) => z.globalRegistry.get(schema)?.id

/**
 * Tells generators which property chooses among the schemas of a union, and leaves out the bounds that every integer of
 * JavaScript has.
 */
function polish({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: JsonSchema }): void {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  const { def } = zodSchema._zod
  if (!(def.type === 'union' && 'discriminator' in def && def.options.every(idOf))) return
  const propertyName = def.discriminator as string
  const mapping = def.options.map((option) => {
    const [value] = option._zod.propValues?.[propertyName] ?? []
    return [value, schemaRef(String(idOf(option))).$ref]
  })
  Object.assign(jsonSchema, { discriminator: { propertyName, mapping: Object.fromEntries(mapping) } })
}

/** The components that `roots` refer to, directly or through each other. */
export function reachable(roots: unknown, components: Components): Components {
  const found = new Map<string, JsonSchema>()
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const part of value) visit(part)
    if (!isObject(value)) return
    const name = typeof value.$ref === 'string' && value.$ref.startsWith(REF) ? value.$ref.slice(REF.length) : undefined
    const component = name === undefined ? undefined : components[name]
    if (name !== undefined && component !== undefined && !found.has(name)) {
      found.set(name, component)
      visit(component)
    }
    for (const part of Object.values(value)) visit(part)
  }
  visit(roots)
  return Object.fromEntries(Object.entries(components).filter(([name]) => found.has(name)))
}
