/** The hooks and components in a real page, with development builds of React, where StrictMode mounts everything twice. */
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import type { Browser } from 'playwright-core'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startCuttingProxy } from '../support/cutting-proxy.ts'
import { launchChromium } from './launch.ts'
import { findBarriers, openPage } from './page.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const EXAMPLE = join(ROOT, 'examples/react-thread')

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

/** The example as its own process. */
async function startExample(): Promise<string> {
  const { OPENAI_API_KEY: _, ...env } = process.env
  const child = spawn(process.execPath, [join(EXAMPLE, 'main.ts')], {
    env: { ...env, PORT: '0', HOST: '127.0.0.1', AGENCY_MODEL: 'demo' },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let printed = ''
  for await (const chunk of child.stderr) {
    printed += chunk
    const url = /Open (\S+)/.exec(printed)?.[1]
    if (url !== undefined) return url
  }
  throw new Error(printed)
}

/** The page of the example with a development build of React, from this folder. */
async function bundlePage(folder: string): Promise<string> {
  const { resolve: find } = createRequire(join(folder, 'package.json'))
  const names = ['react/jsx-runtime', 'react-dom/client', 'react-dom', 'react']
  const build = await rolldown({
    input: join(EXAMPLE, 'page.tsx'),
    platform: 'browser',
    transform: { jsx: { runtime: 'automatic' }, define: { 'process.env.NODE_ENV': '"development"' } },
    resolve: { alias: Object.fromEntries(names.map((name) => [`${name}$`, find(name)])) },
  })
  const { output } = await build.generate({})
  await build.close()
  return output[0].code
}

test.for([
  ['19', ROOT],
  ['18', join(ROOT, 'tools/react-18')],
] as const)('React %s: send, cut, approve, stop and reload in one page', async ([version, folder]) => {
  const [target, script] = await Promise.all([startExample(), bundlePage(folder)])
  expect(script).toMatch(version === '19' ? /"19\.\d+\.\d+/ : /"18\.3\.1/)
  const { url, streams } = await startCuttingProxy(target, (stream) => (stream === 0 ? { blocks: 8 } : 'pass'))
  const page = await openPage(browser, url, ['ERR_INCOMPLETE_CHUNKED_ENCODING'])
  await page.route('**/page.js', (route) => route.fulfill({ contentType: 'text/javascript', body: script }))
  await page.reload()
  const log = page.getByRole('log')
  const send = async (text: string) => {
    await page.getByRole('textbox', { name: 'Message' }).fill(text)
    await page.keyboard.press('Enter')
  }
  const idle = () => page.locator('[role=log][aria-busy=false]').waitFor({ state: 'attached' })
  await idle()

  await send('Ask the Poet for a poem')
  await log.getByText('Ask the Poet for a poem').waitFor()
  await log.getByText('[demo model]').waitFor()
  await idle()
  expect(streams()).toBeGreaterThan(1)
  await page.locator('details', { hasText: 'send_message' }).locator('summary').first().click()
  expect(await page.locator('details li strong').first().textContent()).toBe('Poet')

  await send('Refund order 17')
  await page.getByRole('group', { name: 'Clerk asks to run refund_order' }).waitFor()
  expect(await findBarriers(page)).toEqual([])
  await page.getByRole('textbox', { name: 'Arguments' }).fill('{ "order_number": 18 }')
  await page.getByRole('button', { name: 'Approve' }).click()
  await log.getByText('Order 18 is refunded').waitFor()
  await idle()

  await send('Tell me a long story')
  await log.locator('[data-state=streaming]').waitFor()
  await page.getByRole('button', { name: 'Stop' }).click()
  await idle()
  const texts = () => log.locator('article').allTextContents()
  await expect.poll(async () => (await texts()).at(-1)).toMatch(/^You/) // what was not finished is not stored
  const shown = await texts()
  await page.reload()
  await expect.poll(texts).toEqual(shown)
  expect(shown.at(-1)).toContain('Tell me a long story')
  expect(shown.length).toBeGreaterThanOrEqual(5)
})
