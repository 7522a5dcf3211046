/** The chat on AG-UI: a tool of the page, and interrupts that the next run answers. */
import { HttpAgent, type Interrupt, type Message } from '@ag-ui/client'
import { useMemo, useState } from 'react'
import { Ask, Panel, Question } from './parts.tsx'

type ResumeEntry = NonNullable<NonNullable<Parameters<HttpAgent['runAgent']>[0]>['resume']>[number]

/** The agent may call it; this page runs it. */
const PAINT = {
  name: 'paint_panel',
  description: 'Paint the panel in a color.',
  parameters: {
    type: 'object',
    properties: { color: { type: 'string', enum: ['lightgreen', 'lightblue', 'lightyellow'] } },
    required: ['color'],
  },
}

export function AgUiChat() {
  const agent = useMemo(() => new HttpAgent({ url: '/shop/agui' }), [])
  const [messages, setMessages] = useState<readonly Message[]>([])
  const [interrupts, setInterrupts] = useState<readonly Interrupt[]>([])
  const [color, setColor] = useState<string>()
  const [busy, setBusy] = useState(false)

  async function run(resume?: ResumeEntry[]) {
    setBusy(true)
    setInterrupts([])
    let pending: readonly string[] = []
    await agent.runAgent(
      { tools: [PAINT], ...(resume === undefined ? {} : { resume }) },
      {
        onMessagesChanged: (change) => setMessages([...change.messages]),
        onRunFinishedEvent({ event: { outcome } }) {
          if (outcome?.type === 'interrupt') setInterrupts(outcome.interrupts)
          if (outcome?.type === 'success') pending = outcome.pendingToolCallIds ?? []
        },
      },
    )
    for (const id of pending) paint(id)
    if (pending.length > 0) await run()
    setBusy(false)
  }

  /** Runs the call of this page's tool, and adds its result. */
  function paint(toolCallId: string) {
    const calls = agent.messages.flatMap((message) => (message.role === 'assistant' ? (message.toolCalls ?? []) : []))
    const call = calls.find(({ id }) => id === toolCallId)
    setColor(JSON.parse(call?.function.arguments ?? '{}').color)
    agent.addMessage({ id: crypto.randomUUID(), role: 'tool', toolCallId, content: 'The panel is painted' })
  }

  function ask(text: string) {
    agent.addMessage({ id: crypto.randomUUID(), role: 'user', content: text })
    void run()
  }

  const decide = (approved: boolean) =>
    void run(interrupts.map(({ id }) => ({ interruptId: id, status: 'resolved', payload: { approved } })))

  return (
    <Panel title="AG-UI" {...(color === undefined ? {} : { color })}>
      <ol aria-live="polite">
        {messages.map(({ id, role, content }) =>
          typeof content === 'string' && role !== 'tool' ? (
            <li key={id}>
              <b>{role}</b> {content}
            </li>
          ) : null,
        )}
      </ol>
      {interrupts.map(({ id, message, metadata }) => (
        <Question key={id} call={`${message} ${JSON.stringify(metadata?.arguments)}`} onDecide={decide} />
      ))}
      <Ask busy={busy} onAsk={ask} />
    </Panel>
  )
}
