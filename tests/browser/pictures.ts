// Takes the pictures of the documents: node tests/browser/pictures.ts FOLDER
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { agency } from '../../examples/starter/agency.ts'
import { Agency, Agent, Handoff, serve } from '../../src/index.ts'
import { launchChromium } from './launch.ts'

const QUESTION = 'Ask the Researcher about the weather in Paris'

async function open(browser: Browser, url: string, options: BrowserContextOptions) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 760 }, ...options })
  await page.goto(url)
  await page.locator('.agent-box').first().waitFor()
  return page
}

/** The Researcher writes, the Guide waits, the edge between them is lit: a moment that a busy machine may miss, so it is tried again. */
async function takeConversation(browser: Browser, url: string, path: string, tries = 10): Promise<void> {
  const page = await open(browser, url, {})
  await page.getByRole('button', { name: QUESTION }).click()
  const writing = () =>
    document.querySelector('.card .said[data-state="open"]')?.textContent?.includes('The tool get_weather')
  const seen = await page.waitForFunction(writing, undefined, { timeout: 3000, polling: 10 }).catch(() => undefined)
  await page.screenshot({ path })
  const missed = seen === undefined || (await page.locator('.turn-foot').count()) > 0
  await page.close()
  if (missed && tries > 1) await takeConversation(browser, url, path, tries - 1)
}

/** A finished run, event by event. */
async function takeInspector(browser: Browser, url: string, path: string): Promise<void> {
  const page = await open(browser, url, { colorScheme: 'dark' })
  await page.getByRole('button', { name: QUESTION }).click()
  await page.locator('.turn-foot').waitFor()
  await page.locator('.card > button').first().click()
  await page.getByRole('tab', { name: 'Inspector' }).click()
  await page.getByRole('listbox').focus()
  await page.keyboard.press('Home')
  for (let line = 0; line < 12; line++) await page.keyboard.press('ArrowDown')
  await page.screenshot({ path })
}

/** A large agency in the whole page, and the agent that was selected in it. */
async function takeGraph(browser: Browser, url: string, path: string): Promise<void> {
  const page = await open(browser, url, { viewport: { width: 1280, height: 800 } })
  await page.getByRole('combobox', { name: 'Agency' }).selectOption('publisher')
  await page.getByRole('button', { name: 'Use the whole page for the details' }).click()
  await page.locator('[data-agent=Editor]').click()
  await page.locator('.graph-detail').waitFor()
  await page.waitForTimeout(300) // the graph moves into its new room
  await page.screenshot({ path })
}

/** 16 agents of a publisher: who asks whom, and who hands over. */
function startPublisher(): Agency {
  const desk = (name: string, work: string) =>
    new Agent({ name, model: 'demo', description: work, instructions: `You are the ${name}. ${work}.` })
  const lead = desk('Publisher', 'Takes orders and plans the work')
  const [editor, designer, sales] = [
    desk('Editor', 'Turns manuscripts into books'),
    desk('Designer', 'Gives books their look'),
    desk('Sales', 'Brings books to readers'),
  ] as const
  const under = (head: Agent, names: string) =>
    names.split(' ').map((name) => [head, desk(name, `Helps the ${head.name}`)] as const)
  const asked = [
    ...under(editor, 'Reader Translator Proofs Rights'),
    ...under(designer, 'Covers Layout Pictures'),
    ...under(sales, 'Press Shops Events Returns'),
  ]
  const communicationFlows = [
    ...[editor, designer].map((head) => [lead, head] as const),
    ...asked.slice(0, -1),
    [lead, sales, Handoff] as const,
    [...(asked.at(-1) ?? []), Handoff] as never,
    [editor, designer] as const,
  ]
  return new Agency(lead, { name: 'publisher', communicationFlows } as never)
}

/** A stored run with a model call of the agent that was asked. */
async function takeRuns(browser: Browser, url: string, path: string): Promise<void> {
  for (const message of ['Hello', 'I want to talk to Support about order 1234', QUESTION]) {
    const body = JSON.stringify({ message })
    const headers = { 'content-type': 'application/json' }
    const started = await fetch(`${url}/starter/runs`, { method: 'POST', headers, body })
    await fetch(`${url}${started.headers.get('location')}?wait=30`)
  }
  const page = await open(browser, url, {})
  await page.getByRole('button', { name: 'Runs', exact: true }).click()
  await page.locator('.run-link').first().click()
  await page.locator('.span-row').first().waitFor()
  await page.locator('.span-row', { hasText: 'Model call' }).nth(2).click()
  await page.screenshot({ path })
}

const folder = resolve(process.argv[2] ?? '.')
mkdirSync(folder, { recursive: true })
const options = { host: '127.0.0.1', port: 0, banner: false, handleSignals: false }
const server = await serve({ ...options, agencies: { starter: agency, publisher: startPublisher() }, playground: true })
const browser = await launchChromium()
const pictures = [
  join(folder, 'playground.png'),
  join(folder, 'playground-inspector.png'),
  join(folder, 'playground-runs.png'),
  join(folder, 'playground-graph.png'),
] as const
await takeConversation(browser, server.url, pictures[0])
await takeInspector(browser, server.url, pictures[1])
await takeRuns(browser, server.url, pictures[2])
await takeGraph(browser, server.url, pictures[3])
await browser.close()
await server.close()
const { error } = spawnSync('pngquant', ['--force', '--ext', '.png', '--strip', ...pictures])
if (error !== undefined)
  console.warn('The pictures are three times as large as they need be: pngquant is not installed.')
