/** The commands of the palette. */
import type { AgencyMetadata, Run } from 'agency-swarm-js/client'
import { plural } from '../figures.ts'
import type { Command } from './palette.tsx'

/** What the commands can do with the page. */
export interface Page {
  agencies: ReadonlyMap<string, AgencyMetadata>
  agency: string
  /** The kept conversations of the open agency. */
  conversations: readonly { id: string; title: string; note: string }[]
  /** Actions and views, in the order of the list. */
  actions: readonly Omit<Command, 'id' | 'group'>[]
  onAgency: (name: string) => void
  onConversation: (id: string) => void
  /** Addresses the next message to an agent. */
  onAgent: (name: string) => void
  onRun: (run: Pick<Run, 'agency' | 'run_id'>) => void
}

/** The commands that are known at once. */
export function listCommands({ agencies, agency, conversations, actions, ...on }: Page): Command[] {
  const agents = agencies.get(agency)?.metadata.agents ?? []
  return [
    ...actions.map((action) => ({ ...action, id: `action-${action.title}`, group: 'Actions' })),
    ...agents.map(
      (name): Command => ({
        id: `agent-${name}`,
        group: 'Agents',
        title: `Talk to ${name}`,
        icon: 'people',
        run: () => on.onAgent(name),
      }),
    ),
    ...[...agencies].flatMap(([name, { metadata }]): Command[] =>
      name === agency
        ? []
        : [
            {
              id: `agency-${name}`,
              group: 'Agencies',
              title: name,
              note: plural(metadata.totalAgents, 'agent'),
              icon: 'arrow',
              run: () => on.onAgency(name),
            },
          ],
    ),
    ...conversations.map(
      ({ id, title, note }): Command => ({
        id: `conversation-${id}`,
        group: 'Conversations',
        title: title || 'New conversation',
        note,
        icon: 'edit',
        run: () => on.onConversation(id),
      }),
    ),
  ]
}
