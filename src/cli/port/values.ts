/** Translates Python expressions: literals, names, environment variables, and calls that make parts of an agency. */
import { dedent, dotted, textOf } from './nodes.ts'
import { lastName } from './project.ts'
import type { Call, Expression } from './python.ts'
import type { Scope } from './scope.ts'
import { escapeTemplate, quote, toCamel, writeList, writeObject } from './text.ts'

/** Writes a call of something that the packages `agency_swarm` and `agents` provide; undefined when it has no counterpart. */
export type CallWriter = (call: Call, scope: Scope) => string | undefined
export type CallWriters = { [name: string]: CallWriter }

export interface Values {
  /** The TypeScript of an expression; undefined when it cannot be carried over. */
  write(node: Expression, scope: Scope): string | undefined
  /** A list, in which what cannot be carried over becomes a comment and an entry of the to-do list. */
  writeEach(node: Expression, scope: Scope, write?: (item: Expression) => string | undefined): string | undefined
}

/** @param calls writers of calls, by the last name of what is called */
export function createValues(calls: CallWriters): Values {
  const write = (node: Expression, scope: Scope): string | undefined => {
    switch (node.type) {
      case 'Constant':
        return writeConstant(node.value)
      case 'List':
      case 'Tuple':
      case 'Set':
        return all(
          node.elts.map((item) => write(item, scope)),
          writeList,
        )
      case 'Dict':
        return writeDict(node, (value) => write(value, scope))
      case 'JoinedStr':
        return all(
          node.values.map((part) => writePart(part, scope)),
          (parts) => `\`${parts.join('')}\``,
        )
      case 'Name':
        if (scope.locals.has(node.id)) return scope.locals.get(node.id)
        return writeName(node, scope)
      case 'Attribute':
        return writeName(node, scope) ?? writeMember(node, scope)
      case 'BinOp': {
        const operator = { Add: '+', Sub: '-', Mult: '*' }[node.op.type]
        if (operator === undefined) return undefined
        return all([write(node.left, scope), write(node.right, scope)], (sides) =>
          sides.some((side) => side.startsWith('['))
            ? `[${sides.map((side) => `...${side}`).join(', ')}]`
            : sides.join(` ${operator} `),
        )
      }
      case 'BoolOp':
        return all(
          node.values.map((value) => write(value, scope)),
          (values) => values.join(node.op.type === 'And' ? ' && ' : ' || '),
        )
      case 'UnaryOp': {
        const operator = { USub: '-', Not: '!' }[node.op.type]
        return operator === undefined
          ? undefined
          : all([write(node.operand, scope)], ([value]) => `${operator}${value}`)
      }
      case 'Subscript': {
        const name = dotted(node.value) === 'os.environ' ? textOf(node.slice) : undefined
        return name === undefined ? undefined : readVariable(name)
      }
      case 'Call':
        return writeCall(node, scope)
      default:
        return undefined
    }
  }

  function writePart(part: Expression, scope: Scope): string | undefined {
    const text = textOf(part)
    if (text !== undefined) return escapeTemplate(text)
    if (part.type !== 'FormattedValue' || part.format_spec !== null || part.conversion !== -1) return undefined
    const value = write(part.value, scope)
    return value === undefined ? undefined : `\${${value}}`
  }

  /** A member of an enum or class: its value. */
  function writeMember({ value, attr }: Expression & { type: 'Attribute' }, scope: Scope): string | undefined {
    const owner = scope.find(value)
    if (owner?.kind !== 'defined' || owner.statement.type !== 'ClassDef') return undefined
    for (const statement of owner.statement.body) {
      const target = statement.type === 'Assign' ? statement.targets[0] : undefined
      if (statement.type === 'Assign' && target?.type === 'Name' && target.id === attr)
        return textOf(statement.value) === undefined ? undefined : write(statement.value, scope)
    }
    return undefined
  }

  function writeCall(call: Call, scope: Scope): string | undefined {
    const name = dotted(call.func)
    if (
      name === 'os.getenv' ||
      name === 'os.environ.get' ||
      (name === 'getenv' && scope.find(call.func) !== undefined)
    ) {
      const [variable, fallback] = call.args
      const key = textOf(variable)
      if (key === undefined) return undefined
      return fallback === undefined
        ? `process.env.${key}`
        : all([write(fallback, scope)], ([text]) => `(process.env.${key} ?? ${text})`)
    }
    const text = writeText(call)
    if (text !== undefined) return text
    const meaning = scope.find(call.func)
    if (meaning?.kind === 'external') return own(calls, lastName(meaning))?.(call, scope)
    if (meaning?.kind !== 'defined') return undefined
    return own(calls, '')?.(call, scope)
  }

  return {
    write,
    writeEach(node, scope, writeItem = (item) => write(item, scope)) {
      if (node.type !== 'List' && node.type !== 'Tuple') return write(node, scope)
      const parts = node.elts.map((item) => {
        const text = writeItem(item)
        if (text !== undefined) return text
        scope.todo('value', item, `the entry \`${oneLine(scope.textOf(item))}\` of a list`)
        return `// TODO: ${oneLine(scope.textOf(item))}`
      })
      return writeList(parts)
    },
  }
}

const own = <T>(table: { [name: string]: T }, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

const readVariable = (name: string) => `(process.env.${name} ?? '')`

function writeName(node: Expression, scope: Scope): string | undefined {
  const meaning = scope.find(node)
  return meaning?.kind === 'defined' ? scope.use(meaning) : undefined
}

const writeConstant = (value: string | number | boolean | null): string =>
  typeof value === 'string' ? quote(value) : value === null ? 'undefined' : String(value)

/** An object with the keys as they are, or in camelCase. */
export function writeDict(
  node: Expression & { type: 'Dict' },
  write: (value: Expression) => string | undefined,
  rename: (key: string) => string = (key) => key,
): string | undefined {
  const entries: [string, string][] = []
  for (const [index, key] of node.keys.entries()) {
    const [name, text] = [textOf(key), write(node.values[index] as Expression)]
    if (name === undefined || text === undefined) return undefined
    entries.push([rename(name), text === 'undefined' ? 'null' : text])
  }
  return writeObject(entries)
}

/** Keyword arguments, or one dictionary, as an object with camelCase names, at every depth. */
export function writeOptions(node: Expression, scope: Scope, write: Values['write']): string | undefined {
  if (node.type === 'Dict') return writeDict(node, (value) => writeOptions(value, scope, write), toCamel)
  if (node.type !== 'Call') return write(node, scope)
  if (node.args.length > 0 || node.keywords.some(({ arg }) => arg === null)) return undefined
  return all(
    node.keywords.map(({ value }) => writeOptions(value, scope, write)),
    (texts) => writeObject(node.keywords.map(({ arg }, index) => [toCamel(arg as string), texts[index]])),
  )
}

/** `dedent("...")`, `"...".strip()`: texts that are known without running the code. */
function writeText({ func, args }: Call): string | undefined {
  const name = dotted(func)
  const text = textOf(args[0])
  if (
    text !== undefined &&
    (name === 'dedent' || name === 'textwrap.dedent' || name === 'cleandoc' || name === 'inspect.cleandoc')
  )
    return quote(dedent(text))
  if (func.type === 'Attribute' && func.attr === 'strip' && args.length === 0) {
    const inner = textOf(func.value)
    if (inner !== undefined) return quote(inner.trim())
    if (func.value.type === 'Call') return writeText(func.value)
  }
  return undefined
}

function all<T>(texts: readonly (string | undefined)[], join: (texts: string[]) => T): T | undefined {
  return texts.every((text) => text !== undefined) ? join(texts as string[]) : undefined
}

/** Code on one line, shortened. */
export const oneLine = (code: string): string => {
  const line = code.replace(/\s+/g, ' ')
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}
