// Writes docs/coming-from-python-features.md from tests/features.ts. Fails for a feature that no test holds, and for a page that does not exist.
//   node scripts/features-doc.mjs [--write]     without --write it prints the page
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FEATURES } from '../tests/features.ts'
import { PROMISES } from '../tests/promises.ts'
import { readTests } from './claims.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const files = readTests(root)
const titles = new Set(files.flatMap(({ path, tests }) => tests.map(({ title }) => `${path}: ${title}`)))
const kept = new Set(files.flatMap(({ tests }) => tests.flatMap(({ claims }) => claims)))

for (const { feature, has, docs = [], held = [] } of FEATURES) {
  const wrong = (reason) => new Error(`tests/features.ts, "${feature}": ${reason}`)
  const owed = has === 'yes' || has === 'partly'
  if (owed && (held.length === 0 || docs.length === 0))
    throw wrong('name the tests that hold it and the pages that explain it.')
  for (const claim of held) {
    const id = claim.startsWith('promise ') ? claim.slice(8) : undefined
    if (id === undefined ? !titles.has(claim) : !Object.hasOwn(PROMISES, id) || !kept.has(id))
      throw wrong(`no test holds "${claim}".`)
  }
  for (const page of docs) if (!existsSync(join(root, `docs/${page}.md`))) throw wrong(`there is no docs/${page}.md.`)
}

const count = (word) => FEATURES.filter(({ has }) => has === word).length
const row = ({ page, feature, has, note, docs = [] }, index) =>
  `| ${FEATURES[index - 1]?.page === page ? '' : page} | ${feature} | ${has === 'no' ? '**no**' : has} | ${note}${docs.length === 0 ? '' : ` (${docs.map((name) => `[${name}](${name}.md)`).join(', ')})`} |`
const page = `# Features of the original

What the Python original (agency-swarm 1.11.0) has, page by page of its documentation, and what this package has of it. Written by
\`node scripts/features-doc.mjs --write\` from \`tests/features.ts\`; a test fails when a feature marked yes or partly has no test that holds it.

Of ${FEATURES.length} features: ${count('yes')} yes, ${count('partly')} partly, ${count('no')} no, ${count('not needed')} not needed. [Migrating from Python](migrating-from-python.md) maps every name.

| Page of the original | Feature | Here | How, or why not |
| --- | --- | --- | --- |
${FEATURES.map(row).join('\n')}
`
if (process.argv.includes('--write')) writeFileSync(join(root, 'docs/coming-from-python-features.md'), page)
else process.stdout.write(page)
