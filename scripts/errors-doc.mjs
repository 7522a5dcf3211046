// Writes docs/errors.md: every error code with its meaning and remedy, from src/cli/error-catalogue.ts and the error files of src/base.
//   node scripts/errors-doc.mjs [--write]     without --write it prints the page
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { ERROR_CATALOGUE } from '../src/cli/error-catalogue.ts'

const base = new URL('../src/base/', import.meta.url)
const source = readdirSync(base)
  .filter((file) => file.endsWith('errors.ts'))
  .map((file) => readFileSync(new URL(file, base), 'utf8'))
  .join('\n')

/** The statuses of this code in the error files, or the status of the example. */
function statusesOf(code, { statusCode }) {
  const made = [...source.matchAll(new RegExp(`new AgencyError\\(\\s*'${code}',\\s*(\\d+)`, 'g'))].map(([, n]) =>
    Number(n),
  )
  return [...new Set([...made, statusCode])].sort().join(', ')
}

const SECTIONS = [
  [
    'start',
    'Making and starting',
    'Thrown by constructors, `serve()` and `buildApp()`, and printed by the command line.',
  ],
  [
    'request',
    'Before a run',
    'A request is refused, or what it needs cannot be made. In process the same error is thrown by `getResponse`.',
  ],
  [
    'run',
    'During a run',
    'Sent in the stream as an `error` event, answered by `get_response` with the status, and thrown in process.',
  ],
]

const entries = Object.entries(ERROR_CATALOGUE)
const sections = SECTIONS.flatMap(([when, title, about]) => [
  `## ${title}`,
  about,
  ...entries
    .filter(([, entry]) => entry.when === when)
    .map(
      ([code, { means, remedy, example }]) =>
        `### ${code}\n\n> ${example.message}\n\nStatus ${statusesOf(code, example)}. ${means}\n\nWhat to do: ${remedy}`,
    ),
])
const page = `# Errors by code

Every error this package throws on purpose is an \`AgencyError\` with a stable \`code\`. In your own code read \`error.code\`; on the console and in a \`logger\` each failed run
names it beside agency, agent and run id; \`npx agency-swarm-js doctor --explain <code>\` prints the entry. Answers over HTTP carry the sentence and the status, not the code,
as clients of the Python original expect. A typed client has kinds of its own: [the client](client.md). For symptoms in place of codes: [troubleshooting](troubleshooting.md).

${sections.join('\n\n')}

Written by \`node scripts/errors-doc.mjs --write\` from the sources.
`
if (process.argv.includes('--write')) writeFileSync(new URL('../docs/errors.md', import.meta.url), page)
else process.stdout.write(page)
