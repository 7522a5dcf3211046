import { createClient, type Ticket } from 'agency-swarm-js/client'
import { AgentTree, Composer, Thread, useAgency, useThread } from 'agency-swarm-js/react'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'

/** The back end of this page knows the visitor; the token of the agencies never leaves it. */
const fetchTicket = async (): Promise<Ticket> => (await fetch('/ticket', { method: 'POST' })).json()
const client = createClient({ baseUrl: '', ticket: fetchTicket })

function Chat({ threadId }: { threadId: string }) {
  const { agency } = useAgency(client, 'shop')
  const thread = useThread(agency, threadId)
  return (
    <main>
      <h1>Ask the Clerk</h1>
      <Thread thread={thread} />
      <Composer thread={thread} />
      <h2>What the agents did</h2>
      <AgentTree tree={thread.run?.tree ?? []} />
    </main>
  )
}

fetchTicket().then(({ thread_id = '' }) =>
  createRoot(document.getElementById('root') as HTMLElement).render(
    <StrictMode>
      <Chat threadId={thread_id} />
    </StrictMode>,
  ),
)
