/** Agencies and agents as the models of the OpenAI endpoints. */
import type { ServedAgency } from '../../agency/served.ts'
import type { OpenAiModel } from '../../wire/openai.ts'

/** What a request names as its `model`. */
export interface ModelTarget {
  /** As the request wrote it. */
  model: string
  served: ServedAgency
  /** The agent to address; undefined for the first entry agent. */
  agent: string | undefined
}

/** The agent that a request addresses. */
export const recipientOf = ({ agent, served: { preview } }: ModelTarget): string =>
  agent ?? (preview.entryPoints[0] as { name: string }).name

const nameOf = ({ path }: ServedAgency) => decodeURIComponent(path)

/** `agency` or `agency/Agent`; undefined for any other name. */
export function findModel(agencies: readonly ServedAgency[], model: string): ModelTarget | undefined {
  for (const served of agencies) {
    const name = nameOf(served)
    if (model === name) return { model, served, agent: undefined }
    const agent = model.startsWith(`${name}/`) ? model.slice(name.length + 1) : undefined
    if (agent !== undefined && served.preview.agentNames.includes(agent)) return { model, served, agent }
  }
  return undefined
}

/** Each agency, and where it has several agents, each of them. @param created in seconds since 1970 */
export const listModels = (agencies: readonly ServedAgency[], created: number): OpenAiModel[] =>
  agencies.flatMap((served) => {
    const name = nameOf(served)
    const agents = served.preview.agentNames
    const ids = [name, ...(agents.length > 1 ? agents.map((agent) => `${name}/${agent}`) : [])]
    return ids.map((id) => toModel(id, created))
  })

export const toModel = (id: string, created: number): OpenAiModel => ({
  id,
  object: 'model',
  created,
  owned_by: 'agency-swarm-js',
})
