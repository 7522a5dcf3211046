/** What both chats look like. */
import type { FormEvent, ReactNode } from 'react'

export function Panel({ title, color, children }: { title: string; color?: string; children: ReactNode }) {
  return (
    <section aria-label={title} style={{ background: color }}>
      <h2>{title}</h2>
      {children}
    </section>
  )
}

export function Ask({ busy, onAsk }: { busy: boolean; onAsk(text: string): void }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = event.currentTarget
    onAsk(String(new FormData(form).get('message')))
    form.reset()
  }
  return (
    <form onSubmit={submit}>
      <input name="message" aria-label="Message" required autoComplete="off" />
      <button type="submit" disabled={busy}>
        Send
      </button>
    </form>
  )
}

/** A call that waits for the person in front of the page. */
export function Question({ call, onDecide }: { call: string; onDecide(approved: boolean): void }) {
  return (
    <fieldset aria-label="Approval">
      {call}{' '}
      <button type="button" onClick={() => onDecide(true)}>
        Approve
      </button>{' '}
      <button type="button" onClick={() => onDecide(false)}>
        Reject
      </button>
    </fieldset>
  )
}
