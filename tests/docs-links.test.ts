import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './support/docs.ts'

const examples = readdirSync(join(ROOT, 'examples'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
const folders = ['docs', ...examples.map(({ name }) => join('examples', name))]
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...folders
    .flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => join(folder, name)))
    .filter((name) => name.endsWith('.md')),
]
const read = (path: string) => readFileSync(path, 'utf8').replace(/^```.*?^```$/gms, '')

/** The headings of a page as GitHub makes anchors of them. */
function anchorsOf(path: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of read(path).matchAll(/^#+ (.+)$/gm)) {
    const plain = heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replace(/ /g, '-')
    let anchor = plain
    for (let count = 1; anchors.has(anchor); count++) anchor = `${plain}-${count}`
    anchors.add(anchor)
  }
  return anchors
}

/** Links of a document that lead nowhere. */
function dead(document: string): string[] {
  const path = join(ROOT, document)
  const links = [...read(path).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] as string)
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false
    const [file = '', anchor] = link.split('#')
    const target = file === '' ? path : resolve(dirname(path), file)
    return !existsSync(target) || (anchor !== undefined && !anchorsOf(target).has(anchor))
  })
}

test('every link of the documents leads to a file, and to a heading in it', () => {
  expect(documents.length).toBeGreaterThan(20)
  expect(documents.flatMap((name) => dead(name).map((link) => `${name}: ${link}`))).toEqual([])
})

test('every picture is shown on a page', () => {
  const shown = documents.map((name) => readFileSync(join(ROOT, name), 'utf8')).join('\n')
  const pictures = ['docs/pictures', 'docs/images'].flatMap((folder) => readdirSync(join(ROOT, folder)))
  expect(pictures.filter((name) => !shown.includes(`/${name})`))).toEqual([])
})

test('every page is in the index', () => {
  const index = readFileSync(join(ROOT, 'docs/index.md'), 'utf8')
  const pages = documents.filter((name) => name.startsWith('docs/') && name !== 'docs/index.md')
  expect(pages.filter((name) => !index.includes(`](${name.slice('docs/'.length)})`))).toEqual([])
  const examples = folders.filter((name) => name.startsWith('examples/'))
  expect(examples.filter((name) => !index.includes(`](../${name})`))).toEqual([])
})
