/** Screens before the page: token form and loading errors. */
import { type FormEvent, useState } from 'react'
import { Notice } from '../chat/notice.tsx'
import { Dialog, Skeleton } from '../controls.tsx'
import type { Failure } from '../run/failure.ts'

/** Asks for the server's token. */
export function TokenDialog({ refused, onToken }: { refused: boolean; onToken: (token: string) => void }) {
  const [token, setToken] = useState('')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (token.trim() === '') return
    onToken(token.trim())
    setToken('')
  }
  return (
    <Dialog title="Token required">
      <form className="token-form" onSubmit={submit}>
        <p>The token is the value of APP_TOKEN on the server. This tab keeps it until it is closed.</p>
        <label>
          <span>Token</span>
          <input
            type="password"
            autoComplete="off"
            value={token}
            aria-invalid={refused}
            onChange={(event) => setToken(event.target.value)}
          />
        </label>
        {refused && token === '' && (
          <p className="problem" role="alert">
            Invalid token, try again.
          </p>
        )}
        <button type="submit" className="send" disabled={token.trim() === ''}>
          Continue
        </button>
      </form>
    </Dialog>
  )
}

/** The frame of the page while the agencies are loaded. */
export const PageSkeleton = () => (
  <div className="page" data-view="chat">
    <header className="top-bar">
      <span className="brand">Playground</span>
    </header>
    <nav className="chats" aria-label="Conversations" />
    <main className="main">
      <Skeleton label="Loading the agencies" />
    </main>
    <aside className="side" aria-label="Details of the run" />
  </div>
)

/** Shown when the list of agencies cannot be loaded. */
export const Unreachable = ({ failure, onRetry }: { failure: Failure; onRetry: () => void }) => (
  <main className="unreachable">
    <Notice sentence={failure.sentence} wayOut={failure.wayOut}>
      <button type="button" className="text-button framed" onClick={onRetry}>
        Try again
      </button>
    </Notice>
  </main>
)
