/** JSON Schema components of OpenAPI documents. */
import { z } from 'zod'
import { isObject, type JsonSchema } from './json.ts'

/** Component name -> JSON Schema. */
export interface Components {
  [name: string]: JsonSchema
}

const REF = '#/components/schemas/'
export const schemaRef = (name: string) => ({ $ref: `${REF}${name}` })

/** Turns zod schemas into components of an OpenAPI 3.1 document: one for each schema with an id, at any depth. */
export function toComponents(schemas: readonly z.ZodType[]): Components {
  const { $defs } = z.toJSONSchema(z.array(z.union(schemas)), { io: 'input', override: refine })
  return JSON.parse(JSON.stringify($defs).replaceAll('"#/$defs/', `"${REF}`))
}

/** The fields of a query as parameters of an operation. */
export function queryParameters(schema: z.ZodObject): JsonSchema[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'output', override: refine }) as JsonSchema
  return Object.entries(properties as Components).map(([name, { description, ...rest }]) => ({
    name,
    in: 'query',
    required: false,
    description,
    schema: rest,
  }))
}

/** A string that contains the JSON of a component. */
export const jsonOf = (component: z.ZodType) =>
  z.string().meta({ contentMediaType: 'application/json', contentSchema: schemaRef(String(readId(component))) })

const readId = (schema: z.core.$ZodType) => z.globalRegistry.get(schema)?.id

/** Adds the discriminator of a union for code generators, and removes the bounds that every integer of JavaScript has. */
function refine({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: JsonSchema }): void {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  const { def } = zodSchema._zod
  if (!(def.type === 'union' && 'discriminator' in def && def.options.every(readId))) return
  const propertyName = def.discriminator as string
  const mapping = def.options.map((option) => {
    const [value] = option._zod.propValues?.[propertyName] ?? []
    return [value, schemaRef(String(readId(option))).$ref]
  })
  Object.assign(jsonSchema, { discriminator: { propertyName, mapping: Object.fromEntries(mapping) } })
}

/** The components that `roots` refer to, directly or through other components. */
export function selectReachable(roots: unknown, components: Components): Components {
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
