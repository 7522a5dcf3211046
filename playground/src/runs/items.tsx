/** Items of a model's input or output, readable. */
import { Code, Fold } from '../controls.tsx'
import { prettyJson } from '../figures.ts'

type Json = { readonly [key: string]: unknown }
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Longer texts are cut; the raw JSON has all of it. */
const MAX_CHARS = 20_000
const cut = (text: string) =>
  text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}… (${text.length} characters)` : text

export const toJson = (value: unknown) => JSON.stringify(value, null, 2) ?? 'left out'

export const Items = ({ items, label }: { items: readonly unknown[]; label: string }) => (
  <ol className="trace-items" aria-label={label}>
    {items.map((item, index) => (
      <li key={index}>
        <Item item={item} />
      </li>
    ))}
  </ol>
)

function Item({ item }: { item: unknown }) {
  if (!isObject(item))
    return <p className="muted">{item === undefined ? 'Left out: the trace was full.' : String(item)}</p>
  const { title, text } = describe(item)
  return (
    <>
      <h4>{title}</h4>
      <Text text={text} />
    </>
  )
}

/** A text as it is written, JSON indented. */
export const Text = ({ text }: { text: string }) => <pre className="trace-text">{cut(prettyJson(text))}</pre>

function describe(item: Json): { title: string; text: string } {
  switch (item.type ?? 'message') {
    case 'message':
      return { title: String(item.role ?? 'message'), text: textOf(item.content) }
    case 'function_call':
      return { title: `calls ${item.name}`, text: String(item.arguments ?? '') }
    case 'function_call_output':
      return { title: `output of ${item.call_id}`, text: textOf(item.output) }
    case 'reasoning':
      return { title: 'reasoning', text: textOf(item.summary) || 'The provider shows no summary.' }
    default:
      return { title: String(item.type), text: toJson(item) }
  }
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return toJson(content)
  return content.map((part) => (isObject(part) && typeof part.text === 'string' ? part.text : toJson(part))).join('\n')
}

/** Tools by name, each with its schema. */
export const Tools = ({ tools }: { tools: readonly unknown[] }) => (
  <ul className="trace-tools">
    {tools.map((tool, index) => {
      const name = isObject(tool) ? String(tool.name ?? tool.type) : 'left out'
      return (
        <li key={index}>
          <Fold summary={name} open={false}>
            <Code text={toJson(tool)} label={`Schema of ${name}`} />
          </Fold>
        </li>
      )
    })}
  </ul>
)
