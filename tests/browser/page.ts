import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'
import { agency as starter } from '../../examples/starter/agency.ts'
import type { ServeOptions } from '../../src/index.ts'
import { startServer } from '../support/client.ts'

export const WEATHER = 'Ask the Researcher about the weather in Paris'
export const ORDER = 'I want to talk to Support about order 1234'

/** The last that was said in front of the user. */
export const answer = (page: Page) => page.locator('.turn').last().locator('.said').last()

export interface OpenOptions extends BrowserContextOptions {
  serve?: Partial<ServeOptions>
  /** Pieces of console errors that this test provokes. */
  expectedErrors?: readonly string[]
}

/**
 * Serves the starter with its playground and opens it in a browser of its own. When the test is over nothing may have been
 * asked of another host, and the page may not have complained.
 */
export async function openPlayground(browser: Browser, { serve, expectedErrors = [], ...context }: OpenOptions = {}) {
  const { url } = await startServer({ agencies: { starter }, playground: true, ...serve })
  const page = await openPage(browser, `${url}/`, expectedErrors, context)
  return { page, url }
}

export async function openPage(
  browser: Browser,
  address: string,
  expectedErrors: readonly string[] = [],
  options: BrowserContextOptions = {},
) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 850 }, ...options })
  const page = await context.newPage()
  const elsewhere: string[] = []
  const complaints: string[] = []
  page.on('request', (request) => {
    const { protocol, origin } = new URL(request.url())
    if (/^(https?|wss?):$/.test(protocol) && origin !== new URL(address).origin) elsewhere.push(request.url())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (said) => {
    if (said.type() === 'error' && !expectedErrors.some((piece) => said.text().includes(piece)))
      complaints.push(said.text())
  })
  onTestFinished(async () => {
    await context.close()
    expect(elsewhere).toEqual([])
    expect(complaints).toEqual([])
  })
  await page.goto(address)
  return page
}

/** Writes a message and sends it; done when the answer is. */
export async function ask(page: Page, text: string): Promise<void> {
  const turns = await page.locator('.turn').count()
  await page.getByRole('textbox', { name: 'Message' }).fill(text)
  await page.keyboard.press('Enter')
  await page.locator('.turn').nth(turns).locator('.turn-foot').waitFor()
}

/** The body of the next request that runs an agency. */
export async function nextRequest(page: Page) {
  const request = await page.waitForRequest((one) => one.url().endsWith('/get_response_stream'))
  return JSON.parse(request.postData() ?? '')
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Axe {
  axe: {
    run(options: object): Promise<{
      violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
    }>
  }
}

/** What axe finds, by these rules or by all. */
export async function findBarriers(page: Page, rules?: readonly string[]): Promise<string[]> {
  await page.evaluate(AXE)
  const violations = await page.evaluate(
    async (options) => (await (globalThis as unknown as Axe).axe.run(options)).violations,
    { resultTypes: ['violations'], ...(rules === undefined ? {} : { runOnly: rules }) },
  )
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join(' | ')}`,
  )
}
