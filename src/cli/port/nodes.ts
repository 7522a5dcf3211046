/** Reads of Python syntax trees. */
import type { Call, ClassDef, Expression, FunctionDef, Statement } from './python.ts'

/** A node, and every node inside it. */
export function* walk(value: unknown): Generator<Statement | Expression> {
  if (Array.isArray(value)) for (const item of value) yield* walk(item)
  else if (typeof value === 'object' && value !== null) {
    if ('type' in value) yield value as Statement | Expression
    for (const [key, item] of Object.entries(value)) if (key !== 'span') yield* walk(item)
  }
}

export const isExpression = (value: unknown): value is Expression =>
  typeof value === 'object' && value !== null && 'type' in value

export const isFunction = (statement: Statement): statement is FunctionDef =>
  statement.type === 'FunctionDef' || statement.type === 'AsyncFunctionDef'

/** The text of a string constant. */
export const textOf = (node: Expression | null | undefined): string | undefined =>
  node?.type === 'Constant' && typeof node.value === 'string' ? node.value : undefined

/** The value of a keyword argument. */
export const keyword = (call: Call, name: string): Expression | undefined =>
  call.keywords.find(({ arg }) => arg === name)?.value

/** `a.b.c` as text; undefined for anything but names and attributes. */
export function dotted(node: Expression): string | undefined {
  if (node.type === 'Name') return node.id
  if (node.type !== 'Attribute') return undefined
  const owner = dotted(node.value)
  return owner === undefined ? undefined : `${owner}.${node.attr}`
}

/** The docstring of a function or class, without its indentation. */
export function docstring({ body }: FunctionDef | ClassDef): string | undefined {
  const [first] = body
  const text = first?.type === 'Expr' ? textOf(first.value) : undefined
  return text === undefined ? undefined : dedent(text)
}

/** Removes the indentation that all lines share, and blank lines at both ends. */
export function dedent(text: string): string {
  const [first = '', ...rest] = text.split('\n')
  const margin = Math.min(
    ...rest.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length),
  )
  return [
    first.trim() === '' ? '' : first,
    ...rest.map((line) =>
      line.slice(margin === Infinity ? 0 : Math.min(margin, line.length - line.trimStart().length)),
    ),
  ]
    .join('\n')
    .trim()
}
