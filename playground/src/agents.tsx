/** Agent names and colours. */
import type { AgencyMetadata, AgentNode } from 'agency-swarm-js/client'
import { createContext, type ReactNode, useContext } from 'react'

const Agents = createContext<readonly string[]>([])

/** The agents of the open agency; their order decides their colours. */
export const AgentsProvider = ({ names, children }: { names: readonly string[]; children: ReactNode }) => (
  <Agents value={names}>{children}</Agents>
)

const COLOURS = 8

/** The CSS class with an agent's colour, the same everywhere on the page. */
export function useAgentClass(name: string | null): string {
  const index = useContext(Agents).indexOf(name ?? '')
  return index === -1 ? 'agent-none' : `agent-${index % COLOURS}`
}

/** Shows an agent's name in its colour. */
export const AgentName = ({ name }: { name: string }) => (
  <span className={`agent-name ${useAgentClass(name)}`}>{name}</span>
)

/** An agent's entry in the metadata. */
export const findAgent = (metadata: AgencyMetadata, name: string | undefined) =>
  metadata.nodes.find((node): node is AgentNode => node.type === 'agent' && node.id === name)?.data
