import { type FormEvent, useState } from 'react'
import { Notice } from '../chat/notice.tsx'
import { Dialog } from '../controls.tsx'
import type { Failure } from '../run/failure.ts'

/** Asks for the token that the server wants. */
export function TokenDialog({ refused, onToken }: { refused: boolean; onToken: (token: string) => void }) {
  const [token, setToken] = useState('')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (token.trim() === '') return
    onToken(token.trim())
    setToken('')
  }
  return (
    <Dialog title="This server wants a token">
      <form className="token-form" onSubmit={submit}>
        <p>It is the value of APP_TOKEN where the server runs. It is kept in this tab only.</p>
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
            The server did not accept the token. Give it again.
          </p>
        )}
        <button type="submit" className="send" disabled={token.trim() === ''}>
          Go on
        </button>
      </form>
    </Dialog>
  )
}

/** The server could not be asked what it serves. */
export const Unreachable = ({ failure, onRetry }: { failure: Failure; onRetry: () => void }) => (
  <main className="unreachable">
    <Notice sentence={failure.sentence} wayOut={failure.wayOut}>
      <button type="button" className="text-button framed" onClick={onRetry}>
        Try again
      </button>
    </Notice>
  </main>
)
