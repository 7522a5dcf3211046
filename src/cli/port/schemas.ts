/** Translates type annotations, Pydantic fields, models and enums to zod. */
import { docstring, dotted, isFunction, keyword, textOf } from './nodes.ts'
import { lastName } from './project.ts'
import type { Call, ClassDef, Expression, Keyword } from './python.ts'
import type { Scope } from './scope.ts'
import { indent, quote, writeList } from './text.ts'
import { oneLine, type Values } from './values.ts'

const SIMPLE: { [type: string]: string } = {
  str: 'string()',
  int: 'int()',
  float: 'number()',
  Decimal: 'number()',
  bool: 'boolean()',
  Any: 'any()',
  object: 'any()',
  None: 'null()',
  bytes: 'base64()',
  datetime: 'iso.datetime()',
  date: 'iso.date()',
  time: 'iso.time()',
  timedelta: 'iso.duration()',
  UUID: 'uuid()',
  EmailStr: 'email()',
  HttpUrl: 'url()',
  AnyUrl: 'url()',
  AnyHttpUrl: 'url()',
  Path: 'string()',
  FilePath: 'string()',
  SecretStr: 'string()',
  PositiveInt: 'int().positive()',
  NonNegativeInt: 'int().nonnegative()',
  PositiveFloat: 'number().positive()',
}
const LISTS = new Set('list List Sequence Iterable set Set frozenset FrozenSet'.split(' '))
const RECORDS = new Set('dict Dict Mapping MutableMapping OrderedDict defaultdict'.split(' '))

/** Constraints of Pydantic -> checks of zod; those of texts and lists, then those of numbers. */
const CHECKS: { [name: string]: string } = {
  min_length: 'min',
  min_items: 'min',
  max_length: 'max',
  max_items: 'max',
  ge: 'gte',
  gt: 'gt',
  le: 'lte',
  lt: 'lt',
  multiple_of: 'multipleOf',
}
/** Arguments of `Field` that describe a field only for programs, or that are read elsewhere. */
const SILENT = new Set(
  'default default_factory description title examples example frozen repr exclude init kw_only'.split(' '),
)

/** One field: its name, its annotation, and the value it was given. */
export interface Field {
  name: string
  annotation: Expression | null
  value: Expression | null
  /** A description from elsewhere, such as a docstring. */
  description?: string | undefined
}

export interface Schemas {
  /** The fields of a class; validators and other members are not among them. */
  fieldsOf(definition: ClassDef): Field[]
  /** `z.object({ ... })` without its name, or only the braces with their content. */
  writeFields(fields: readonly Field[], scope: Scope): string
  writeType(annotation: Expression, scope: Scope): string
  /** `z.object(...)` for a Pydantic model, a dataclass or a TypedDict. */
  writeModel(definition: ClassDef, scope: Scope): string
  writeEnum(definition: ClassDef, scope: Scope): string
}

export function createSchemas({ write }: Values): Schemas {
  const zod = (scope: Scope, text: string) => `${scope.import('z', 'zod')}.${text}`

  function writeType(annotation: Expression, scope: Scope): string {
    const text = readType(annotation, scope)
    if (text !== undefined) return text
    scope.todo('value', annotation, `the type \`${oneLine(scope.textOf(annotation))}\` accepts any value`)
    return zod(scope, 'any()')
  }

  function readType(node: Expression, scope: Scope): string | undefined {
    if (node.type === 'Constant' && node.value === null) return zod(scope, 'null()')
    const later = textOf(node) // a name in quotes, of a class that is defined further down
    if (later !== undefined)
      return /^\w+$/.test(later) ? readType({ type: 'Name', id: later, span: node.span }, scope) : undefined
    if (node.type === 'BinOp' && node.op.type === 'BitOr') return writeUnion(unionOf(node), scope)
    if (node.type === 'Subscript') return readGeneric(node.value, argumentsOf(node.slice), scope)
    if (node.type !== 'Name' && node.type !== 'Attribute') return undefined
    const meaning = scope.find(node)
    if (meaning?.kind === 'defined') {
      const { statement } = meaning
      if (statement.type === 'Assign' && isType(statement.value)) return readType(statement.value, scope)
      return statement.type === 'ClassDef' ? scope.use(meaning) : undefined
    }
    const name = (dotted(node) as string).replace(/^.*\./, '')
    if (LISTS.has(name)) return zod(scope, `array(${zod(scope, 'any()')})`)
    if (RECORDS.has(name)) return zod(scope, `record(${zod(scope, 'string()')}, ${zod(scope, 'any()')})`)
    return Object.hasOwn(SIMPLE, name) ? zod(scope, SIMPLE[name] as string) : undefined
  }

  function readGeneric(owner: Expression, args: readonly Expression[], scope: Scope): string | undefined {
    const name = (dotted(owner) ?? '').replace(/^.*\./, '')
    const [first, second] = args
    if (first === undefined) return undefined
    const each = () => args.map((arg) => writeType(arg, scope))
    if (name === 'Optional') return `${writeType(first, scope)}.nullable()`
    if (name === 'Union') return writeUnion(args, scope)
    if (name === 'Literal') return writeLiteral(args, scope)
    if (name === 'Annotated') return writeType(first, scope)
    if (LISTS.has(name)) return zod(scope, `array(${writeType(first, scope)})`)
    if (name === 'tuple' || name === 'Tuple')
      return second?.type === 'Other'
        ? zod(scope, `array(${writeType(first, scope)})`)
        : zod(scope, `tuple([${each().join(', ')}])`)
    if (RECORDS.has(name) && second !== undefined) return zod(scope, `record(${each().join(', ')})`)
    return undefined
  }

  function writeUnion(members: readonly Expression[], scope: Scope): string {
    const others = members.filter((member) => !isNone(member))
    const texts = others.map((member) => writeType(member, scope))
    const union = texts.length === 1 ? texts[0] : zod(scope, `union([${texts.join(', ')}])`)
    return others.length < members.length ? `${union}.nullable()` : (union as string)
  }

  function writeLiteral(values: readonly Expression[], scope: Scope): string | undefined {
    const texts = values.map((value) => write(value, scope))
    if (texts.includes(undefined)) return undefined
    if (values.every((value) => textOf(value) !== undefined)) return zod(scope, `enum([${texts.join(', ')}])`)
    return zod(scope, `literal([${texts.map((text) => (text === 'undefined' ? 'null' : text)).join(', ')}])`)
  }

  function writeField(field: Field, scope: Scope): string {
    const { annotation } = field
    const annotated = annotation?.type === 'Subscript' && /(^|\.)Annotated$/.test(dotted(annotation.value) ?? '')
    const notes = annotated ? argumentsOf(annotation.slice).slice(1) : []
    const call = [field.value, ...notes].find(
      (node): node is Expression & Call => node?.type === 'Call' && isField(node, scope),
    )
    const said = notes.map(textOf).find((text) => text !== undefined)
    const base = annotation === null ? zod(scope, 'any()') : writeType(annotation, scope)
    const checks =
      call === undefined ? '' : call.keywords.map((constraint) => writeCheck(constraint, call, scope)).join('')
    const described = (call && textOf(keyword(call, 'description'))) ?? said ?? field.description
    const description = described === undefined ? '' : `.describe(${quote(described)})`
    return `${addChecks(base, checks)}${writeDefault(field, call, scope)}${description}`
  }

  function writeCheck({ arg, value }: Keyword, call: Call, scope: Scope): string {
    if (arg === null || SILENT.has(arg)) return ''
    const number = write(value, scope)
    const check = Object.hasOwn(CHECKS, arg) ? CHECKS[arg] : undefined
    if (check !== undefined && number !== undefined) return `.${check}(${number})`
    const pattern = arg === 'pattern' || arg === 'regex' ? textOf(value) : undefined
    if (pattern !== undefined && isPattern(pattern)) return `.regex(new RegExp(${quote(pattern)}))`
    scope.todo('value', call, `\`${arg}\` of a field`)
    return ''
  }

  function writeDefault({ value }: Field, call: Call | undefined, scope: Scope): string {
    const own = call === undefined || value !== call ? value : (keyword(call, 'default') ?? call.args[0] ?? null)
    const factory = call && keyword(call, 'default_factory')
    if (factory !== undefined) {
      const empty = { list: '[]', dict: '{}', str: "''", int: '0', set: '[]' }[dotted(factory) ?? '']
      if (empty !== undefined) return `.default(${empty})`
      scope.todo('value', factory, `the default \`${oneLine(scope.textOf(factory))}\` of a field`)
      return '.optional()'
    }
    if (own === null || own.type === 'Other') return '' // no default, or `...`
    if (isNone(own)) return '.nullable().default(null)'
    const text = write(own, scope)
    if (text !== undefined) return `.default(${/^process\.env\.\w+$/.test(text) ? `${text} ?? ''` : text})`
    scope.todo('value', own, `the default \`${oneLine(scope.textOf(own))}\` of a field`)
    return '.optional()'
  }

  const fieldsOf: Schemas['fieldsOf'] = ({ body }) =>
    body.flatMap((statement) => {
      if (statement.type !== 'AnnAssign' || statement.target.type !== 'Name') return []
      const { id: name } = statement.target
      if (name.startsWith('_') || /ClassVar/.test(dotted(typeName(statement.annotation)) ?? '')) return []
      return [{ name, annotation: statement.annotation, value: statement.value }]
    })

  const writeFields: Schemas['writeFields'] = (fields, scope) =>
    fields.length === 0
      ? '{}'
      : `{\n${indent(fields.map((field) => `${field.name}: ${dedupe(writeField(field, scope))},`).join('\n'))}\n}`

  return {
    fieldsOf,
    writeFields,
    writeType,
    writeModel(definition, scope) {
      const parents = definition.bases.flatMap((base) => {
        const meaning = scope.find(base)
        return meaning?.kind === 'defined' ? (scope.use(meaning) ?? []) : []
      })
      for (const method of definition.body.filter(isFunction))
        scope.todo('class', method, `${method.name}() of the model ${definition.name}; validators become .refine()`)
      const fields = writeFields(fieldsOf(definition), scope)
      const text = docstring(definition)
      const object = parents.length === 0 ? zod(scope, `object(${fields})`) : `${parents[0]}.extend(${fields})`
      return text === undefined ? object : `${object}.describe(${quote(text)})`
    },
    writeEnum({ body }, scope) {
      const values = body.flatMap((statement) => (statement.type === 'Assign' ? [statement.value] : []))
      const texts = values.map((value) => textOf(value))
      if (texts.every((text) => text !== undefined)) return zod(scope, `enum(${writeList(texts.map(quote))})`)
      return writeLiteral(values, scope) ?? zod(scope, 'any()')
    },
  }
}

/** `x.nullable().nullable()` says one thing twice: an optional field whose default is None. */
const dedupe = (text: string) => text.replace('.nullable().nullable()', '.nullable()')

/** Checks go before `.nullable()`, which has none. */
const addChecks = (type: string, checks: string) =>
  type.endsWith('.nullable()') ? `${type.slice(0, -'.nullable()'.length)}${checks}.nullable()` : `${type}${checks}`

const typeName = (node: Expression): Expression => (node.type === 'Subscript' ? node.value : node)
const isNone = (node: Expression) => (node.type === 'Constant' && node.value === null) || dotted(node) === 'None'
const isType = (node: Expression) => node.type === 'Subscript' || (node.type === 'BinOp' && node.op.type === 'BitOr')
const argumentsOf = (slice: Expression) => (slice.type === 'Tuple' ? slice.elts : [slice])
const unionOf = (node: Expression): Expression[] =>
  node.type === 'BinOp' && node.op.type === 'BitOr' ? [...unionOf(node.left), ...unionOf(node.right)] : [node]

function isField(call: Call, scope: Scope): boolean {
  const meaning = scope.find(call.func)
  return meaning?.kind === 'external' && ['Field', 'field'].includes(lastName(meaning))
}

/** True when JavaScript accepts the pattern too. */
function isPattern(pattern: string): boolean {
  try {
    new RegExp(pattern)
    return true
  } catch {
    return false
  }
}
