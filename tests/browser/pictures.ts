// Takes the pictures of the documents: node tests/browser/pictures.ts FOLDER
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { agency } from '../../examples/starter/agency.ts'
import { serve } from '../../src/index.ts'
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
  const writing = () => document.querySelector('.card .said[data-state="open"]')?.textContent?.includes('15 °C')
  const seen = await page.waitForFunction(writing, undefined, { timeout: 5000, polling: 10 }).catch(() => undefined)
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
const server = await serve({ ...options, agencies: { starter: agency }, playground: true })
const browser = await launchChromium()
const pictures = [
  join(folder, 'playground.png'),
  join(folder, 'playground-inspector.png'),
  join(folder, 'playground-runs.png'),
] as const
await takeConversation(browser, server.url, pictures[0])
await takeInspector(browser, server.url, pictures[1])
await takeRuns(browser, server.url, pictures[2])
await browser.close()
await server.close()
const { error } = spawnSync('pngquant', ['--force', '--ext', '.png', '--strip', ...pictures])
if (error !== undefined)
  console.warn('The pictures are three times as large as they need be: pngquant is not installed.')
