/** The chat on the AI SDK: `useChat` keeps the messages, and sends the answer to an approval by itself. */
import { useChat } from '@ai-sdk/react'
import { DefaultChatTransport, isToolUIPart, lastAssistantMessageIsCompleteWithApprovalResponses } from 'ai'
import { Ask, Panel, Question } from './parts.tsx'

export function AiSdkChat() {
  const { messages, sendMessage, addToolApprovalResponse, status } = useChat({
    transport: new DefaultChatTransport({ api: '/shop/chat' }),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  })
  return (
    <Panel title="AI SDK">
      <ol aria-live="polite">
        {messages.map(({ id, role, parts }) => (
          <li key={id}>
            <b>{role}</b>{' '}
            {parts.map((part, index) => {
              if (part.type === 'text') return <span key={index}>{part.text}</span>
              if (!isToolUIPart(part) || part.state !== 'approval-requested') return null
              const { approval, input } = part
              return (
                <Question
                  key={index}
                  call={`May I refund ${JSON.stringify(input)}?`}
                  onDecide={(approved) => void addToolApprovalResponse({ id: approval.id, approved })}
                />
              )
            })}
          </li>
        ))}
      </ol>
      <Ask busy={status === 'submitted' || status === 'streaming'} onAsk={(text) => void sendMessage({ text })} />
    </Panel>
  )
}
