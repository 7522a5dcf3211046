/** Translates tools: `@function_tool` functions and BaseTool classes. Their code stays as a comment, for a person to port. */
import { docstring, dotted, isFunction, keyword, textOf } from './nodes.ts'
import type { Call, ClassDef, Expression, FunctionDef, Statement } from './python.ts'
import type { Schemas } from './schemas.ts'
import type { Scope } from './scope.ts'
import { comment, indent, quote, writeObject } from './text.ts'
import { oneLine, type Values } from './values.ts'

/** Options of `@function_tool(...)` and `ToolConfig` -> ours. */
const OPTIONS: { [name: string]: string } = {
  strict_mode: 'strict',
  strict: 'strict',
  one_call_at_a_time: 'oneCallAtATime',
  needs_approval: 'needsApproval',
}
/** Read elsewhere, or without a counterpart that anybody misses. */
const SILENT = new Set('name_override description_override docstring_style use_docstring_info'.split(' '))
const RESULTS: { [type: string]: string } = { str: 'string', int: 'number', float: 'number', bool: 'boolean' }

/** Code that a person has to port: the Python as a comment, and a throw that names its place. */
export function writeBody(what: string, definition: FunctionDef, scope: Scope): string {
  const first = definition.body[0]
  const said = first?.type === 'Expr' && textOf(first.value) !== undefined
  const code = definition.body.slice(said ? 1 : 0)
  const python = code.length === 0 ? '' : `${comment(sourceOf(code, scope))}\n`
  return `${python}throw new Error(${quote(`TODO: port ${what}, see PORTING.md`)})`
}

/** The statements as they are written, without the indentation that they share. */
function sourceOf(code: readonly Statement[], scope: Scope): string {
  const [first, last] = [code[0] as Statement, code.at(-1) as Statement]
  const [line, column] = first.span
  const text = scope.textOf({ span: [line, column, last.span[2], last.span[3]] })
  const margin = (one: string) => Math.min(column, one.length - one.trimStart().length)
  return text
    .split('\n')
    .map((one, index) => (index === 0 ? one : one.slice(margin(one))))
    .join('\n')
}

export interface Tools {
  /** `tool({ ... })` for a decorated function. */
  writeFunction(definition: FunctionDef, decorator: Expression, scope: Scope): string
  /** `class X extends BaseTool.define({ ... }) { ... }`. */
  writeClass(definition: ClassDef, name: string, scope: Scope): string
}

export function createTools({ write }: Values, schemas: Schemas): Tools {
  function writeOption(name: string, value: Expression, scope: Scope): [string, string | undefined] | undefined {
    if (SILENT.has(name)) return undefined
    const text = write(value, scope)
    if (name === 'timeout' && text !== undefined) return ['timeoutMs', `${text} * 1000`]
    if (name === 'timeout_seconds' && text !== undefined) return ['timeoutMs', `${text} * 1000`]
    if (Object.hasOwn(OPTIONS, name) && text !== undefined) return [OPTIONS[name] as string, text]
    scope.todo('option', value, `the option \`${name}=${oneLine(scope.textOf(value))}\` of a tool`)
    return undefined
  }

  return {
    writeFunction(definition, decorator, scope) {
      const call = decorator.type === 'Call' ? (decorator as Expression & Call) : undefined
      const option = (name: string) => (call === undefined ? undefined : textOf(keyword(call, name)))
      const said = readDocstring(docstring(definition))
      const fields = parametersOf(definition).map((field) => ({ ...field, description: said.parameters[field.name] }))
      const options = (call?.keywords ?? []).flatMap(({ arg, value }) => {
        const written = arg === null ? undefined : writeOption(arg, value, scope)
        return written === undefined ? [] : [written]
      })
      const name = option('name_override') ?? definition.name
      scope.todo('tool', definition, `the code of the tool \`${name}\``)
      const result = definition.returns === null ? undefined : RESULTS[dotted(definition.returns) ?? '']
      const description = option('description_override') ?? said.text
      return `${scope.library('tool')}(${writeObject([
        ['name', quote(name)],
        ['description', description === undefined ? undefined : quote(description)],
        [
          'parameters',
          fields.length === 0 ? undefined : `${scope.import('z', 'zod')}.object(${schemas.writeFields(fields, scope)})`,
        ],
        ...options,
        ['execute', `(): ${result ?? 'unknown'} => {\n${indent(writeBody(`the tool ${name}`, definition, scope))}\n}`],
      ])})`
    },

    writeClass(definition, name, scope) {
      const fields = schemas.writeFields(schemas.fieldsOf(definition), scope)
      const methods = definition.body.filter(isFunction)
      const run = methods.find((method) => method.name === 'run')
      const members: string[] = []
      const description = docstring(definition)
      if (description !== undefined) members.push(`static override description = ${quote(description)}`)
      const config = definition.body
        .filter(
          (statement): statement is Statement & ClassDef =>
            statement.type === 'ClassDef' && statement.name === 'ToolConfig',
        )
        .flatMap(({ body }) => body)
        .flatMap((statement) => {
          const named =
            statement.type === 'Assign'
              ? statement.targets[0]
              : statement.type === 'AnnAssign'
                ? statement.target
                : undefined
          const value = statement.type === 'Assign' || statement.type === 'AnnAssign' ? statement.value : null
          const option = named?.type === 'Name' && value ? writeOption(named.id, value, scope) : undefined
          return option === undefined ? [] : [option]
        })
      if (config.length > 0) members.push(`static override toolConfig = ${writeObject(config)}`)
      for (const method of methods)
        if (method !== run) {
          scope.todo(
            'tool',
            method,
            `${method.name}() of the tool \`${definition.name}\`${isValidator(method) ? ', a validator: use .refine() of the field, or static refine(fields)' : ''}`,
          )
          members.push(
            `// TODO: ${method.name}(), see PORTING.md\n${comment(sourceOf([method as Statement & FunctionDef], scope))}`,
          )
        }
      if (run === undefined) members.push(`run(): unknown {\n  throw new Error(${quote(`${name} has no run()`)})\n}`)
      else {
        scope.todo('tool', run, `run() of the tool \`${definition.name}\``)
        const result = run.returns === null ? undefined : RESULTS[dotted(run.returns) ?? '']
        const body = indent(writeBody(`run() of ${definition.name}`, run, scope))
        members.push(`run(): ${result ?? 'unknown'} {\n${body}\n}`)
      }
      return `class ${name} extends ${scope.library('BaseTool')}.define(${fields}) {\n${indent(members.join('\n'))}\n}`
    },
  }
}

const isValidator = ({ decorator_list }: FunctionDef) =>
  decorator_list.some((decorator) =>
    /validator/.test(dotted(decorator.type === 'Call' ? decorator.func : decorator) ?? ''),
  )

/** The arguments that a model fills in: without `self` and the run's context. */
function parametersOf({ args: { posonlyargs, args, defaults, kwonlyargs, kw_defaults } }: FunctionDef) {
  const positional = [...posonlyargs, ...args]
  const missing = positional.length - defaults.length
  const all = [
    ...positional.map((argument, index) => ({ argument, value: defaults[index - missing] ?? null })),
    ...kwonlyargs.map((argument, index) => ({ argument, value: kw_defaults[index] ?? null })),
  ]
  return all.flatMap(({ argument: { arg: name, annotation }, value }, index) => {
    const type = annotation?.type === 'Subscript' ? annotation.value : annotation
    const isContext =
      type !== null && /(RunContextWrapper|ToolContext|MasterContext)$/.test(dotted(type) ?? textOf(type) ?? '')
    const unnamed = index === 0 && annotation === null && /^(self|ctx|context|wrapper|run_context)$/.test(name)
    return isContext || unnamed ? [] : [{ name, annotation, value }]
  })
}

const HEADINGS = 'Args Arguments Parameters Returns Return Raises Yields Example Examples Note Notes'.split(' ')

/** Splits a docstring in the form of Google or Sphinx into its text and the descriptions of parameters. */
export function readDocstring(text: string | undefined): {
  text: string | undefined
  parameters: { [name: string]: string }
} {
  const parameters: { [name: string]: string } = {}
  const lines = text?.split('\n') ?? []
  const isHeading = (line: string) => line.endsWith(':') && HEADINGS.includes(line.slice(0, -1))
  const isSphinx = (line: string) => /^:(param|type|returns?|rtype|raises)\b/.test(line)
  const start = lines.findIndex((line) => isHeading(line) || isSphinx(line))
  if (start < 0) return { text, parameters }
  let name: string | undefined
  let listing = false
  for (const line of lines.slice(start)) {
    const said = line.trim()
    const [before = '', after] = splitAt(said, said.startsWith(':') ? said.indexOf(':', 1) : said.indexOf(':'))
    if (isHeading(line)) {
      listing = HEADINGS.indexOf(line.slice(0, -1)) < 3
      name = undefined
    } else if (said === '') name = undefined
    else if (isSphinx(said)) {
      name = before.startsWith(':param ') ? before.slice(before.lastIndexOf(' ') + 1) : undefined
      if (name !== undefined) parameters[name] = after ?? ''
    } else if (listing && after !== undefined && /^\*{0,2}\w+(?: ?\(|$)/.test(before)) {
      name = (/\w+/.exec(before) as RegExpExecArray)[0]
      parameters[name] = after
    } else if (name !== undefined) parameters[name] = `${parameters[name]} ${said}`
  }
  return { text: lines.slice(0, start).join('\n').trim() || undefined, parameters }
}

const splitAt = (text: string, at: number): [string, string?] =>
  at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1).trim()]
