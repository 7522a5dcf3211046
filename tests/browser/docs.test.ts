import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { FormatAddress, agency as starter } from '../../examples/starter/agency.ts'
import { tool } from '../../src/index.ts'
import { startServer } from '../support/client.ts'
import { launchChromium } from './launch.ts'
import { openPage } from './page.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const serveDocs = async (token = '') => {
  process.env.DOCS_PAGE_TOKEN = token
  onTestFinished(() => {
    delete process.env.DOCS_PAGE_TOKEN
  })
  const options = { agencies: { starter }, tools: [FormatAddress], enableLogging: true, appTokenEnv: 'DOCS_PAGE_TOKEN' }
  return (await startServer(options)).url
}

test('Swagger UI shows every operation, and runs one with the token', async () => {
  const page = await openPage(browser, `${await serveDocs('docs-secret')}/docs`)
  for (const path of ['/starter/get_response', '/starter/get_metadata', '/tool/FormatAddress', '/get_logs', '/readyz'])
    await page.locator(`[data-path="${path}"]`).first().waitFor()

  await page.getByRole('button', { name: 'Authorize' }).click()
  const token = page.locator('.auth-container').filter({ hasText: 'HTTPBearer' })
  await token.getByLabel('Value').fill('docs-secret')
  await token.getByRole('button', { name: 'Apply credentials' }).click()
  await token.getByRole('button', { name: 'Close' }).click()
  const tool = page.locator('#operations-Tools-FormatAddress')
  await tool.getByRole('button').first().click()
  await tool.getByRole('button', { name: 'Try it out' }).click()
  await tool.getByRole('textbox').fill('{"street": "Main 5", "city": "Bonn"}')
  await tool.getByRole('button', { name: 'Execute' }).click()
  await tool.locator('.live-responses-table').getByText('Main 5').first().waitFor()

  const stream = page.locator('#operations-starter-starter_get_response_stream')
  await stream.getByRole('button').first().click()
  await stream.locator('option', { hasText: 'A tool was called' }).waitFor({ state: 'attached' })
  expect(await stream.locator('.response .response-col_status').allTextContents()).toEqual(
    ['200', '401', '403', '413', '414', '415', '417', '422', '500', '503'].map((status) =>
      expect.stringContaining(status),
    ),
  )
})

test('ReDoc shows every operation and what a stream says', async () => {
  const page = await openPage(browser, `${await serveDocs()}/redoc`)
  await page.locator('h2', { hasText: 'Cancel a streamed run' }).waitFor()
  const text = await page.textContent('body')
  for (const piece of ['/starter/get_response_stream', '/tool/FormatAddress', 'Read and delete the log of a request'])
    expect(text).toContain(piece)
})

test("markup in a tool's description stays text on both pages", async () => {
  const description =
    'Shows <img src=x onerror="window.owned=1"> and <b class="owned">bold</b>, `list<string>`, 1 < 2, [here](javascript:window.owned=1).'
  const { url } = await startServer({ tools: [tool({ name: 'evil', description, execute: () => '' })] })
  for (const [path, ready] of [
    ['/redoc', 'h2:has-text("Evil")'],
    ['/docs', '[data-path="/tool/evil"]'],
  ] as const) {
    const page = await openPage(browser, url + path)
    await page.locator(ready).first().waitFor()
    if (path === '/docs') await page.locator('#operations-Tools-evil button').first().click()
    await page.getByText('Shows <img src=x').first().waitFor()
    const text = await page.textContent('body')
    for (const piece of ['<b class="owned">bold</b>', 'list<string>', '1 < 2']) expect(text, path).toContain(piece)
    expect(await page.locator('img[src="x"], .owned, a[href^="javascript:"]').count(), path).toBe(0)
  }
})
