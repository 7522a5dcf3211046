/** Stored runs for the command palette; loaded with it. */
import type { Client } from 'agency-swarm-js/client'
import { formatWhen } from '../figures.ts'
import type { Page } from '../shell/commands.ts'
import type { Command } from '../shell/palette.tsx'
import { titleOf } from './run-list.tsx'

/** Stored runs of each agency in the list. */
const RUNS_EACH = 10

/** The newest stored runs of all agencies. Agencies whose runs cannot be read have none. */
export async function findRuns(client: Client, { agencies, onRun }: Page): Promise<Command[]> {
  const pages = await Promise.allSettled(
    [...agencies.keys()].map((name) => client.agency(name).runs.list({ limit: RUNS_EACH }).page()),
  )
  return pages
    .flatMap((page) => (page.status === 'fulfilled' ? page.value.data : []))
    .sort((a, b) => b.created_at.localeCompare(a.created_at))
    .map(
      (run): Command => ({
        id: `run-${run.run_id}`,
        group: 'Stored runs',
        title: titleOf(run),
        note: `${run.agency}, ${run.status.replace('_', ' ')}, ${formatWhen(Date.parse(run.created_at))} · ${run.run_id}`,
        icon: 'search',
        run: () => onRun(run),
      }),
    )
}
