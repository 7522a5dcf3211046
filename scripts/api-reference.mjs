// Writes docs/api.md: every public name with its comment and its declaration, from the declarations that the compiler emits.
//   node scripts/api-reference.mjs [--check]     --check only reports whether the file is up to date
// Fails for a public name without a comment.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { builtDeclarations } from './declarations.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const target = join(root, 'docs/api.md')

/** The file of a name decides its section; the first match wins. */
const GROUPS = [
  ['Agents and agencies', /^(agency-swarm\.|agency\/(agency|agent|flows|chain|context|tool-use)\.)/],
  ['Guardrails, reminders, hooks', /^agency\/(?!served)/],
  ['Tools', /^tools\//],
  ['Serving', /^(serve|agency\/served|composition|services|limits|fastify|server\/.*|files\/.*)/],
  ['Models and prices', /^models\//],
  ['Events, messages, usage', /^(runs|wire)\//],
]
const REST = 'Errors and the rest'

// ---- what the compiler emits

function emitDeclarations() {
  const built = builtDeclarations()
  if (built !== undefined) return built
  const folder = mkdtempSync(join(tmpdir(), 'api-reference-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const args = ['-p', join(root, 'tsconfig.build.json'), '--emitDeclarationOnly', '--outDir', folder]
  const tsc = join(root, 'node_modules/.bin/tsc')
  const { status, stdout } = spawnSync(tsc, args, { encoding: 'utf8' })
  if (status === 0) return folder
  console.error(stdout)
  process.exit(1)
}

/** Comments and texts blanked out, so that brackets and names in them do not count. */
const bare = (code) => code.replace(/\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, '')
const depth = (code) => (code.match(/[{([]/g) ?? []).length - (code.match(/[})\]]/g) ?? []).length

const modules = new Map()

/** One emitted file: its top-level declarations by name, its imports and its re-exports. */
function read(file) {
  const known = modules.get(file)
  if (known !== undefined) return known
  const module = { file, declarations: new Map(), imports: new Map(), exports: new Map() }
  modules.set(file, module)
  for (const statement of statements(readFileSync(file, 'utf8'))) {
    const [head = ''] = /^(?:\/\*\*[\s\S]*?\*\/\s*)*/.exec(statement) ?? []
    const comment = head.trim().replace(/^[\s\S]*\*\/\s*(?=\/\*\*)/, '') // the last one; a file's own stands before it
    const code = statement.slice(head.length)
    const from = /\bfrom '(\.[^']+)'/.exec(code)?.[1]
    const place = from && resolve(dirname(file), from.replace(/\.tsx?$/, '.d.ts'))
    const list = /^(import|export) (type )?\{([^}]*)\}/.exec(code)
    if (list !== null && place !== undefined)
      for (const [, type = list[2], name, alias = name] of list[3].matchAll(/(type )?(\w+)(?: as (\w+))?/g))
        module[`${list[1]}s`].set(alias, { name, place, typeOnly: type !== undefined })
    const name = /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface|type|function|const) (\w+)/.exec(code)?.[1]
    if (name === undefined) continue
    const before = module.declarations.get(name)
    if (before === undefined) module.declarations.set(name, { name, file, comment, code })
    else before.code += `\n${comment === '' ? '' : `${comment}\n`}${code}` // an overload
    if (code.startsWith('export ')) module.exports.set(name, { name, place: file })
  }
  return module
}

function* statements(text) {
  let open = ''
  let inComment = false
  for (const line of text.split('\n')) {
    open += `${line}\n`
    if (/^\/\*\*/.test(line)) inComment = true
    if (inComment && line.includes('*/')) {
      inComment = false
      continue
    }
    const ends = /^(?:export )?(?:declare )?(?:abstract )?(?:class|interface) /m.test(open) ? /\}$/ : /;$/
    if (inComment || !ends.test(line) || depth(bare(open)) !== 0) continue
    yield open.trim()
    open = ''
  }
}

/** The declaration of a name in a file, found through imports and re-exports. */
function find(file, name) {
  const module = read(file)
  const there = module.declarations.get(name)
  if (there !== undefined) return there
  const link = module.exports.get(name) ?? module.imports.get(name)
  return link && find(link.place, link.name)
}

// ---- the page

/** Classes that users get but cannot construct. */
const typesOnly = new Set()

/** Base inside the package -> the public class that stands for it. */
const standIns = new Map()

/** Declarations as in the source, without internal members. */
function toCode(declaration) {
  const code = declaration.code
    .replaceAll(/\b[A-Z]\w*\b/g, (name) => standIns.get(find(declaration.file, name)) ?? name)
    .replaceAll(/^export (declare )?/gm, '')
    .replaceAll(/^ {4}(#private|(declare )?private .*);\n/gm, '')
    .replaceAll(/^ {4}constructor\([\s\S]*?\);\n/gm, (line) => (typesOnly.has(declaration) ? '' : line))
    .replaceAll(/^ {4}\/\*\*(?:(?!\*\/)[\s\S])*@internal[\s\S]*?\*\/\n {4}.*\n/gm, '')
  return withInherited(declaration, code).replaceAll(/^( {4})+/gm, (indent) => ' '.repeat(indent.length / 2))
}

/** A class with the members of its base inside the package, which users cannot import. */
function withInherited(declaration, code) {
  const parent = baseOf(declaration)
  if (parent === undefined) return code
  const inherited = toCode(parent)
    .replaceAll(/^( {2})+/gm, (indent) => ' '.repeat(indent.length * 2))
    .replace(/^.*\n/, '')
    .replace(/\}$/, '')
    .replace(isClass(declaration) ? '' : /^ {4}constructor\(.*\n/m, '')
  return code.replace(/^(.*) extends \w+ \{\n/, (_, head) => `${head} {\n${inherited}`)
}

/** The class that a class, or the interface of one, extends. */
const baseOf = ({ file, code }) => {
  const [, base] = /^(?:export )?(?:declare )?(?:class|interface) \w+(?:<.*>)? extends (\w+) \{\n/.exec(code) ?? []
  const declaration = base && find(file, base)
  return declaration && isClass(declaration) ? declaration : undefined
}

/** A doc comment as Markdown: its text, then its tags, then its examples. */
function toText(comment) {
  const whole = comment
    .replace(/^\/\*\*\s*|\s*\*\/$/g, '')
    .replaceAll(/^ *\* ?/gm, '')
    .replaceAll(/\{@link (\w+)\}/g, '`$1`')
  const [text = '', ...examples] = whole.split(/\s*@example\s*/)
  const [body = '', ...tags] = text.split(/\s*@(?=throws|param|returns|see)/)
  const lines = tags.map((tag) => {
    const [, kind, rest = ''] = /^(\w+)\s+([\s\S]*)$/.exec(tag) ?? []
    return kind === 'param' ? `- \`${rest.replace(/^(\S+)\s+/, '$1`: ')}` : `- ${kind}: ${rest}`
  })
  const list = lines.map((line) => line.replaceAll(/\s*\n\s*/g, ' ')).join('\n')
  return [body.trim(), list, ...examples.map((example) => example.trim())].filter(Boolean).join('\n\n')
}

const toSection = (declaration) =>
  [`### ${declaration.name}`, toText(declaration.comment), `\`\`\`ts\n${toCode(declaration)}\n\`\`\``]
    .filter(Boolean)
    .join('\n\n')

const isClass = ({ code }) => /^(?:export )?(?:declare )?(?:abstract )?class /.test(code)
const isType = ({ code }) => /^(?:export )?(?:declare )?(?:interface|type) /.test(code)

/** Types that declarations mention but no entry point exports -> the section of their first use. */
function mentioned(sections, shown) {
  const found = new Map()
  const look = (declaration, title) => {
    for (const [name] of bare(toCode(declaration)).matchAll(/\b[A-Z]\w*\b/g)) {
      const shape = find(declaration.file, name)
      if (shape === undefined || shown.has(shape) || found.has(shape) || standIns.has(shape)) continue
      if (/^(?:export )?(?:declare )?const /.test(shape.code)) continue // only its type is meant
      found.set(shape, title)
      look(shape, title)
    }
    const base = baseOf(declaration)
    if (base !== undefined) look(base, title)
  }
  for (const [title, { names }] of sections) for (const declaration of names) look(declaration, title)
  return [...found].sort(([a], [b]) => a.name.localeCompare(b.name))
}

const out = emitDeclarations()
const { exports: doors } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const groupOf = ({ file }) => GROUPS.find(([, place]) => place.test(relative(out, file)))?.[0]

/** Section -> its public names and the types that they mention. */
const sections = new Map([...GROUPS.map(([title]) => title), REST].map((title) => [title, { names: [], shapes: [] }]))
const shown = new Set()
for (const [door, { types }] of Object.entries(doors)) {
  if (types === undefined) continue
  const entry = resolve(out, relative(join(root, 'dist'), resolve(root, types)))
  const own = `agency-swarm-js/${door.slice(2)}`
  if (door !== '.') sections.set(own, { names: [], shapes: [] })
  for (const [name, { typeOnly }] of read(entry).exports) {
    const declaration = find(entry, name)
    if (shown.has(declaration)) continue
    if (typeOnly) typesOnly.add(declaration)
    shown.add(declaration)
    sections.get(door === '.' ? (groupOf(declaration) ?? REST) : own).names.push(declaration)
    if (baseOf(declaration) !== undefined) standIns.set(baseOf(declaration), declaration.name)
  }
}
const silent = [...shown].filter(({ comment }) => comment === '')
for (const { name, file } of silent)
  console.error(`${name} (src/${relative(out, file).replace('.d.ts', '.ts')}) is public and has no comment`)
if (silent.length > 0) process.exit(1)
for (const [shape, title] of mentioned(sections, shown)) sections.get(groupOf(shape) ?? title).shapes.push(shape)

/** Anchors as on GitHub: later duplicates get a number. */
const taken = new Map()
function anchor(heading) {
  const plain = heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-')
  const count = taken.get(plain) ?? 0
  taken.set(plain, count + 1)
  return count === 0 ? plain : `${plain}-${count}`
}
const isValue = (declaration) => Number(!isType(declaration) && !typesOnly.has(declaration))
const contents = []
const body = []
for (const [title, { names, shapes }] of sections) {
  if (names.length + shapes.length === 0) continue
  names.sort((a, b) => isValue(b) - isValue(a)) // what one calls comes before its types
  const top = `[${title}](#${anchor(title)})`
  const links = (list) => list.map(({ name }) => `[${name}](#${anchor(name)})`).join(', ')
  contents.push(`- ${top}: ${links(names)}${shapes.length === 0 ? '' : `; mentioned by them: ${links(shapes)}`}`)
  body.push(`## ${title}`, ...[...names, ...shapes].map(toSection))
}
const text = `# API reference

Every public name, with what it is for and its declaration. The pages in [index.md](index.md) show how things are used. Names are imported from
\`agency-swarm-js\`, those of a section that is called after another door from there; what others only mention cannot be imported. Written by
\`scripts/api-reference.mjs\` from the sources.

${contents.join('\n')}

${body.join('\n\n')}
`

if (!process.argv.includes('--check')) writeFileSync(target, text)
else if (readFileSync(target, 'utf8') !== text) {
  console.error('docs/api.md is not what the sources say. Run: node scripts/api-reference.mjs')
  process.exit(1)
}
