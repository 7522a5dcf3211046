/** Translates agents: `Agent(...)`, classes of agents, and what their options hold. */
import { statSync } from 'node:fs'
import type { Definition } from './module.ts'
import { dotted, isFunction, keyword, textOf } from './nodes.ts'
import { readPath } from './paths.ts'
import { findMeaning, lastName, listToolFiles } from './project.ts'
import type { Call, ClassDef, Expression, FunctionDef, Keyword } from './python.ts'
import type { Scope } from './scope.ts'
import { indent, quote, toCamel, writeList, writeObject } from './text.ts'
import { type CallWriters, oneLine, type Values, writeDict, writeOptions } from './values.ts'

/** Options that only change their names. */
const SAME = new Set(
  `name conversation_starters quick_replies cache_conversation_starters handoff_reminder validation_attempts
  raise_input_guardrail_error include_search_results include_web_search_sources reset_tool_choice tool_use_behavior voice
  input_guardrails output_guardrails hooks shared_tools`.split(/\s+/),
)
/** Settings of a model with a name of their own here; others are fields of the provider's API. */
const SETTINGS = new Set(
  'temperature top_p max_tokens tool_choice parallel_tool_calls truncation reasoning verbosity metadata store include_usage extra_headers extra_body'.split(
    ' ',
  ),
)
const IN_BODY = new Set('frequency_penalty presence_penalty top_logprobs prompt_cache_retention'.split(' '))
/** Settings that older versions took as options of the agent. */
const OLD_SETTINGS: { [name: string]: string } = {
  temperature: 'temperature',
  top_p: 'topP',
  max_completion_tokens: 'maxTokens',
  max_tokens: 'maxTokens',
  truncation_strategy: 'truncation',
  parallel_tool_calls: 'parallelToolCalls',
  tool_choice: 'toolChoice',
}
/** Options without a counterpart, and what to do instead. */
const ADVICE: { [name: string]: string } = {
  files_folder: 'there is no such folder here',
  shared_files_folder: 'there is no such folder here',
  schemas_folder: 'there is no such folder here',
  tools_folder: 'there is no such folder with tools here',
  shared_tools_folder: 'there is no such folder with tools here',
  examples: 'put the examples into the instructions',
  mcp_config: 'set the options of each server in mcpServers',
  max_prompt_tokens: 'modelSettings: { truncation: "auto" }',
  response_validator: 'write an output guardrail',
  file_ids: 'pass file parts in the message',
  file_search: 'tools: [fileSearch({ vectorStoreIds })]',
  shared_files: 'sharedFilesFolder',
  async_mode: 'recipients always run concurrently',
}

/** The names under which the original's tools are called here. */
const HOSTED: { [name: string]: string } = {
  WebSearchTool: 'webSearch',
  FileSearchTool: 'fileSearch',
  CodeInterpreterTool: 'codeInterpreter',
  ImageGenerationTool: 'imageGeneration',
  HostedMCPTool: 'hostedMcp',
  CodeInterpreter: 'codeInterpreter',
  PersistentShellTool: 'persistentShell',
  IPythonInterpreter: 'pythonInterpreter',
  LoadFileAttachment: 'loadFileAttachment',
  PresentFiles: 'presentFiles',
}

/** Longest text that is tried as a path, in characters; file systems allow no longer name. */
const MAX_PATH_CHARS = 255

export type OptionEntry = readonly [name: string, text: string | undefined]
export type OptionWriter = (value: Expression, scope: Scope) => OptionEntry | undefined

export interface Agents {
  /** The options of a call; what cannot be carried over becomes a comment. */
  readOptions(keywords: readonly Keyword[], scope: Scope, own?: { [name: string]: OptionWriter }): OptionEntry[]
  /** The options of `Agent(...)`. */
  writeAgentOptions(call: Call, scope: Scope): string
  /** `class X extends Agent { constructor() { super({ ... }) } }`. */
  writeClass(definition: ClassDef, name: string, scope: Scope): string
  /** Entries of a list of tools. */
  writeTool(node: Expression, scope: Scope): string | undefined
  /** Writers of the calls that this file knows, for `createValues`. */
  calls: CallWriters
}

export function createAgents(values: Values): Agents {
  const { write, writeEach } = values

  const writeTool = (node: Expression, scope: Scope): string | undefined => {
    const meaning = node.type === 'Name' || node.type === 'Attribute' ? scope.find(node) : undefined
    if (meaning?.kind !== 'external') return write(node, scope)
    const name = HOSTED[lastName(meaning)]
    return name === undefined || name === 'hostedMcp' ? undefined : `${scope.library(name)}()`
  }

  const folder =
    (name: string, rename = toCamel(name)): OptionWriter =>
    (value, scope) => {
      const path = readPath(scope.module, value)
      const copied = path === undefined ? undefined : scope.copy(path)
      return copied === undefined ? undefined : [rename, quote(copied)]
    }

  const toolsFolder =
    (name: string, list: string): OptionWriter =>
    (value, scope) => {
      const path = readPath(scope.module, value)
      const tools = (path === undefined ? [] : listToolFiles(path)).map((file) => toolsOf(file, scope))
      if (path !== undefined && tools.length > 0 && tools.every((found) => found.length > 0))
        return [name, quote(scope.pathTo(path))]
      const names = tools.flat().flatMap((tool) => scope.use(tool) ?? [])
      return names.length === 0 ? undefined : [list, writeList(names)]
    }

  const OWN: { [name: string]: OptionWriter } = {
    description: (value, scope) => ['description', write(value, scope)],
    handoff_description: (value, scope) => ['description', write(value, scope)],
    instructions: (value, scope) => ['instructions', writeTextOrFile(value, scope, values)],
    model: (value, scope) => ['model', writeModel(value, scope, values)],
    model_settings: (value, scope) => ['modelSettings', writeSettings(value, scope, values)],
    output_type: (value, scope) => ['outputType', write(value, scope)],
    tools: (value, scope) => ['tools', writeEach(value, scope, (item) => writeTool(item, scope))],
    tools_folder: toolsFolder('toolsFolder', 'tools'),
    shared_tools_folder: toolsFolder('sharedToolsFolder', 'sharedTools'),
    schemas_folder: folder('schemas_folder'),
    files_folder: folder('files_folder'),
    shared_files_folder: folder('shared_files_folder'),
    api_headers: (value, scope) => ['apiHeaders', writePlain(value, scope, values)],
    api_params: (value, scope) => ['apiParams', writePlain(value, scope, values)],
    mcp_servers: (value, scope) => ['mcpServers', writeEach(value, scope)],
    shared_mcp_servers: (value, scope) => ['sharedMcpServers', writeEach(value, scope)],
    prompt: (value, scope) => ['prompt', writePlain(value, scope, values)],
    throw_input_guardrail_error: (value, scope) => ['raiseInputGuardrailError', write(value, scope)],
    system_reminders: (value, scope) => ['systemReminders', writeEach(value, scope)],
  }

  function readOptions(
    keywords: readonly Keyword[],
    scope: Scope,
    own: { [name: string]: OptionWriter } = {},
  ): OptionEntry[] {
    const entries: OptionEntry[] = []
    for (const { arg, value } of keywords) {
      if (value.type === 'Constant' && value.value === null) continue // None is what an option is without it
      const name = arg ?? '**'
      const writer = find(own, name) ?? find(OWN, name) ?? (SAME.has(name) ? same(name, values) : undefined)
      const entry = writer?.(value, scope)
      const given = entries.findIndex(([option]) => option !== '' && option === entry?.[0])
      const list = given < 0 ? undefined : entries[given]?.[1]
      if (entry?.[1] !== undefined && list === undefined) entries.push(entry)
      else if (entry?.[1]?.startsWith('[') && list?.startsWith('['))
        // a list, and a folder that became one
        entries[given] = [entry[0], `[...${list}, ...${entry[1]}]`]
      else {
        const said = `${arg === null ? '**' : `${name}=`}${oneLine(scope.textOf(value))}`
        const advice = find(ADVICE, name)
        scope.todo('option', value, `\`${said}\`${advice === undefined ? '' : `: ${advice}`}`)
        entries.push(['', `// TODO: ${said}`])
      }
    }
    return entries
  }

  function writeAgentOptions(call: Call, scope: Scope): string {
    const [name, ...more] = call.args
    if (more.length > 0) scope.todo('option', more[0] as Expression, 'positional arguments of an agent')
    const named: Keyword[] = name === undefined ? [] : [{ arg: 'name', value: name }]
    const old = call.keywords.filter(({ arg }) => arg !== null && find(OLD_SETTINGS, arg) !== undefined)
    const current = [...named, ...call.keywords.filter((option) => !old.includes(option))]
    const described = keyword(call, 'description') !== undefined
    const used = described ? current.filter(({ arg }) => arg !== 'handoff_description') : current
    const settings = keyword(call, 'model_settings') === undefined ? writeOldSettings(old, scope, values) : undefined
    const options = readOptions(used, scope)
    const model = options.some(([option]) => option === 'model') ? undefined : `${scope.import('model', '/model.ts')}()`
    return writeObject([...options, ['model', model], ['modelSettings', settings]])
  }

  return {
    readOptions,
    writeAgentOptions,
    writeTool,
    writeClass(definition, name, scope) {
      const methods = definition.body.filter(isFunction)
      const init = methods.find((method) => method.name === '__init__')
      const call = init && findSuperCall(init)
      for (const method of methods)
        if (method !== init) scope.todo('class', method, `${method.name}() of the agent class \`${definition.name}\``)
      const keywords = (call?.keywords ?? []).filter(({ arg, value }) => arg !== null || dotted(value) !== 'kwargs')
      const options =
        call === undefined
          ? writeObject([['name', quote(definition.name)]])
          : writeAgentOptions({ ...call, keywords }, scope)
      const agent = scope.library('Agent')
      return `class ${name} extends ${agent} {\n  constructor() {\n${indent(indent(`super(${options})`))}\n  }\n}`
    },
    calls: {
      ...Object.fromEntries(
        Object.keys(HOSTED).map((name) => [name, (call: Call, scope: Scope) => writeHosted(name, call, scope, values)]),
      ),
      Agent: (call, scope) => `new ${scope.library('Agent')}(${writeAgentOptions(call, scope)})`,
      MCPServerStdio: (call, scope) => writeServer(call, scope, values),
      MCPServerStreamableHttp: (call, scope) => writeServer(call, scope, values),
      MCPServerSse: (call, scope) => writeServer(call, scope, values, { transport: quote('sse') }),
      StopAtTools: (call, scope) => writeOptions(call as Expression & Call, scope, write),
      EveryNToolCalls: ({ args: [every, message], keywords }, scope) => {
        const at = (name: string, node: Expression | undefined) =>
          node ?? keywords.find(({ arg }) => arg?.includes(name))?.value
        const [count, text] = [at('n', every), at('message', message)]
        if (count === undefined || text === undefined) return undefined
        return writeObject([
          ['everyToolCalls', write(count, scope)],
          ['message', write(text, scope)],
        ])
      },
      AfterEveryUserMessage: ({ args: [text], keywords: [named] }, scope) => {
        const message = text ?? named?.value
        return message === undefined ? undefined : write(message, scope)
      },
    },
  }
}

const same =
  (name: string, { write, writeEach }: Values): OptionWriter =>
  (value, scope) => [toCamel(name), value.type === 'List' ? writeEach(value, scope) : write(value, scope)]

const find = <T>(table: { [name: string]: T }, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

function findSuperCall({ body }: FunctionDef): (Expression & Call) | undefined {
  for (const statement of body)
    if (statement.type === 'Expr' && statement.value.type === 'Call') {
      const { func } = statement.value
      if (func.type === 'Attribute' && func.attr === '__init__') return statement.value
    }
  return undefined
}

/** The tools that a file defines. */
function toolsOf(file: string, scope: Scope): Definition[] {
  const module = scope.project.modules.get(file)
  if (module === undefined) return []
  return [...module.bindings.values()].filter((binding): binding is Definition => {
    if (binding.kind !== 'defined') return false
    const { statement } = binding
    const isNamed = (node: Expression, name: string) => {
      const meaning = findMeaning(scope.project, module, node.type === 'Call' ? node.func : node)
      return meaning?.kind === 'external' && lastName(meaning) === name
    }
    if (statement.type === 'ClassDef') return statement.bases.some((base) => isNamed(base, 'BaseTool'))
    return isFunction(statement) && statement.decorator_list.some((decorator) => isNamed(decorator, 'function_tool'))
  })
}

/** A text, or the path of a file, which is copied. */
export function writeTextOrFile(value: Expression, scope: Scope, { write }: Values): string | undefined {
  const file = isRead(value) ?? value
  const path = readPath(scope.module, file)
  const text = textOf(value)
  if (path !== undefined && (text === undefined || text.length <= MAX_PATH_CHARS)) {
    const copied = statSync(path, { throwIfNoEntry: false })?.isFile() === true ? scope.copy(path) : undefined
    if (copied !== undefined) return quote(copied)
    if (text !== undefined && /^\S+\.(md|txt)$/.test(text)) return undefined
  }
  return write(value, scope)
}

/** The path in `open(path).read()` and `Path(path).read_text()`. */
function isRead(node: Expression): Expression | undefined {
  if (node.type !== 'Call' || node.func.type !== 'Attribute') return undefined
  const { attr, value } = node.func
  if (attr === 'read_text') return value
  return attr === 'read' && value.type === 'Call' && dotted(value.func) === 'open' ? value.args[0] : undefined
}

/** A name, or the name inside a model object. */
function writeModel(value: Expression, scope: Scope, { write }: Values): string | undefined {
  const named =
    value.type === 'Call' && /Model$/.test(dotted(value.func) ?? '')
      ? (keyword(value, 'model') ?? value.args[0])
      : value
  const text = named === undefined ? undefined : write(named, scope)
  if (text === undefined) return undefined
  const litellm = named !== value && value.type === 'Call' && /LitellmModel$/.test(dotted(value.func) ?? '')
  if (named !== value && !(litellm && (value as Call).keywords.length < 2))
    scope.todo('option', value, `\`${oneLine(scope.textOf(value))}\`: its client, key or address; see docs/models.md`)
  const model = scope.import('model', '/model.ts')
  const name = textOf(named)
  return `${model}(${litellm && name !== undefined && !name.startsWith('litellm/') ? quote(`litellm/${name}`) : text})`
}

function writeSettings(value: Expression, scope: Scope, values: Values): string | undefined {
  if (value.type !== 'Call') return values.write(value, scope)
  const entries: OptionEntry[] = []
  const body: OptionEntry[] = []
  for (const { arg, value: setting } of value.keywords) {
    const text =
      arg === 'extra_body' || arg === 'extra_headers' || arg === 'metadata' || arg === 'extra_args'
        ? writePlain(setting, scope, values)
        : writeOptions(setting, scope, values.write)
    if (arg === null || text === undefined) unsupported(arg, setting, scope)
    else if (SETTINGS.has(arg)) entries.push([toCamel(arg), text])
    else if (arg === 'response_include') entries.push(['include', text])
    else if (IN_BODY.has(arg)) body.push([arg, text])
    else unsupported(arg, setting, scope)
  }
  if (body.length > 0) entries.push(['extraBody', writeObject(body)])
  return writeObject(entries)
}

const unsupported = (name: string | null, value: Expression, scope: Scope) =>
  scope.todo('option', value, `the model setting \`${name ?? '**'}=${oneLine(scope.textOf(value))}\``)

function writeOldSettings(old: readonly Keyword[], scope: Scope, { write }: Values): string | undefined {
  const entries = old.flatMap(({ arg, value }): OptionEntry[] => {
    const text = write(value, scope)
    if (text !== undefined) return text === 'undefined' ? [] : [[OLD_SETTINGS[arg as string] as string, text]]
    unsupported(arg, value, scope)
    return []
  })
  return entries.length === 0 ? undefined : writeObject(entries)
}

/** A dictionary whose keys are the user's own. */
const writePlain = (value: Expression, scope: Scope, { write }: Values): string | undefined =>
  value.type === 'Dict' ? writeDict(value, (item) => write(item, scope)) : write(value, scope)

/** A tool that the provider or this package brings. */
function writeHosted(name: string, call: Call, scope: Scope, { write }: Values): string | undefined {
  const ours = HOSTED[name] as string
  const config = keyword(call, 'tool_config')
  const options =
    config === undefined
      ? writeOptions({ ...call, type: 'Call', args: [] } as Expression, scope, write)
      : writeOptions(config, scope, write)
  if (options === undefined || (ours === 'fileSearch' && !options.includes('vectorStoreIds'))) return undefined
  // The kind is part of the function's name.
  const own = options.replace(/^(\{\s*)type: '[^']*'(?:, |,\n\s*)?/, '$1').replace(/^\{\s*\}$/, '')
  return `${scope.library(ours)}(${own})`
}

/** `MCPServerStdio(params={...}, cache_tools_list=True)`: the parameters, and the name. */
function writeServer(
  call: Call,
  scope: Scope,
  { write }: Values,
  added: { [name: string]: string } = {},
): string | undefined {
  const params = keyword(call, 'params') ?? call.args[0]
  const entries: OptionEntry[] = []
  const pairs: readonly (readonly [string | undefined, Expression])[] =
    params?.type === 'Dict'
      ? params.keys.map((key, index) => [textOf(key), params.values[index] as Expression] as const)
      : params?.type === 'Call'
        ? params.keywords.map(({ arg, value }) => [arg ?? undefined, value] as const)
        : []
  for (const [name, value] of pairs) {
    const text =
      name !== undefined && /^(command|args|env|cwd|url|headers)$/.test(name) ? write(value, scope) : undefined
    if (text !== undefined) entries.push([name as string, text])
    else if (name !== undefined) scope.todo('option', value, `\`${name}\` of an MCP server`)
  }
  if (!entries.some(([name]) => name === 'command' || name === 'url')) return undefined
  const name = textOf(keyword(call, 'name'))
  const timeout = keyword(call, 'client_session_timeout_seconds')
  const seconds = timeout === undefined ? undefined : write(timeout, scope)
  for (const { arg, value } of call.keywords)
    if (arg === null || !/^(params|name|cache_tools_list|client_session_timeout_seconds)$/.test(arg))
      scope.todo('option', value, `\`${arg ?? '**'}\` of an MCP server`)
  return writeObject([
    ...(name === undefined ? [] : [['name', quote(name.replace(/[^\w -]/g, '-').slice(0, 32))] as const]),
    ...entries,
    ...Object.entries(added),
    ...(seconds === undefined ? [] : [['timeoutMs', `${seconds} * 1000`] as const]),
  ])
}
