// Writes docs/promises.md from tests/promises.ts and the tests: each promise with its documentation and its tests.
//   node scripts/promises-doc.mjs [--write]     without --write it prints the page
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PROMISES, REQUIRED } from '../tests/promises.ts'
import { readTests } from './claims.mjs'

/** Document and heading -> the promises that a reader finds there. */
const PLACES = {
  'README.md: An agency': ['F2', 'F5', 'F7'],
  'README.md: Agents': ['F1', 'F8', 'F9', 'F10'],
  'README.md: Agencies': ['F2', 'F7'],
  'README.md: Serving': ['A1', 'A2', 'A3', 'A4', 'A5', 'A7', 'A8', 'A10', 'A11', 'A12', 'C13', 'E2', 'F6', 'F12'],
  'docs/wire.md: Routes': ['A6', 'A9', 'B11'],
  'docs/wire.md: Authentication': ['A3', 'E1', 'E2'],
  'docs/wire.md: CORS': ['A5'],
  'docs/wire.md: Requests': ['C1', 'C2', 'C4', 'C11', 'C12', 'C13', 'C15', 'C16', 'C17', 'C18'],
  'docs/wire.md: Answer of get_response': ['B1'],
  'docs/wire.md: Stream': ['B2', 'B3', 'B12'],
  'docs/wire.md: Cancel': ['B4', 'B5', 'B6', 'B7'],
  'docs/wire.md: Messages': ['B12', 'C2', 'C3', 'D1', 'F3', 'F4'],
  'docs/wire.md: Files': ['C5', 'C6', 'C7', 'C9'],
  'docs/wire.md: Guardrails': ['F8'],
  'docs/wire.md: Usage': ['D2', 'D3', 'D4', 'D5'],
  'docs/wire.md: Chat names': ['B1', 'B2', 'C16'],
  'docs/wire.md: Metadata': ['B8'],
  'docs/wire.md: Request logs': ['A7', 'B9'],
  'docs/wire.md: Tools': ['B10', 'C18'],
  'docs/wire.md: OpenAPI': ['B11', 'F6'],
  'docs/wire.md: Errors': ['C18', 'D6'],
  'docs/security.md: Limits': ['F12'],
  'docs/reliability.md: Reliability': ['B7', 'D6', 'F7', 'H14'],
  'docs/architecture.md: One request as data: `POST /my_agency/get_response_stream`': ['C17', 'F11'],
  'docs/serving.md: Agencies and tools on one server': ['A1', 'A9'],
  'docs/serving.md: Without listening: buildApp': ['A4'],
  'docs/serving.md: Inside your Fastify app: the plugin': ['A4'],
  'docs/serving.md: An agency, or a function that makes one': ['A10'],
  'docs/deploying.md: All cores of one machine': ['A13', 'B4'],
  'docs/deploying.md: Several machines': ['A14'],
  'docs/flows.md: Ask and get an answer: send_message': ['B12', 'F2', 'F3'],
  'docs/flows.md: Give the conversation away: handoffs': ['B12', 'F2', 'F4'],
  'docs/guardrails.md: Input guardrails': ['F8'],
  'docs/guardrails.md: Output guardrails': ['F8'],
  'docs/context.md: Give it with a request': ['C12'],
  'docs/threads.md: Kept by the client: chat_history': ['C3'],
  'docs/threads.md: Kept by your server': ['A10', 'F7'],
  'docs/files.md: How a file reaches the model': ['C5', 'C6', 'C7', 'C8'],
  'docs/files.md: Local files': ['A8', 'C9', 'C10'],
  'docs/usage.md: What a response costs': ['D2', 'D3'],
  'docs/usage.md: Turns that broke off': ['D5'],
  'docs/models.md: Names': ['F9'],
  'docs/models.md: client_config': ['C13', 'C14', 'C15', 'C16'],
  'docs/tools.md: A function': ['F5'],
  'docs/tools.md: A class': ['F5'],
  'docs/ag-ui.md: Serve it': ['G5'],
  'docs/ag-ui.md: The endpoint of the original': ['A6'],
  'docs/ag-ui.md: Use it': ['G1', 'G4'],
  'docs/ag-ui.md: Threads and runs': ['G4', 'G5'],
  'docs/ag-ui.md: Tools of the front end': ['G5'],
  'docs/ag-ui.md: State': ['G5'],
  'docs/ag-ui.md: Interrupts': ['G5'],
  'docs/ag-ui.md: What a request carries': ['G2'],
  'docs/ag-ui.md: What comes back': ['G1'],
  'docs/ag-ui.md: Who speaks': ['G3'],
  'docs/runs.md: Start a run and read its result': ['H1', 'H2', 'H3', 'H10'],
  'docs/runs.md: Keep runs over a restart': ['H4', 'H5', 'H10'],
  'docs/runs.md: Follow the events': ['H6', 'H7', 'H8'],
  'docs/runs.md: Stop a run': ['H9'],
  'docs/runs.md: Send a request twice safely': ['H11'],
  'docs/runs.md: Lists': ['H12'],
  'docs/runs.md: Whose run it is': ['H13'],
  'docs/threads.md: Kept by the server: thread_id': ['I1', 'I2', 'I3', 'I4'],
  'docs/approvals.md: Mark the tool': ['J1'],
  'docs/approvals.md: Find what waits': ['J2'],
  'docs/approvals.md: Decide': ['J3'],
  'docs/approvals.md: When nobody decides': ['J4', 'J7'],
  'docs/runs.md: Steer a live run': ['K1', 'K2'],
  'docs/approvals.md: Who may decide': ['J5'],
  'docs/approvals.md: After a restart': ['J6'],
}
const SECTIONS = {
  A: 'Serving',
  B: 'Endpoints',
  C: 'Request fields',
  D: 'Results',
  E: 'Authentication',
  F: 'Framework',
  G: 'AG-UI',
  H: 'Runs',
  I: 'Threads',
  J: 'Approvals',
}

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path) => readFileSync(join(root, path), 'utf8')

/** Promise -> links to its places. Throws for a heading that is not there, and for a kept promise without a place. */
function readPlaces() {
  const places = new Map()
  for (const [place, ids] of Object.entries(PLACES)) {
    const [path, heading] = place.split(/: (.*)/s)
    const headings = read(path).match(/(?<=^#+ ).*$/gm)
    if (!headings.includes(heading)) throw new Error(`${path} has no heading "${heading}".`)
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\d _-]/gu, '')
      .replaceAll(' ', '-')
    const link = `[${path}, ${heading}](${path.startsWith('docs/') ? path.slice(5) : `../${path}`}#${anchor})`
    for (const id of ids) places.set(id, [...(places.get(id) ?? []), link])
  }
  const lost = REQUIRED.filter((id) => !places.has(id))
  if (lost.length > 0) throw new Error(`PLACES has no documentation for ${lost.join(', ')}.`)
  return places
}

/** Promise -> tests that claim it, read from the sources: the test whose text a `promise(...)` stands in. */
function readClaims() {
  const claims = new Map()
  for (const { path, tests } of readTests(root))
    for (const { title, claims: ids } of tests)
      for (const id of ids) claims.set(id, [...(claims.get(id) ?? []), `\`${path}\`: ${title}`])
  return claims
}

const places = readPlaces()
const claims = readClaims()
const kept = Object.keys(PROMISES).filter((id) => claims.has(id))
const lines = [
  '# Promises',
  '',
  'What this package owes its users, where it is documented, and which tests would fail if it broke. Written by `node scripts/promises-doc.mjs --write` from',
  '`tests/promises.ts` and the tests; a run of all tests fails for a promise that no passing test holds.',
  '',
  `${kept.length} of ${Object.keys(PROMISES).length} promises are held by tests.`,
]
let section
for (const [id, text] of Object.entries(PROMISES)) {
  if (id[0] !== section) {
    section = id[0]
    lines.push('', `## ${section}. ${SECTIONS[section]}`)
  }
  lines.push('', `### ${id}`, '', text, '')
  if (places.has(id)) lines.push(`Documented in ${places.get(id).join(' · ')}`, '')
  if (claims.has(id)) lines.push(...claims.get(id).map((claim) => `- ${claim}`))
  else lines.push('Not kept by this version.')
}
const page = `${lines.join('\n')}\n`
if (process.argv.includes('--write')) writeFileSync(join(root, 'docs/promises.md'), page)
else process.stdout.write(page)
