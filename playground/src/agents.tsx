import type { AgencyMetadata, AgentNode } from 'agency-swarm-js/client'
import { createContext, type ReactNode, useContext } from 'react'

const Agents = createContext<readonly string[]>([])

/** The agents of the open agency, for their colours. */
export const AgentsProvider = ({ names, children }: { names: readonly string[]; children: ReactNode }) => (
  <Agents value={names}>{children}</Agents>
)

const COLOURS = 8

/** The class that gives an agent its colour: the same everywhere on the page. */
export function useAgentClass(name: string | null): string {
  const index = useContext(Agents).indexOf(name ?? '')
  return index === -1 ? 'agent-none' : `agent-${index % COLOURS}`
}

/** An agent's name in its colour. */
export const AgentName = ({ name }: { name: string }) => (
  <span className={`agent-name ${useAgentClass(name)}`}>{name}</span>
)

/** What the metadata says of an agent. */
export const findAgent = (metadata: AgencyMetadata, name: string | undefined) =>
  metadata.nodes.find((node): node is AgentNode => node.type === 'agent' && node.id === name)?.data
