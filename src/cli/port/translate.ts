/** Translates the modules of a Python agency: each becomes a TypeScript module with the definitions that are needed. */
import { statSync } from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import { createAgencies } from './agencies.ts'
import { createAgents } from './agents.ts'
import type { Definition, Module } from './module.ts'
import { dotted, isFunction, walk } from './nodes.ts'
import { findMeaning, flatten, lastName, type PythonProject } from './project.ts'
import type { Call, ClassDef, Expression, FunctionDef, Statement } from './python.ts'
import { createSchemas } from './schemas.ts'
import type { Scope, Todo } from './scope.ts'
import { finish, indent, quote, toName } from './text.ts'
import { createTools, writeBody } from './tools.ts'
import { type CallWriters, createValues, oneLine } from './values.ts'

/** What a definition is to an agency. */
export type Role =
  | 'agent'
  | 'agency'
  | 'agent-class'
  | 'tool-class'
  | 'function-tool'
  | 'input-guardrail'
  | 'output-guardrail'
  | 'model'
  | 'enum'
  | 'send-message'
  | 'handoff'
  | 'hooks'
  | 'builder'
  | 'function'
  | 'value'

export interface Translation {
  /** Path below the new project -> text of what has been translated so far. */
  readonly files: { [path: string]: string }
  /** Path below the new project -> the file or folder to copy there. */
  copies: { [path: string]: string }
  todos: Todo[]
  /** Definitions by what they are. */
  found: readonly { role: Role; definition: Definition }[]
  /** Translates definitions, and an expression of a module for a file at the top of the new project. */
  writeAtTop(module: Module, write: (scope: Scope) => string | undefined): { text: string | undefined; imports: string }
  roleOf(definition: Definition): Role | undefined
  /** True for a function that makes an agency; false for one that makes agents only. */
  makesAgency(definition: Definition): boolean
}

/** The folder of the translated modules. */
const SOURCES = 'src'
const CLASS_ROLES: { [base: string]: Role } = {
  BaseTool: 'tool-class',
  BaseModel: 'model',
  TypedDict: 'model',
  Enum: 'enum',
  StrEnum: 'enum',
  IntEnum: 'enum',
  SendMessage: 'send-message',
  Handoff: 'handoff',
  SendMessageHandoff: 'handoff',
  Agent: 'agent-class',
  AgentHooks: 'hooks',
  RunHooks: 'hooks',
}
const DECORATOR_ROLES: { [name: string]: Role } = {
  function_tool: 'function-tool',
  input_guardrail: 'input-guardrail',
  output_guardrail: 'output-guardrail',
}
/** What is carried over even when nothing uses it. */
const ALWAYS = new Set<Role>([
  'agent',
  'agency',
  'agent-class',
  'tool-class',
  'function-tool',
  'input-guardrail',
  'output-guardrail',
  'send-message',
  'handoff',
  'builder',
])

/** The module of the new project that a Python file becomes. */
const outputOf = (project: PythonProject, path: string) =>
  join(SOURCES, relative(project.root, path))
    .replaceAll(sep, '/')
    .replace(/__init__\.py$/, 'index.ts')
    .replace(/\.py$/, '.ts')

interface Draft {
  chunks: { line: number; text: string }[]
  /** Module -> names. */
  imports: Map<string, Set<string>>
}

export function translate(project: PythonProject): Translation {
  const drafts = new Map<string, Draft>()
  const copies: { [path: string]: string } = {}
  const todos: Todo[] = []
  const started = new Map<Statement, string | undefined>()

  const roles = new Map<Statement, Role | undefined>()
  function roleOf(definition: Definition): Role | undefined {
    const { statement } = definition
    if (roles.has(statement)) return roles.get(statement)
    roles.set(statement, undefined) // for definitions that lead back to themselves
    const role = readRole(definition)
    roles.set(statement, role)
    return role
  }
  const readRole = ({ module, statement }: Definition): Role | undefined => {
    if (statement.type === 'ClassDef') {
      const isData = statement.decorator_list.some((decorator) => /(^|\.)dataclass$/.test(nameOf(decorator)))
      return isData ? 'model' : firstRole(statement.bases, module, CLASS_ROLES)
    }
    if (isFunction(statement)) {
      const decorated = firstRole(statement.decorator_list, module, DECORATOR_ROLES)
      return decorated ?? (buildsAgents(statement.body, module) ? 'builder' : 'function')
    }
    if (statement.type !== 'Assign' && statement.type !== 'AnnAssign') return undefined
    const made = statement.value === null ? undefined : roleOfCall(statement.value, module)
    return made ?? 'value'
  }
  function firstRole(nodes: readonly Expression[], module: Module, table: { [name: string]: Role }): Role | undefined {
    for (const node of nodes) {
      const meaning = findMeaning(project, module, node.type === 'Call' ? node.func : node)
      if (meaning?.kind === 'defined') {
        const role = roleOf(meaning)
        if (role !== undefined && Object.values(table).includes(role)) return role
      } else if (meaning?.kind === 'external' && Object.hasOwn(table, lastName(meaning)))
        return table[lastName(meaning)]
    }
    return undefined
  }
  /** `agent` or `agency` for a call that makes one. */
  function roleOfCall(node: Expression, module: Module): 'agent' | 'agency' | undefined {
    if (node.type !== 'Call') return undefined
    const meaning = findMeaning(project, module, node.func)
    if (meaning?.kind === 'external') {
      const name = lastName(meaning)
      return name === 'Agency' ? 'agency' : name === 'Agent' ? 'agent' : undefined
    }
    if (meaning?.kind !== 'defined') return undefined
    const role = roleOf(meaning)
    if (role === 'agent-class') return 'agent'
    return role === 'builder' ? makes(meaning) : undefined
  }
  const buildsAgents = (body: readonly Statement[], module: Module): boolean =>
    [...walk(body)].some((node) => node.type === 'Call' && roleOfCall(node as Expression, module) !== undefined)
  const makes = ({ module, statement }: Definition): 'agent' | 'agency' =>
    [...walk(isFunction(statement) ? statement.body : [])].some(
      (node) => node.type === 'Call' && roleOfCall(node as Expression, module) === 'agency',
    )
      ? 'agency'
      : 'agent'

  const calls: CallWriters = {}
  const values = createValues(calls)
  const schemas = createSchemas(values)
  const tools = createTools(values, schemas)
  const agents = createAgents(values)
  const agencies = createAgencies(values, agents, schemas)
  Object.assign(calls, agents.calls, {
    Agency: agencies.writeAgency,
    '': (call: Call, scope: Scope) => {
      const meaning = scope.find(call.func)
      if (meaning?.kind !== 'defined') return undefined
      const role = roleOf(meaning)
      if (role !== 'builder' && role !== 'agent-class') return undefined
      const name = scope.use(meaning)
      if (call.args.length + call.keywords.length > 0)
        scope.todo('option', call, `the arguments of \`${oneLine(scope.textOf(call))}\``)
      return role === 'builder' ? `${name}()` : `new ${name}()`
    },
  } satisfies CallWriters)

  const draftOf = (path: string): Draft => {
    const draft = drafts.get(path) ?? { chunks: [], imports: new Map() }
    drafts.set(path, draft)
    return draft
  }

  /** A scope that writes into the module of the new project at this path. */
  function createScope(module: Module, output: string, draft: Draft, locals: Scope['locals'] = new Map()): Scope {
    const add = (from: string, name: string) => {
      draft.imports.set(from, (draft.imports.get(from) ?? new Set()).add(name))
      return name
    }
    const pathTo = (place: string) => {
      const path = relative(dirname(output), place).replaceAll(sep, '/')
      return path.startsWith('.') ? path : `./${path}`
    }
    const scope: Scope = {
      project,
      module,
      locals,
      find: (node) => (node.type === 'Name' && locals.has(node.id) ? undefined : findMeaning(project, module, node)),
      use(meaning) {
        const name = define(meaning)
        const from = outputOf(project, meaning.module.path)
        if (name === undefined || from === output) return name
        return add(pathTo(from), name)
      },
      library: (name) => add('agency-swarm-js', name),
      import: (name, from) => add(from.startsWith('/') ? pathTo(from.slice(1)) : from, name),
      copy(path) {
        const stat = statSync(path, { throwIfNoEntry: false })
        if (stat === undefined) return undefined
        const inside = relative(project.root, path)
        const place = inside.startsWith('..')
          ? join(dirname(outputOf(project, module.path)), basename(path))
          : join(SOURCES, inside)
        copies[place.replaceAll(sep, '/')] = path
        return pathTo(place)
      },
      pathTo: (path) => pathTo(join(SOURCES, relative(project.root, path))),
      todo: (kind, node, what) => void todos.push({ kind, path: module.path, line: node.span[0], what }),
      textOf: module.source.textOf,
    }
    return scope
  }

  /** Writes a definition into its module, once. @returns its name; undefined when it cannot be carried over */
  function define(definition: Definition): string | undefined {
    const { module, statement, name: python } = definition
    if (started.has(statement)) return started.get(statement)
    const role = roleOf(definition)
    if (role === undefined) {
      started.set(statement, undefined)
      return undefined
    }
    const name = toName(python)
    started.set(statement, name)
    const path = outputOf(project, module.path)
    const draft = draftOf(path)
    const text = writeDefinition(role, definition, name, createScope(module, path, draft))
    if (text === undefined) {
      started.set(statement, undefined)
      return undefined
    }
    draft.chunks.push({ line: statement.span[0], text: `export ${text}` })
    return name
  }

  function writeDefinition(role: Role, { statement }: Definition, name: string, scope: Scope): string | undefined {
    const asClass = statement as Statement & ClassDef
    const asFunction = statement as Statement & FunctionDef
    switch (role) {
      case 'agent-class':
        return agents.writeClass(asClass, name, scope)
      case 'tool-class':
        return tools.writeClass(asClass, name, scope)
      case 'model':
        return `const ${name} = ${schemas.writeModel(asClass, scope)}`
      case 'enum':
        return `const ${name} = ${schemas.writeEnum(asClass, scope)}`
      case 'send-message':
        return agencies.writeFlowClass(asClass, name, 'SendMessage', scope)
      case 'handoff':
        return agencies.writeFlowClass(asClass, name, 'Handoff', scope)
      case 'hooks':
        scope.todo('class', statement, `the hooks \`${asClass.name}\`: an object of functions, such as { onToolStart }`)
        return `const ${name}: ${scope.library('type RunHooks').replace('type ', '')} = {} // TODO: see PORTING.md`
      case 'function-tool':
        return `const ${name} = ${tools.writeFunction(asFunction, asFunction.decorator_list.find((node) => /function_tool$/.test(nameOf(node))) as Expression, scope)}`
      case 'input-guardrail':
      case 'output-guardrail': {
        const type = role === 'input-guardrail' ? 'InputGuardrail' : 'OutputGuardrail'
        scope.todo('guardrail', statement, `the guardrail \`${asFunction.name}\``)
        scope.library(`type ${type}`)
        return `const ${name}: ${type} = () => {\n${indent(writeBody(`the guardrail ${asFunction.name}`, asFunction, scope))}\n}`
      }
      case 'builder':
        return writeBuilder(asFunction, name, scope)
      case 'function':
        scope.todo('function', statement, `the function \`${asFunction.name}\``)
        return `const ${name} = (..._args: unknown[]): never => {\n${indent(writeBody(`the function ${asFunction.name}`, asFunction, scope))}\n}`
      case 'agent':
      case 'agency':
      case 'value': {
        const value = statement.type === 'Assign' || statement.type === 'AnnAssign' ? statement.value : null
        const text = value === null ? undefined : values.write(value, scope)
        return text === undefined ? undefined : `const ${name} = ${text}`
      }
      default:
        return role satisfies never
    }
  }

  /** A function that makes agents: its assignments and its result; other statements go to the list. */
  function writeBuilder(definition: FunctionDef, name: string, scope: Scope): string {
    const { args, posonlyargs, kwonlyargs, vararg, kwarg } = definition.args
    const locals = new Map<string, string | undefined>(
      [...posonlyargs, ...args, ...kwonlyargs, vararg, kwarg].flatMap((argument) =>
        argument === null ? [] : [[argument.arg, undefined]],
      ),
    )
    const draft = draftOf(outputOf(project, scope.module.path))
    const inner = createScope(scope.module, outputOf(project, scope.module.path), draft, locals)
    const lines: string[] = []
    let last: string | undefined
    let returned = false
    for (const statement of flatten(definition.body)) {
      const target =
        statement.type === 'Assign'
          ? statement.targets[0]
          : statement.type === 'AnnAssign'
            ? statement.target
            : undefined
      const value = 'value' in statement && isNode(statement.value) ? statement.value : null
      const made = value === null ? undefined : roleOfLocal(value, scope.module)
      if (target?.type === 'Name' && value !== null) {
        const text = locals.get(target.id) === undefined ? values.write(value, inner) : undefined
        const local = toName(target.id)
        if (text !== undefined) lines.push(`const ${local} = ${text}`)
        else if (made !== undefined) inner.todo('value', statement, `\`${oneLine(inner.textOf(statement))}\``)
        locals.set(target.id, text === undefined ? locals.get(target.id) : local)
        if (text !== undefined && made !== undefined && (made === 'agency' || last === undefined)) last = local
      } else if (statement.type === 'Return' && value !== null && !returned) {
        const text = values.write(value, inner)
        if (text === undefined)
          inner.todo('value', statement, `\`${oneLine(inner.textOf(statement))}\` of ${definition.name}()`)
        else lines.push(`return ${text}`)
        returned = text !== undefined
      } else if (made !== undefined || statement.type === 'For' || statement.type === 'While')
        inner.todo('value', statement, `\`${oneLine(inner.textOf(statement))}\` of ${definition.name}()`)
    }
    if (!returned && last !== undefined) lines.push(`return ${last}`)
    return `function ${name}() {\n${indent(lines.join('\n'))}\n}`
  }
  const roleOfLocal = (node: Expression, module: Module) =>
    roleOfCall(node.type === 'Await' ? node.value : node, module)

  const found: { role: Role; definition: Definition }[] = []
  for (const module of project.modules.values())
    for (const binding of module.bindings.values()) {
      if (binding.kind !== 'defined') continue
      const role = roleOf(binding)
      if (role !== undefined) found.push({ role, definition: binding })
    }
  for (const { role, definition } of found)
    if (ALWAYS.has(role) && !definition.module.mainOnly.has(definition.statement)) define(definition)

  return {
    get files() {
      return Object.fromEntries([...drafts].map(([path, draft]) => [path, finish(writeModule(draft))]))
    },
    copies,
    todos,
    found,
    roleOf,
    makesAgency: (definition) => makes(definition) === 'agency',
    writeAtTop(module, write) {
      const draft: Draft = { chunks: [], imports: new Map() }
      const text = write(createScope(module, 'agency.ts', draft))
      return { text, imports: writeImports(draft.imports) }
    },
  }
}

const isNode = (value: unknown): value is Expression => typeof value === 'object' && value !== null && 'type' in value
const nameOf = (decorator: Expression): string => dotted(decorator.type === 'Call' ? decorator.func : decorator) ?? ''

function writeModule({ chunks, imports }: Draft): string {
  const body = chunks.sort((a, b) => a.line - b.line).map(({ text }) => text)
  return `${[writeImports(imports), ...body].filter((text) => text !== '').join('\n\n')}\n`
}

/** Import statements: packages first, then modules of the project. */
function writeImports(imports: ReadonlyMap<string, ReadonlySet<string>>): string {
  const isPath = (from: string) => from.startsWith('.')
  const bare = (name: string) => name.replace(/^type /, '')
  return [...imports]
    .sort(([a], [b]) => Number(isPath(a)) - Number(isPath(b)) || (a < b ? -1 : 1))
    .map(([from, names]) => {
      const sorted = [...names].sort((a, b) => (bare(a) < bare(b) ? -1 : 1))
      return `import { ${sorted.join(', ')} } from ${quote(from)}`
    })
    .join('\n')
}
