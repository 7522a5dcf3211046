/** Translates agencies: `Agency(...)` with its communication flows, and classes of flows. */

import { type Agents, writeTextOrFile } from './agents.ts'
import { docstring, isFunction, keyword, textOf } from './nodes.ts'
import { lastName } from './project.ts'
import type { Call, ClassDef, Expression } from './python.ts'
import type { Schemas } from './schemas.ts'
import type { Scope } from './scope.ts'
import { indent, quote, writeList, writeObject } from './text.ts'
import { oneLine, type Values } from './values.ts'

export interface Agencies {
  /** Undefined for an agency whose entry agents cannot be carried over. */
  writeAgency(call: Call, scope: Scope): string | undefined
  /** A subclass of SendMessage or Handoff. */
  writeFlowClass(definition: ClassDef, name: string, base: 'SendMessage' | 'Handoff', scope: Scope): string
}

export function createAgencies(values: Values, agents: Agents, schemas: Schemas): Agencies {
  const { write } = values

  /** The entry agents, and the flows of a chart of an older version: `[ceo, [ceo, dev]]`. */
  function readChart(call: Call, scope: Scope): { entries: string[]; flows: string[] } {
    const only = call.args.length === 1 ? listOf(call.args[0], scope) : undefined
    const chart = listOf(keyword(call, 'agency_chart'), scope) ?? only
    const nodes = chart ?? call.args
    const entries: string[] = []
    const flows: string[] = []
    for (const node of nodes) {
      const list = node.type === 'List' || node.type === 'Tuple'
      const texts = list ? writeFlow(node, scope) : [writeEntry(node, scope)]
      if (texts.includes(undefined)) scope.todo('option', node, `\`${oneLine(scope.textOf(node))}\` of an agency`)
      else (list ? flows : entries).push(...(texts as string[]))
    }
    return { entries, flows }
  }

  /** An agent, or the agents of a list: `*agents`. */
  function writeEntry(node: Expression, scope: Scope): string | undefined {
    if (node.type !== 'Starred') return write(node, scope)
    const list = write(node.value, scope)
    return list === undefined ? undefined : `...${list}`
  }

  /** A flow as the entries that it becomes; one of them is undefined when it cannot be carried over. */
  function writeFlow(node: Expression, scope: Scope): (string | undefined)[] {
    if (node.type === 'Compare') return writeChain(node, scope)
    if (node.type === 'Call') return [write(node, scope)] // a chain that a function makes
    if (node.type !== 'List' && node.type !== 'Tuple') return [undefined]
    const [first, second, third] = node.elts
    if (first?.type === 'Compare') {
      const via = second === undefined ? undefined : writeVia(second, scope)
      const chain = writeChain(first, scope)
      return second === undefined ? chain : chain.map((flow) => withClass(flow, via))
    }
    const pair = [first, second].map((agent) => (agent === undefined ? undefined : write(agent, scope)))
    const via = third === undefined ? [] : [writeVia(third, scope)]
    const all = [...pair, ...via]
    return [all.includes(undefined) ? undefined : `[${all.join(', ')}]`]
  }

  /** `a > b > c` is a chain; `<` reaches the other way, which is written as pairs. */
  function writeChain(
    { left, ops, comparators }: Expression & { type: 'Compare' },
    scope: Scope,
  ): (string | undefined)[] {
    const names = [left, ...comparators].map((agent) => write(agent, scope))
    if (names.includes(undefined) || ops.some(({ type }) => type !== 'Gt' && type !== 'Lt')) return [undefined]
    if (ops.length > 1 && ops.every(({ type }) => type === 'Gt'))
      return [`${scope.library('flow')}(${names.join(', ')})`]
    return ops.map(({ type }, index) => {
      const sides = [names[index], names[index + 1]]
      return `[${(type === 'Gt' ? sides : sides.reverse()).join(', ')}]`
    })
  }

  const withClass = (flow: string | undefined, via: string | undefined) => {
    if (flow === undefined || via === undefined) return undefined
    return flow.startsWith('[') ? `${flow.slice(0, -1)}, ${via}]` : `[${flow}, ${via}]`
  }

  function writeVia(node: Expression, scope: Scope): string | undefined {
    if (node.type === 'List' || node.type === 'Tuple') {
      const all = node.elts.map((item) => writeVia(item, scope))
      return all.includes(undefined) ? undefined : writeList(all as string[])
    }
    const meaning = scope.find(node)
    if (meaning?.kind === 'defined') return scope.use(meaning)
    const name = meaning === undefined ? undefined : meaning.kind === 'external' ? lastName(meaning) : undefined
    if (name === 'Handoff' || name === 'SendMessageHandoff') return scope.library('Handoff')
    return name === 'SendMessage' ? scope.library('SendMessage') : undefined
  }

  /** A callback that was passed to the function around the agency does what every server does by itself. */
  const isPassedOn = (value: Expression, scope: Scope) => value.type === 'Name' && scope.locals.has(value.id)

  return {
    writeAgency(call, scope) {
      const { entries, flows } = readChart(call, scope)
      const written = keyword(call, 'communication_flows')
      const listed = listOf(written, scope)
      if (listed === undefined && written !== undefined && written.type !== 'Constant')
        scope.todo('option', written, `\`communication_flows=${oneLine(scope.textOf(written))}\``)
      for (const node of listed ?? []) {
        const texts = writeFlow(node, scope)
        if (texts.includes(undefined)) scope.todo('option', node, `the flow \`${oneLine(scope.textOf(node))}\``)
        else flows.push(...(texts as string[]))
      }
      const rest = call.keywords.filter(
        ({ arg, value }) =>
          arg !== 'communication_flows' &&
          arg !== 'agency_chart' &&
          !(/(_callback|_callbacks)$/.test(arg ?? '') && isPassedOn(value, scope)) &&
          !(arg === null && isPassedOn(value, scope)),
      )
      const named = flows.length === 0 ? [] : [['communicationFlows', writeList(flows)] as const]
      const options = agents.readOptions(rest, scope, {
        name: (value) => ['name', textOf(value) === undefined ? write(value, scope) : quote(textOf(value) as string)],
        shared_instructions: (value) => ['sharedInstructions', writeTextOrFile(value, scope, values)],
        user_context: (value) => ['userContext', write(value, scope)],
        send_message_tool_class: (value) => ['sendMessageToolClass', writeVia(value, scope)],
        shared_tools: (value) => [
          'sharedTools',
          values.writeEach(value, scope, (item) => agents.writeTool(item, scope)),
        ],
      })
      const all = writeObject([...options, ...named])
      if (entries.length === 0) return undefined
      const entry = entries.length === 1 && !entries[0]?.startsWith('...') ? entries[0] : writeList(entries)
      return `new ${scope.library('Agency')}(${entry}${all === '{}' ? '' : `, ${all}`})`
    },

    writeFlowClass(definition, name, base, scope) {
      const members: string[] = []
      const description = docstring(definition)
      if (base === 'SendMessage' && description !== undefined)
        members.push(`static override description = ${quote(description)}`)
      for (const statement of definition.body) {
        if (statement.type === 'ClassDef' && statement.name === 'ExtraParams')
          members.push(
            `static override extraParams = ${schemas.writeModel({ ...statement, body: statement.body }, scope)}`,
          )
        if (isFunction(statement))
          scope.todo('class', statement, `${statement.name}() of the class \`${definition.name}\``)
        const target =
          statement.type === 'AnnAssign'
            ? statement.target
            : statement.type === 'Assign'
              ? statement.targets[0]
              : undefined
        if (
          target?.type !== 'Name' ||
          (statement.type !== 'Assign' && statement.type !== 'AnnAssign') ||
          statement.value === null
        )
          continue
        const text = write(statement.value, scope)
        if (target.id === 'tool_name' && base === 'SendMessage') members.push(`static override toolName = ${text}`)
        else if (target.id === 'add_reminder' && base === 'Handoff')
          members.push(`static override addReminder = ${text}`)
        else if (target.id === 'extra_params_model' && text !== undefined)
          members.push(`static override extraParams = ${text}`)
        else scope.todo('class', statement, `\`${target.id}\` of the class \`${definition.name}\``)
      }
      const body = members.length === 0 ? ' ' : `\n${indent(members.join('\n'))}\n`
      return `class ${name} extends ${scope.library(base)} {${body}}`
    },
  }
}

/** The entries of a list, or of the list that a name at the top of this module stands for. */
function listOf(node: Expression | undefined, scope: Scope): Expression[] | undefined {
  if (node?.type === 'List' || node?.type === 'Tuple') return node.elts
  const meaning = node?.type === 'Name' ? scope.find(node) : undefined
  if (meaning?.kind !== 'defined' || meaning.module !== scope.module) return undefined
  const { statement } = meaning
  return statement.type === 'Assign' && statement.value.type === 'List' ? statement.value.elts : undefined
}
