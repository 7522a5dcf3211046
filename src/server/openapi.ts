/** The OpenAPI 3.1 document of a server, from the operations that the route files describe. */
import { VERSION } from '../base/version.ts'
import type { Services } from '../services.ts'
import type { ClientConfigField } from '../wire/client-config.ts'
import { type Components, toComponents } from '../wire/components.ts'
import type { JsonObject, JsonSchema } from '../wire/json.ts'
import { addOperation, emptyParts, type Gate, type Operations, toDocument } from './operations.ts'
import { operations as describeAgencies } from './routes/agency.ts'
import { operations as healthOperations } from './routes/health.ts'
import { operations as logOperations } from './routes/logs.ts'
import { operations as metricsOperations } from './routes/metrics.ts'
import { operations as oauthOperations } from './routes/oauth.ts'
import { describeTools } from './tool-operations.ts'

/**
 * The document without its address. Without `metricsGate` the server has no metrics; `doors` are its further protocols,
 * `openDoors` those that need no token, and `agencyDoors` those with endpoints below each agency.
 */
export function describeApi(
  services: Services,
  {
    gate,
    metricsGate,
    doors,
    openDoors,
    agencyDoors,
  }: {
    gate: Gate
    metricsGate: Gate | undefined
    doors: readonly Operations[]
    openDoors: readonly Operations[]
    agencyDoors: readonly Operations[]
  },
): JsonObject {
  const { agencies, tools, requestLog, requestRules, stored } = services
  const parts = emptyParts(gate)
  const openGate: Gate = { ...gate, token: 'none' }
  const agencyOperations = describeAgencies(services)
  const all = [agencyOperations, ...agencyDoors, ...doors, logOperations, metricsOperations, healthOperations]
  const schemas = toComponents(all.flatMap((operations) => operations.schemas))
  Object.assign(parts.schemas, limitFields(schemas, requestRules.clientConfig))
  const ids = new Set(tools.map((tool) => tool.name)) // a tool's operation is named as the tool
  const add = ({ endpoints, refusal }: Operations, gate: Gate) => {
    for (const { path, method, id, operation } of endpoints)
      addOperation({ ...parts, gate }, path, method, { operationId: addUnique(ids, id), ...operation }, refusal)
  }
  for (const { path, preview } of agencies) {
    const tags = [preview.name ?? decodeURIComponent(path)]
    for (const { endpoints, plainErrors, refusal } of [agencyOperations, ...agencyDoors])
      for (const { path: endpoint, method, id, operation, coded, isOpen, ticket = false } of endpoints) {
        const operationId = addUnique(ids, `${path.replace(/\W/g, '_')}_${id}`)
        const identified = stored.identify !== undefined && endpoint !== '/get_metadata'
        addOperation(
          { ...parts, gate: isOpen ? openGate : { ...gate, identified, ticket } },
          `/${path}${endpoint}`,
          method,
          { tags, operationId, ...operation },
          plainErrors ? 'text' : coded ? 'CodedDetail' : isOpen ? 'Detail' : refusal,
        )
      }
  }
  for (const door of doors) add(door, gate)
  for (const door of openDoors) add(door, openGate)
  if (requestLog !== undefined) add(logOperations, gate)
  if (metricsGate !== undefined) add(metricsOperations, metricsGate)
  add(healthOperations, openGate)
  if (services.asksConsent) add(oauthOperations, { ...gate, token: 'none' })
  const info = { title: 'agency-swarm-js', version: VERSION, description: DESCRIPTION }
  return toDocument(info, '/', describeTools(tools, parts))
}

/** Request bodies with the fields of `client_config` that callers may set, or without `client_config` when they may set none. */
function limitFields({ ClientConfig, ...others }: Components, allowed: readonly ClientConfigField[]): Components {
  if (allowed.length > 0)
    return { ...others, ClientConfig: pickProperties(ClientConfig, (name) => allowed.some((field) => field === name)) }
  for (const body of ['ModifiedRequest', 'RunAgentInput', 'AguiRunInput', 'RunRequest', 'ChatRequest'])
    if (others[body] !== undefined) others[body] = pickProperties(others[body], (name) => name !== 'client_config')
  return others
}

const pickProperties = (schema: JsonSchema | undefined, keep: (name: string) => boolean): JsonSchema => ({
  ...schema,
  properties: Object.fromEntries(Object.entries(schema?.properties ?? {}).filter(([name]) => keep(name))),
})

const DESCRIPTION = `Agencies and tools over HTTP.

Every path may answer more than its operations list: 404 for an unknown path, 405 with \`Allow\` for another method, 307 for a trailing slash, 429 where
requests are limited. Requests that are not valid HTTP get 400, 408, 414 or 431. A server without a token that only its own machine can reach answers 403 to
web pages and host names of other machines. Endpoints below \`/playground\` belong to the page of the playground, change with it, and are not listed.`

/** Operation ids have to differ: generators name functions after them. */
function addUnique(ids: Set<string>, wanted: string): string {
  let id = wanted
  for (let count = 2; ids.has(id); count++) id = `${wanted}_${count}`
  ids.add(id)
  return id
}
