/** One tool as a form, and what it answered. */
import { type Client, ClientError } from 'agency-swarm-js/client'
import { type FormEvent, type ReactNode, useMemo, useRef, useState } from 'react'
import { Code, CopyButton } from '../controls.tsx'
import { formatMs } from '../figures.ts'
import { askPage } from '../server.ts'
import { type Field, fieldsOf, initialValues, readForm, type Values } from './form.ts'

/** A tool that can be run: one of an agent, or a standalone one. */
export interface RunnableTool {
  name: string
  description: string
  parameters: { [name: string]: unknown }
  needsApproval: boolean
  owner: { agency: string; agent: string } | undefined
}

interface Answer {
  output: unknown
  failed: boolean
  ms: number
}

interface ToolFormProps {
  client: Client
  tool: RunnableTool
  onLocked: () => void
}

export function ToolForm({ client, tool, onLocked }: ToolFormProps) {
  const fields = useMemo(() => fieldsOf(tool.parameters), [tool])
  const [values, setValues] = useState<Values>(() => initialValues(fields))
  const [problems, setProblems] = useState<{ [name: string]: string }>({})
  const [answer, setAnswer] = useState<Answer>()
  const running = useRef<AbortController>(undefined)
  const [isRunning, setRunning] = useState(false)

  const run = async (event: FormEvent) => {
    event.preventDefault()
    const read = readForm(fields, values)
    setProblems(read.problems)
    const [wrong] = Object.keys(read.problems)
    if (wrong !== undefined) return document.getElementById(fieldId(wrong))?.focus()
    const leaving = new AbortController()
    running.current = leaving
    setRunning(true)
    setAnswer(undefined)
    const began = performance.now()
    try {
      setAnswer(await call(client, tool, read.args, leaving.signal))
    } catch (error) {
      if (error instanceof ClientError && error.kind === 'unauthorized') onLocked()
      setAnswer({ output: describe(error, leaving.signal), failed: true, ms: performance.now() - began })
    }
    setRunning(false)
  }
  return (
    <form className="tool-form" onSubmit={run} noValidate>
      <h2>{tool.name}</h2>
      {tool.description !== '' && <p className="muted">{tool.description}</p>}
      {tool.needsApproval && (
        <p className="muted">In a run, a call of this tool waits for an approval. Here it runs at once.</p>
      )}
      {fields.length === 0 && <p className="muted">It takes no arguments.</p>}
      {fields.map((field) => (
        <FieldRow
          key={field.name}
          field={field}
          value={values[field.name] ?? ''}
          problem={problems[field.name]}
          onChange={(text) => setValues({ ...values, [field.name]: text })}
        />
      ))}
      <p className="tool-actions">
        <button type="submit" className="send" disabled={isRunning}>
          {isRunning ? 'Running…' : 'Run'}
        </button>
        {isRunning && (
          <button type="button" className="text-button framed" onClick={() => running.current?.abort()}>
            Stop
          </button>
        )}
      </p>
      <div role="status">{answer !== undefined && <Result answer={answer} />}</div>
    </form>
  )
}

const fieldId = (name: string) => `argument-${name}`

function FieldRow({
  field,
  value,
  problem,
  onChange,
}: {
  field: Field
  value: string
  problem: string | undefined
  onChange: (text: string) => void
}) {
  const { name, hint, description, isRequired } = field
  const id = fieldId(name)
  return (
    <div className="tool-field">
      <label htmlFor={id}>
        <span className="card-name">{name}</span> <small>{isRequired ? hint : `${hint}, optional`}</small>
      </label>
      {description !== '' && <p id={`${id}-about`}>{description}</p>}
      <Input {...{ field, value, onChange }} about={`${id}-about ${id}-problem`} isWrong={problem !== undefined} />
      <p id={`${id}-problem`} className="problem" aria-live="polite">
        {problem}
      </p>
    </div>
  )
}

function Input({
  field,
  value,
  onChange,
  about,
  isWrong,
}: {
  field: Field
  value: string
  onChange: (text: string) => void
  about: string
  isWrong: boolean
}): ReactNode {
  const { name, kind, options, isRequired } = field
  const common = {
    id: fieldId(name),
    'aria-describedby': about,
    'aria-invalid': isWrong,
    'aria-required': isRequired,
    value,
  }
  switch (kind) {
    case 'boolean':
    case 'choice':
      return (
        <select {...common} onChange={(event) => onChange(event.target.value)}>
          <option value="">{isRequired ? 'Choose' : 'not set'}</option>
          {(kind === 'boolean' ? ['true', 'false'] : options).map((option) => (
            <option key={option} value={option}>
              {option.replace(/^"(.*)"$/, '$1')}
            </option>
          ))}
        </select>
      )
    case 'number':
      return <input {...common} inputMode="decimal" onChange={(event) => onChange(event.target.value)} />
    case 'text':
      return <textarea {...common} rows={1} onChange={(event) => onChange(event.target.value)} />
    case 'lines':
    case 'json':
      return <textarea {...common} className="code-text" rows={3} onChange={(event) => onChange(event.target.value)} />
    default:
      return kind satisfies never
  }
}

function Result({ answer: { output, failed, ms } }: { answer: Answer }) {
  const text = typeof output === 'string' ? pretty(output) : JSON.stringify(output, null, 2)
  return (
    <section className="tool-result" data-failed={failed} aria-label="Result">
      <h3>
        {failed ? 'Failed' : 'Result'} <small>after {formatMs(ms)}</small>
        <CopyButton label="Copy" text={() => text} />
      </h3>
      <Code text={text || 'nothing'} label={failed ? 'Error' : 'Result'} />
    </section>
  )
}

/** Indents objects and lists; other texts stay as they are. */
function pretty(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

async function call(
  client: Client,
  { name, owner }: RunnableTool,
  args: { [name: string]: unknown },
  signal: AbortSignal,
): Promise<Answer> {
  if (owner !== undefined) return askPage('tool', { ...owner, tool: name, arguments: args }, signal)
  const began = performance.now()
  const output = await client.tool(name).run(args, { signal })
  return { output, failed: false, ms: performance.now() - began }
}

function describe(error: unknown, { aborted }: AbortSignal): string {
  if (aborted) return 'Stopped.'
  const { message, details = [] } = error as ClientError
  return details.length > 0 ? details.map(({ loc, msg }) => `${loc.slice(1).join('.')}: ${msg}`).join('\n') : message
}
