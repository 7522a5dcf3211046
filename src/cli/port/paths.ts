/** Paths in Python source: texts, `os.path.join(...)` and `Path(...) / "..."`, relative to the file that says them. */
import { dirname, join, resolve } from 'node:path'
import type { Module } from './module.ts'
import { dotted, textOf } from './nodes.ts'
import type { Expression } from './python.ts'

/** How many names are followed to the values that they were assigned. */
const MAX_NAMES = 20

/** The absolute path that an expression gives; undefined for one that is not a path, or that depends on more than the file's place. */
export function readPath(module: Module, node: Expression, left = MAX_NAMES): string | undefined {
  const parts = readParts(module, node, left)
  return parts === undefined ? undefined : resolve(dirname(module.path), parts)
}

function readParts(module: Module, node: Expression, left: number): string | undefined {
  const read = (part: Expression) => readParts(module, part, left - 1)
  if (left === 0) return undefined
  switch (node.type) {
    case 'Constant':
      return textOf(node)
    case 'Name': {
      if (node.id === '__file__') return module.path
      const binding = module.bindings.get(node.id)
      const statement = binding?.kind === 'defined' ? binding.statement : undefined
      return statement?.type === 'Assign' ? read(statement.value) : undefined
    }
    case 'Attribute': {
      const owner = node.attr === 'parent' ? read(node.value) : undefined
      return owner === undefined ? undefined : dirname(owner)
    }
    case 'BinOp': {
      const [first, second] = [read(node.left), read(node.right)]
      if (first === undefined || second === undefined) return undefined
      return node.op.type === 'Div' ? join(first, second) : undefined
    }
    case 'Call':
      return readCall(node, read)
    default:
      return undefined
  }
}

function readCall({ func, args }: Expression & { type: 'Call' }, read: (node: Expression) => string | undefined) {
  const name = dotted(func) ?? (func.type === 'Attribute' ? func.attr : '')
  const last = name.slice(name.lastIndexOf('.') + 1)
  const parts = args.map(read)
  if (last === 'join' || last === 'Path' || last === 'joinpath') {
    const owner = last === 'joinpath' && func.type === 'Attribute' ? [read(func.value)] : []
    const all = [...owner, ...parts]
    return all.length > 0 && all.every((part) => part !== undefined) ? join(...all) : undefined
  }
  if (last === 'dirname') return parts[0] === undefined ? undefined : dirname(parts[0])
  if (['abspath', 'realpath', 'normpath', 'str'].includes(last)) return parts[0]
  if (['resolve', 'absolute', 'as_posix'].includes(last) && func.type === 'Attribute') return read(func.value)
  return undefined
}
