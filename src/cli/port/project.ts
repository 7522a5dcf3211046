/** The Python modules of an agency: the named file and what it imports from its own project, and what each name in them means. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { cannotParse, tooManyModules } from '../errors.ts'
import type { External, Imported, Meaning, Module } from './module.ts'
import { isExpression, walk } from './nodes.ts'
import { readPath } from './paths.ts'
import { type Expression, readPython, type Statement } from './python.ts'

/** Most files that are read. */
const MAX_MODULES = 1_000
/** How many folders above the named file are searched for imported modules. */
const MAX_PARENTS = 3

export interface PythonProject {
  entry: Module
  modules: ReadonlyMap<string, Module>
  /** The folder that contains all modules. */
  root: string
  /** Files that could not be parsed, and why. */
  problems: { path: string; problem: string }[]
}

/**
 * Reads a file, the files of the same project that it imports, and those in folders of tools.
 * @throws CommandError when there is no Python, when the file cannot be parsed, or for too many files
 */
export async function readProject(file: string): Promise<PythonProject> {
  const entryPath = resolve(file)
  const modules = new Map<string, Module>()
  const problems: PythonProject['problems'] = []
  const roots = listRoots(dirname(entryPath))
  const seen = new Set([entryPath])
  for (let next = [entryPath]; next.length > 0; ) {
    if (seen.size > MAX_MODULES) throw tooManyModules(MAX_MODULES)
    const sources = await readPython(next)
    const found = sources.flatMap((source, index): string[] => {
      const path = next[index] as string
      if ('problem' in source) {
        if (path === entryPath) throw cannotParse(file, source.problem)
        problems.push({ path, problem: source.problem })
        return []
      }
      const module: Module = { path, source, bindings: new Map(), mainOnly: new Set() }
      modules.set(path, module)
      return [...bind(module, roots), ...listToolFolders(module)]
    })
    next = [...new Set(found)].filter((path) => !seen.has(path))
    for (const path of next) seen.add(path)
  }
  const entry = modules.get(entryPath) as Module
  return { entry, modules, root: commonFolder([...modules.keys()]), problems }
}

/** What an expression such as `Agent`, `agency_swarm.Agent` or `tools.Search` names; undefined for other expressions and local names. */
export function findMeaning(project: PythonProject, module: Module, expression: Expression): Meaning | undefined {
  if (expression.type === 'Name') return findName(project, module, expression.id)
  if (expression.type !== 'Attribute') return undefined
  const owner = findMeaning(project, module, expression.value)
  if (owner?.kind === 'module') return findName(project, owner.module, expression.attr)
  return owner?.kind === 'external' ? { kind: 'external', path: `${owner.path}.${expression.attr}` } : undefined
}

function findName(project: PythonProject, module: Module, name: string, depth = 0): Meaning | undefined {
  const binding = module.bindings.get(name)
  if (binding?.kind !== 'import') return binding
  if (depth > MAX_MODULES) return undefined // modules that import a name from each other
  for (const file of binding.files) {
    const target = project.modules.get(file)
    const meaning = target === undefined ? undefined : findName(project, target, binding.name, depth + 1)
    if (meaning !== undefined) return meaning
  }
  for (const file of binding.submodules) {
    const submodule = project.modules.get(file)
    if (submodule !== undefined) return { kind: 'module', module: submodule }
  }
  return { kind: 'external', path: `${binding.from}.${binding.name}` }
}

/** The name at the end of an external path: `BaseTool` of `agency_swarm.tools.BaseTool`. */
export const lastName = ({ path }: External): string => path.slice(path.lastIndexOf('.') + 1)

/** Collects the names of a module. @returns the files that it imports */
function bind(module: Module, roots: readonly string[]): string[] {
  const { bindings, source, mainOnly } = module
  for (const statement of source.body)
    if (statement.type === 'If' && isMainCheck(statement.test))
      for (const own of flatten(statement.body)) mainOnly.add(own)
  for (const statement of flatten(source.body))
    for (const name of definedNames(statement))
      if (!(mainOnly.has(statement) && bindings.has(name)))
        bindings.set(name, { kind: 'defined', module, name, statement })
  const files: string[] = []
  const add = (as: string, binding: Imported | External) => {
    if (binding.kind === 'import') files.push(...binding.files, ...binding.submodules)
    if (bindings.get(as)?.kind !== 'defined') bindings.set(as, binding)
  }
  for (const node of walk(source.body)) {
    if (node.type === 'ImportFrom') {
      const bases = listBases(module.path, roots, node.module, node.level)
      for (const { name, asname } of node.names) {
        const base = bases.find((one) => moduleFiles(one).length > 0 || moduleFiles(join(one, name)).length > 0)
        const found = (path: string | undefined) => (path === undefined ? [] : moduleFiles(path))
        const submodules = found(base && join(base, name))
        add(asname ?? name, { kind: 'import', from: node.module ?? '', name, files: found(base), submodules })
      }
    } else if (node.type === 'Import')
      for (const { name, asname } of node.names) {
        const bases = listBases(module.path, roots, name, 0)
        const submodules = bases.map(moduleFiles).find((found) => found.length > 0)
        const as = asname ?? (name.split('.', 1)[0] as string)
        const external: External = { kind: 'external', path: asname === null ? as : name }
        add(as, submodules === undefined ? external : { kind: 'import', from: name, name, files: [], submodules })
      }
  }
  return files
}

/** `__name__ == "__main__"` */
const isMainCheck = (test: Expression): boolean =>
  test.type === 'Compare' &&
  [test.left, ...test.comparators].some((side) => side.type === 'Name' && side.id === '__name__')

const definedNames = (statement: Statement): string[] => {
  if (statement.type === 'FunctionDef' || statement.type === 'AsyncFunctionDef' || statement.type === 'ClassDef')
    return [statement.name]
  const targets =
    statement.type === 'Assign' ? statement.targets : statement.type === 'AnnAssign' ? [statement.target] : []
  return targets.flatMap((target) => (target.type === 'Name' ? [target.id] : []))
}

/** The statements at the top of a module, with those inside `if`, `try` and `with`. */
export const flatten = (body: readonly Statement[]): Statement[] =>
  body.flatMap((statement): Statement[] => {
    if (statement.type === 'If' || statement.type === 'With')
      return flatten([...statement.body, ...(statement.orelse ?? [])])
    return statement.type === 'Try' ? flatten([...statement.body, ...statement.orelse]) : [statement]
  })

/** The folder and those above it, up to that of the repository. */
function listRoots(folder: string): string[] {
  const roots = [folder]
  while (roots.length <= MAX_PARENTS && !existsSync(join(roots.at(-1) as string, '.git')))
    roots.push(dirname(roots.at(-1) as string))
  return roots
}

/** Paths that a module name may mean, without an ending. */
function listBases(path: string, roots: readonly string[], name: string | null, level: number): string[] {
  const parts = name === null ? [] : name.split('.')
  if (level > 0) return [join(dirname(path), ...Array<string>(level - 1).fill('..'), ...parts)]
  if (parts[0] === 'agency_swarm' || parts[0] === 'pydantic') return []
  return [...new Set([dirname(path), ...roots])].map((root) => join(root, ...parts))
}

const moduleFiles = (base: string): string[] => [`${base}.py`, join(base, '__init__.py')].filter(isFile)
const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true

/** The Python files in the folders that `tools_folder` names in this module. */
const listToolFolders = (module: Module): string[] =>
  [...walk(module.source.body)].flatMap((node) => {
    if (node.type !== 'Call') return []
    return node.keywords.flatMap(({ arg, value }) => {
      const folder =
        arg !== null && /tools_folder$/.test(arg) && isExpression(value) ? readPath(module, value) : undefined
      return folder === undefined ? [] : listToolFiles(folder)
    })
  })

/** The Python files of a folder of tools, without those that begin with `_` or `.`. */
export const listToolFiles = (folder: string): string[] =>
  statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true
    ? []
    : readdirSync(folder)
        .filter((name) => /^[^._].*\.py$/.test(name))
        .map((name) => join(folder, name))
        .sort()

function commonFolder(paths: readonly string[]): string {
  let folder = dirname(paths[0] as string)
  while (paths.some((path) => relative(folder, path).startsWith('..'))) folder = dirname(folder)
  return basename(folder) === '' ? dirname(paths[0] as string) : folder
}
