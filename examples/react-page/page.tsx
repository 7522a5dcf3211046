import { createClient, type RunStream } from 'agency-swarm-js/client'
import { type FormEvent, useRef, useState } from 'react'
import { createRoot } from 'react-dom/client'

interface Line {
  who: string
  text: string
}

const conversation = createClient({ baseUrl: '' }).agency('guide').conversation()

/** A chat that streams, shows who speaks, and can be stopped. The client keeps the history. */
function Chat() {
  const [lines, setLines] = useState<readonly Line[]>([])
  const [running, setRunning] = useState(false)
  const stream = useRef<RunStream>(undefined)

  const add = (who: string, text: string) => setLines((before) => [...before, { who, text }])
  const append = (who: string, text: string) =>
    setLines((before) => {
      const last = before.at(-1)
      return last?.who === who ? [...before.slice(0, -1), { who, text: last.text + text }] : [...before, { who, text }]
    })

  async function ask(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = event.currentTarget
    const message = String(new FormData(form).get('message'))
    form.reset()
    add('You', message)
    setRunning(true)
    stream.current = conversation.stream(message)
    try {
      for await (const said of stream.current) if (said.kind === 'text') append(said.agent ?? 'Agent', said.text)
      await stream.current.result
    } catch (error) {
      add('Error', (error as Error).message)
    }
    setRunning(false)
  }

  return (
    <main>
      <h1>Ask the Guide</h1>
      <ol aria-live="polite">
        {lines.map(({ who, text }, index) => (
          <li key={index}>
            <b>{who}</b> {text}
          </li>
        ))}
      </ol>
      <form onSubmit={ask}>
        <input name="message" aria-label="Message" required autoComplete="off" />
        <button type="submit" disabled={running}>
          Send
        </button>
        <button type="button" disabled={!running} onClick={() => void stream.current?.cancel()}>
          Stop
        </button>
      </form>
    </main>
  )
}

createRoot(document.getElementById('root') as HTMLElement).render(<Chat />)
