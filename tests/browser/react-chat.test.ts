/** The example with two chats, in a real browser: an approval in both, and a tool of the page. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Browser, Locator } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium } from './launch.ts'
import { openPage } from './page.ts'

let browser: Browser
let server: ChildProcess
let url: string
beforeAll(async () => {
  browser = await launchChromium()
  const env = { ...process.env, PORT: '0', HOST: '127.0.0.1', AGENCY_MODEL: 'demo', APP_TOKEN: '' }
  server = spawn(process.execPath, ['examples/react-chat/main.ts'], { env, stdio: ['ignore', 'inherit', 'pipe'] })
  for await (const line of createInterface({ input: server.stderr as NodeJS.ReadableStream })) {
    const [, found] = /^Open (http\S+)/.exec(line) ?? []
    if (found === undefined) continue
    url = found
    break
  }
})
afterAll(async () => {
  server.kill()
  await browser.close()
})

async function ask(panel: Locator, text: string): Promise<void> {
  await panel.getByLabel('Message').fill(text)
  await panel.getByRole('button', { name: 'Send' }).click()
}

test('both chats ask before a refund, and the page runs its own tool', async () => {
  const page = await openPage(browser, url)
  for (const [title, answer] of [
    ['AI SDK', 'Approve'],
    ['AG-UI', 'Reject'],
  ] as const) {
    const panel = page.getByRole('region', { name: title })
    await ask(panel, 'Refund order 17')
    await panel.getByRole('button', { name: answer }).click()
    await panel.getByText(answer === 'Approve' ? 'Order 17 is refunded' : 'a person rejected the call').waitFor()
    expect(await panel.getByRole('group', { name: 'Approval' }).count()).toBe(0)
  }
  const panel = page.getByRole('region', { name: 'AG-UI' })
  await ask(panel, 'Paint the panel in the color lightgreen')
  await panel.getByText('The panel is painted').waitFor()
  expect((await panel.getAttribute('style')) ?? '').toContain('lightgreen')
  if (process.env.PICTURE) await page.screenshot({ path: process.env.PICTURE, fullPage: true })
})
