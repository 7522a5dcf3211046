// Writes the docs for coding agents, in the form of https://llmstxt.org: llms.txt is the list of pages, llms-full.txt has their texts.
//   node scripts/llms-doc.mjs [--check]     llms.txt, which is in the repository; with --check it fails when the file is out of date
//   node scripts/llms-doc.mjs --full        llms-full.txt, for the package
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path) => readFileSync(join(root, path), 'utf8')

/** Pages whose texts are left out of llms-full.txt: those for people who work on this package, and long lists to look things up in. */
const LEFT_OUT = ['api', 'architecture', 'benchmarks', 'errors', 'promises']

const { description } = JSON.parse(read('package.json'))
const head = `# agency-swarm-js

> ${description}

Package: \`agency-swarm-js\` (Node 22.19 or newer, ES modules). Its HTTP API is that of the Python original, agency-swarm.
`
const index = read('docs/index.md')
const list = index
  .slice(index.indexOf('\n## '))
  .replace(/\]\((?!https?:)(?:\.\/)?([^)]+)\)/g, (_, link) =>
    link.startsWith('../') ? `](${link.slice(3)})` : `](docs/${link})`,
  )
const pages = [...new Set([...index.matchAll(/\]\(([\w-]+)\.md\)/g)].map(([, page]) => page))]
const texts = pages
  .filter((page) => !LEFT_OUT.includes(page))
  .map((page) => `<!-- docs/${page}.md -->\n\n${read(`docs/${page}.md`).trim()}\n`)

const short = `${head}${list}`
if (process.argv.includes('--full')) writeFileSync(join(root, 'llms-full.txt'), `${head}\n${texts.join('\n')}`)
else if (!process.argv.includes('--check')) writeFileSync(join(root, 'llms.txt'), short)
else if (read('llms.txt') !== short) {
  console.error('llms.txt is out of date. Run: node scripts/llms-doc.mjs')
  process.exitCode = 1
}
