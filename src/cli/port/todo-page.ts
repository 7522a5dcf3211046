/** The list of what is left to do after a port: PORTING.md. */
import { relative } from 'node:path'
import type { Todo } from './scope.ts'

const SECTIONS: { [Kind in Todo['kind']]: string } = {
  tool: 'Code of tools',
  guardrail: 'Guardrails',
  function: 'Functions',
  class: 'Members of classes',
  option: 'Options',
  value: 'Values and types',
  file: 'Files',
}

export interface PortReport {
  /** The folder that paths of the list are relative to. */
  root: string
  /** The file that was named, relative to the root. */
  source: string
  /** What was carried over: `3 agents`, `8 tools`. */
  carried: readonly string[]
  todos: readonly Todo[]
  /** Python packages that the files import. */
  packages: readonly string[]
  /** Definitions that nothing translated uses. */
  left: readonly { path: string; line: number; name: string }[]
}

/** Every entry names the Python file and the line. */
export function writeTodoPage({ root, source, carried, todos, packages, left }: PortReport): string {
  const at = (path: string, line: number) => `\`${relative(root, path).replaceAll('\\', '/')}:${line}\``
  const sections = Object.entries(SECTIONS).flatMap(([kind, title]) => {
    const own = todos.filter((todo) => todo.kind === kind)
    if (own.length === 0) return []
    const lines = own
      .toSorted((a, b) => (a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1))
      .map(({ path, line, what }) => `- [ ] ${at(path, line)}: ${what}`)
    return ['', `## ${title} (${own.length})`, '', ...new Set(lines)]
  })
  return `${[
    '# Port from Python',
    '',
    `Written by \`agency-swarm-js port\` from \`${source}\`. Carried over: ${carried.join(', ')}. Lines are those of the Python files.`,
    '',
    'The project compiles (`npm run typecheck`) and answers on the offline demo model (`npm start`). Code that is not ported throws an',
    'error that begins with `TODO`, and stands as a comment where it belongs. Search for `TODO` to find each place. Then set AGENCY_MODEL',
    'in `.env`: `own` gives each agent the model that it has in Python.',
    ...sections,
    ...(packages.length === 0
      ? []
      : [
          '',
          '## Python packages',
          '',
          `The files import these, for which npm may have a counterpart: ${packages.map((name) => `\`${name}\``).join(', ')}.`,
        ]),
    ...(left.length === 0
      ? []
      : [
          '',
          '## Not carried over',
          '',
          'Nothing that was translated uses these:',
          '',
          ...left.map(({ path, line, name }) => `- ${at(path, line)}: \`${name}\``),
        ]),
  ].join('\n')}\n`
}
