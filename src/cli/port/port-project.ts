/** A Python agency as the files of a new project: its modules, what is served, its variables, and the list of what is left. */
import { relative } from 'node:path'
import { nothingToPort } from '../errors.ts'
import type { Definition, Module } from './module.ts'
import { dotted, isFunction, keyword, textOf, walk } from './nodes.ts'
import { findMeaning, lastName, type PythonProject } from './project.ts'
import type { Call, Expression } from './python.ts'
import { quote, writeList, writeObject } from './text.ts'
import { writeTodoPage } from './todo-page.ts'
import { type Role, type Translation, translate } from './translate.ts'
import { oneLine } from './values.ts'

export interface PortedProject {
  files: { [path: string]: string }
  copies: { [path: string]: string }
  packages: string[]
  /** What was carried over: `3 agents`. */
  carried: string[]
  /** How many entries the list has. */
  todos: number
}

/** Options of `run_fastapi` -> ours. */
const SERVED: { [name: string]: string } = {
  host: 'host',
  port: 'port',
  server_url: 'serverUrl',
  app_token_env: 'appTokenEnv',
  cors_origins: 'corsOrigins',
  enable_agui: 'enableAgui',
  enable_logging: 'enableLogging',
  logs_dir: 'logsDir',
  allowed_local_file_dirs: 'allowedLocalFileDirs',
}

const MODEL = `/** The models of the agents. */
type ModelName = 'demo' | (string & {})

/**
 * The model that an agent uses: "demo", which answers offline, until AGENCY_MODEL is set. "own" gives each agent the model that it has
 * in Python; any other name is used for all agents.
 */
export function model(own: ModelName = 'gpt-5.6-luna'): ModelName {
  const wanted = process.env.AGENCY_MODEL || 'demo'
  return wanted === 'own' ? own : wanted
}
`

/** @param file the named file, as the user wrote it. @throws CommandError when the files define no agency and no agent */
export function portProject(project: PythonProject, file: string): PortedProject {
  const translation = translate(project)
  const entry = writeEntry(project, translation)
  if (entry === undefined) throw nothingToPort(file)
  const { files, copies, todos, found } = translation
  for (const { path, problem } of project.problems)
    todos.push({ kind: 'file', path, line: 1, what: `the file could not be read: ${problem}` })
  const carried = summarize(found)
  const text = Object.values(files).join('\n')
  const page = writeTodoPage({
    root: project.root,
    source: relative(project.root, project.entry.path).replaceAll('\\', '/'),
    carried,
    todos,
    packages: listPackages(project),
    left: listLeft(found, files),
  })
  return {
    files: { 'agency.ts': entry, 'model.ts': MODEL, ...files, 'PORTING.md': page, '.env.example': writeEnv(project) },
    copies,
    packages: [
      ...(/mcpServers:/i.test(text) ? ['@modelcontextprotocol/client'] : []),
      ...(/schemasFolder:/.test(text) ? ['@scalar/openapi-upgrader', 'yaml'] : []),
    ],
    carried,
    todos: todos.length,
  }
}

/** The module that `npm start` serves: the arguments of `run_fastapi`, or every agency. */
function writeEntry(project: PythonProject, translation: Translation): string | undefined {
  const served = findServeCall(project)
  const options: [string, string | undefined][] = []
  const module = served?.module ?? project.entry
  const { text, imports } = translation.writeAtTop(module, (scope) => {
    const agencies: [string, string][] = []
    const listed = served && keyword(served.call, 'agencies')
    if (listed?.type === 'Dict')
      for (const [index, key] of listed.keys.entries()) {
        const value = listed.values[index] as Expression
        const written = writeServed(scope.find(value), (meaning) => scope.use(meaning), translation)
        const name = textOf(key)
        if (written !== undefined && name !== undefined) agencies.push([name, written])
        else scope.todo('option', value, `the agency \`${oneLine(scope.textOf(value))}\` that is served`)
      }
    if (agencies.length === 0)
      for (const definition of pickAgencies(project, translation)) {
        const written = writeServed(definition, (meaning) => scope.use(meaning), translation)
        if (written !== undefined) agencies.push([nameAgency(definition), written])
      }
    if (agencies.length === 0)
      for (const { definition } of translation.found.filter(({ role }) => role === 'agent')) {
        const name = scope.use(definition)
        if (name !== undefined) agencies.push([definition.name, `new ${scope.library('Agency')}(${name})`])
      }
    if (agencies.length === 0) return undefined
    options.push(['agencies', writeObject(dedupe(agencies))])
    for (const { arg, value } of served?.call.keywords ?? []) {
      if (arg === 'agencies' || arg === 'return_app' || (value.type === 'Constant' && value.value === null)) continue
      if (arg === 'tools' && value.type === 'List') {
        const names = value.elts.map((item) => {
          const meaning = scope.find(item)
          return meaning?.kind === 'defined' ? scope.use(meaning) : undefined
        })
        options.push(['tools', writeList(names.filter((name) => name !== undefined))])
        if (!names.includes(undefined)) continue
      }
      const written = arg !== null && Object.hasOwn(SERVED, arg) ? writeConstant(value) : undefined
      if (written !== undefined) options.push([SERVED[arg as string] as string, written])
      else scope.todo('option', value, `\`${arg ?? '**'}=${oneLine(scope.textOf(value))}\` of run_fastapi`)
    }
    return writeObject(options)
  })
  if (text === undefined) return undefined
  return `/** What is served: agencies by the names of their paths, and the options of the server. */
import type { ServeOptions } from 'agency-swarm-js'
${imports}

export default ${text} satisfies ServeOptions
`
}

/** Texts, numbers, booleans, lists of them. */
function writeConstant(node: Expression): string | undefined {
  if (node.type === 'Constant') return typeof node.value === 'string' ? quote(node.value) : String(node.value)
  if (node.type !== 'List') return undefined
  const items = node.elts.map(writeConstant)
  return items.includes(undefined) ? undefined : writeList(items as string[])
}

type Use = (meaning: Definition) => string | undefined

/** An agency that a name stands for: a value, or the result of the function that makes it. */
function writeServed(meaning: { kind: string } | undefined, use: Use, { roleOf }: Translation): string | undefined {
  if (meaning?.kind !== 'defined') return undefined
  const definition = meaning as Definition
  const role = roleOf(definition)
  const name = role === 'agency' || role === 'builder' ? use(definition) : undefined
  return role === 'builder' && name !== undefined ? `${name}()` : name
}

/** The agencies of the named file, or of all files: functions that make one come before values that call them. */
function pickAgencies(project: PythonProject, { found, makesAgency }: Translation): Definition[] {
  const all = found.filter(
    ({ role, definition }) => role === 'agency' || (role === 'builder' && makesAgency(definition)),
  )
  const own = all.filter(({ definition }) => definition.module === project.entry)
  const near = own.length > 0 ? own : all
  const lasting = near.filter(({ definition: { module, statement } }) => !module.mainOnly.has(statement))
  const pool = lasting.length > 0 ? lasting : near
  const values = pool.filter(({ role }) => role === 'agency')
  return (values.length > 0 ? values : pool).map(({ definition }) => definition)
}

function nameAgency({ statement, name }: Definition): string {
  const calls = [...walk(statement)].filter((node): node is Expression & Call => node.type === 'Call')
  const named = calls
    .filter(({ func }) => /(^|\.)Agency$/.test(dotted(func) ?? ''))
    .map((call) => textOf(keyword(call, 'name')))
  const text = named.find((one) => one !== undefined) ?? (/^(create|build|make|get|main)/.test(name) ? 'agency' : name)
  return text.replace(/[^A-Za-z0-9_-]+/g, '_')
}

function dedupe(agencies: [string, string][]): [string, string][] {
  const counts = new Map<string, number>()
  return agencies.map(([name, text]) => {
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return [count === 1 ? name : `${name}_${count}`, text]
  })
}

/** The call of `run_fastapi(...)` or `agency.run_fastapi(...)`; that of the named file comes first. */
function findServeCall(project: PythonProject): { call: Call; module: Module } | undefined {
  const modules = [project.entry, ...project.modules.values()]
  for (const module of modules)
    for (const node of walk(module.source.body)) {
      if (node.type !== 'Call') continue
      const { func } = node as Expression & Call
      const meaning = findMeaning(project, module, func)
      if (meaning?.kind === 'external' && lastName(meaning) === 'run_fastapi') return { call: node, module }
      if (func.type === 'Attribute' && func.attr === 'run_fastapi') return { call: node, module }
    }
  return undefined
}

const NOUNS: { [Kind in Role]?: string } = {
  agency: 'agency',
  agent: 'agent',
  'agent-class': 'agent class',
  'tool-class': 'tool',
  'function-tool': 'tool',
  model: 'model',
  'input-guardrail': 'guardrail',
  'output-guardrail': 'guardrail',
  builder: 'function that makes agents',
}

function summarize(found: Translation['found']): string[] {
  const counts = new Map<string, number>()
  for (const { role } of found) {
    const noun = NOUNS[role]
    if (noun !== undefined) counts.set(noun, (counts.get(noun) ?? 0) + 1)
  }
  const plural = (noun: string) =>
    noun === 'agency'
      ? 'agencies'
      : noun.startsWith('function')
        ? noun.replace('function that makes', 'functions that make')
        : noun.endsWith('s')
          ? `${noun}es`
          : `${noun}s`
  return [...counts].map(([noun, count]) => `${count} ${count === 1 ? noun : plural(noun)}`)
}

/** Functions and classes that were not written. */
function listLeft(found: Translation['found'], files: Translation['files']) {
  const text = Object.values(files).join('\n')
  return found
    .filter(
      ({ role, definition: { statement } }) =>
        (role === 'function' || role === 'model' || role === 'hooks') &&
        (isFunction(statement) || statement.type === 'ClassDef'),
    )
    .filter(
      ({ definition: { name } }) => !text.includes(`the function ${name},`) && !text.includes(`export const ${name} `),
    )
    .map(({ definition: { name, module, statement } }) => ({ path: module.path, line: statement.span[0], name }))
}

/** Packages that the translation stands for, or that come with Python. */
const KNOWN_PACKAGES = new Set(
  `agency_swarm agents pydantic dotenv os sys typing typing_extensions asyncio json re datetime pathlib logging enum dataclasses
  collections functools itertools math random time uuid subprocess shutil tempfile io abc copy inspect textwrap hashlib base64 glob
  threading concurrent contextlib traceback string urllib http warnings __future__ csv sqlite3 socket platform importlib ast argparse
  signal queue statistics secrets zipfile html difflib pprint types operator unittest mimetypes webbrowser email smtplib calendar
  zoneinfo decimal fractions gc locale pickle xml imaplib struct select getpass configparser ssl venv site codecs unicodedata`.split(
    /\s+/,
  ),
)

function listPackages({ modules }: PythonProject): string[] {
  const names = new Set<string>()
  for (const { source, bindings } of modules.values())
    for (const node of walk(source.body)) {
      const from =
        node.type === 'ImportFrom' && node.level === 0 && node.module !== null
          ? [node.module]
          : node.type === 'Import'
            ? node.names.map(({ name }) => name)
            : []
      for (const name of from) {
        const top = name.split('.', 1)[0] as string
        const own = [...bindings.values()].some(
          (binding) =>
            binding.kind === 'import' && binding.from === name && binding.files.length + binding.submodules.length > 0,
        )
        if (!own && !KNOWN_PACKAGES.has(top)) names.add(top)
      }
    }
  return [...names].sort()
}

/** The variables that the files read, without values. */
function writeEnv({ modules }: PythonProject): string {
  const names = new Set<string>()
  for (const { source } of modules.values())
    for (const node of walk(source.body)) {
      const name =
        node.type === 'Call' && /^(os\.)?getenv$|^os\.environ\.get$/.test(dotted(node.func) ?? '')
          ? textOf(node.args[0])
          : node.type === 'Subscript' && dotted(node.value) === 'os.environ'
            ? textOf(node.slice)
            : undefined
      if (name !== undefined && /^[A-Za-z_]\w*$/.test(name)) names.add(name)
    }
  for (const own of ['OPENAI_API_KEY', 'AGENCY_MODEL', 'APP_TOKEN', 'HOST', 'PORT']) names.delete(own)
  return `# Copy to .env, which is read at start. Without it everything runs offline on the demo model.
#OPENAI_API_KEY=

# own: each agent has its model of the Python agency. Any other name is the model of all agents.
#AGENCY_MODEL=own

# Callers then have to send: Authorization: Bearer <token>
#APP_TOKEN=

#HOST=127.0.0.1
#PORT=8000
${
  names.size === 0
    ? ''
    : `\n# Read by the Python agency\n${[...names]
        .sort()
        .map((name) => `#${name}=\n`)
        .join('')}`
}`
}
