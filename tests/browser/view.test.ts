import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { agency as starter } from '../../examples/starter/agency.ts'
import { startLab } from './lab.ts'
import { launchChromium } from './launch.ts'
import { ask, findBarriers, ORDER, openPlayground, WEATHER } from './page.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

test('the inspector shows every event, the timeline and the request', async () => {
  const { page, url } = await openPlayground(browser, { permissions: ['clipboard-read', 'clipboard-write'] })
  const streamed = page.waitForResponse((response) => response.url().endsWith('/get_response_stream'))
  await ask(page, WEATHER)
  const frames = (await (await streamed).text()).split('\n\n').filter(Boolean)
  await page.getByRole('button', { name: 'Inspect turn 1' }).click()
  expect(await page.locator('.counted').textContent()).toBe(`${frames.length} events`)
  await page.getByRole('button', { name: 'Copy events' }).click()
  await page.getByText('Copied').waitFor()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${frames.join('\n\n')}\n\n`)
  expect(await page.locator('.lane').allTextContents()).toEqual(['Guide', '↳ Researcher'])
  expect(await page.locator('.lane .span.model').count()).toBe(4)

  await page.getByLabel('Agent', { exact: true }).selectOption('Researcher')
  await page.getByLabel('Type', { exact: true }).selectOption('tool_called')
  expect(await page.locator('.counted').textContent()).toBe(`1 of ${frames.length} events`)
  await page.getByRole('listbox', { name: 'Events' }).focus()
  await page.keyboard.press('ArrowDown')
  const shown = JSON.parse((await page.getByLabel(/^Event \d+$/).textContent()) ?? '')
  expect(shown.data).toMatchObject({ agent: 'Researcher', callerAgent: 'Guide', name: 'tool_called' })
  await page.getByRole('button', { name: 'Copy as curl' }).click()
  await page.waitForFunction(async () => (await navigator.clipboard.readText()).startsWith('curl'))
  const curl = await page.evaluate(() => navigator.clipboard.readText())
  expect(curl).toContain(`curl -N '${url}/starter/get_response_stream'`)
  expect(curl).toContain(WEATHER)
})

test('at phone width one panel is shown, and nothing overflows', async () => {
  const { page } = await openPlayground(browser, {
    viewport: { width: 360, height: 740 },
    hasTouch: true,
    isMobile: true,
  })
  await page.getByRole('button', { name: WEATHER }).tap()
  await page.locator('.turn-foot').waitFor()
  await page.locator('.card.ask').getByRole('button').first().tap()
  const tooWide = () => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
  expect(await tooWide()).toBe(false)
  expect(await page.locator('.side').isVisible()).toBe(false)
  await page.getByRole('button', { name: 'Details' }).tap()
  await page.locator('[data-agent=Researcher]').waitFor()
  await page.waitForFunction(() => (document.querySelector('.agent-box')?.getBoundingClientRect().width ?? 0) > 100)
  expect(await tooWide()).toBe(false)
  const cost = await page.locator('.figures-table tbody td').last().boundingBox()
  expect((cost?.x ?? 0) + (cost?.width ?? 0)).toBeLessThanOrEqual(360)
  for (const panel of ['Inspector', 'Request']) {
    await page.getByRole('tab', { name: panel }).tap()
    expect(await tooWide(), panel).toBe(false)
  }
  expect(await findBarriers(page)).toEqual([])
  await page.getByRole('button', { name: 'History' }).tap()
  await page.locator('.chat-link').tap()
  expect(await page.locator('.turn').isVisible()).toBe(true)
})

test('a table that is too wide scrolls instead of breaking its words', async () => {
  const lab = await startLab()
  const { page } = await openPlayground(browser, {
    serve: { agencies: { lab: lab.agency } },
    viewport: { width: 360, height: 740 },
  })
  await ask(page, 'A wide table, please')
  const linesOf = (cell: Element) => {
    const range = document.createRange()
    range.selectNodeContents(cell)
    return range.getClientRects().length
  }
  const cells = await page.locator('.table-box :is(th, td)').all()
  expect(await Promise.all(cells.map((cell) => cell.evaluate(linesOf)))).toEqual(cells.map(() => 1))
  expect(await page.locator('.table-box').evaluate((box) => box.scrollWidth > box.clientWidth)).toBe(true)
})

test('colours follow the system, and a button overrules it for good', async () => {
  const { page } = await openPlayground(browser, { colorScheme: 'dark' })
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  await page.getByRole('textbox', { name: 'Message' }).waitFor()
  const dark = await background()
  await page.getByRole('button', { name: 'Theme: system' }).click()
  const light = await background()
  expect(light).not.toBe(dark)
  await page.reload()
  await page.getByRole('button', { name: 'Theme: light' }).waitFor()
  expect(await background()).toBe(light)
  await page.getByRole('button', { name: 'Theme: light' }).click()
  expect(await background()).toBe(dark)
})

test('axe finds no problem in light or dark', async () => {
  const lab = await startLab()
  const { page } = await openPlayground(browser, { serve: { agencies: { lab: lab.agency, starter } } })
  const look = async () => {
    expect(await findBarriers(page)).toEqual([])
    await page.emulateMedia({ colorScheme: 'dark' })
    expect(await findBarriers(page, ['color-contrast'])).toEqual([])
    await page.emulateMedia({ colorScheme: 'light' })
  }
  await ask(page, 'A plan, please')
  await page.locator('.reasoning').getByRole('button').click()
  await ask(page, 'please fail')
  await look()
  await page.getByRole('combobox', { name: 'Agency' }).selectOption('starter')
  await page.getByRole('button', { name: WEATHER }).waitFor()
  await page.locator('.agent-box').first().waitFor()
  await look()
  await ask(page, WEATHER)
  await ask(page, ORDER)
  for (const card of await page.locator('.card > button').all()) await card.click()
  await page.getByRole('tab', { name: 'Inspector' }).click()
  await page.getByRole('listbox').focus()
  await page.keyboard.press('End')
  await look()
  await page.getByRole('tab', { name: 'Request' }).click()
  await page.getByRole('textbox', { name: 'user_context' }).fill('{')
  await page.keyboard.press('Alt+k')
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
  await look()
})

test('a barrier would be found', async () => {
  const { page } = await openPlayground(browser)
  await page.getByRole('textbox', { name: 'Message' }).waitFor()
  await page.evaluate(() => document.querySelector('.brand')?.append(document.createElement('button')))
  expect((await findBarriers(page)).join()).toContain('button-name')
})

test('everything is done by keyboard', async () => {
  const { page } = await openPlayground(browser)
  await page.locator('.agent-box').first().waitFor()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter') // the link that skips to the message
  await page.keyboard.type('What is 1 plus 2?')
  await page.keyboard.press('Shift+Enter')
  await page.keyboard.type('Please.')
  await page.keyboard.press('Enter')
  await page.locator('.turn-foot').waitFor()
  expect(await page.locator('.user-text').textContent()).toBe('What is 1 plus 2?\nPlease.')
  await page.keyboard.press('Alt+i')
  await page.waitForFunction(() => document.activeElement?.id === 'tab-inspector')
  await page.keyboard.press('ArrowRight')
  await page.waitForFunction(() => document.activeElement?.id === 'tab-request')
  await page.keyboard.press('Alt+m')
  await page.waitForFunction(() => document.activeElement?.id === 'message')
  await page.keyboard.press('Alt+n')
  await page.getByRole('button', { name: WEATHER }).waitFor()
  await page.keyboard.press('Alt+k')
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
  await page.keyboard.press('Escape')
  expect(await page.getByRole('dialog').count()).toBe(0)
})

test('the command palette finds actions, agents, conversations and runs', async () => {
  const { page, url } = await openPlayground(browser, { serve: { agencies: { starter, other: starter } } })
  const body = JSON.stringify({ message: 'A stored question' })
  const headers = { 'content-type': 'application/json' }
  const started = await fetch(`${url}/starter/runs`, { method: 'POST', headers, body })
  await fetch(`${url}${started.headers.get('location')}?wait=30`)
  await ask(page, 'Good day')
  const palette = page.getByRole('dialog', { name: 'Commands' })
  const find = async (text: string) => {
    await page.keyboard.press('Control+k')
    await palette.getByRole('combobox').fill(text)
    await palette.getByRole('option', { name: text }).first().waitFor()
  }
  await find('Talk to Support')
  expect(await findBarriers(page)).toEqual([])
  await page.keyboard.press('Enter')
  expect(await page.getByRole('combobox', { name: 'To', exact: true }).inputValue()).toBe('Support')
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('message')
  await find('Good day')
  await page.keyboard.press('Escape')
  expect(await palette.count()).toBe(0)
  await find('A stored question')
  await page.keyboard.press('Enter')
  await page.locator('.run-open').getByRole('heading', { name: 'A stored question' }).waitFor()
  await find('other')
  await palette.getByRole('option', { name: /other/ }).click()
  expect(await page.getByRole('combobox', { name: 'Agency' }).inputValue()).toBe('other')
})

test('panels are resized by mouse and keyboard, and keep their size', async () => {
  const { page } = await openPlayground(browser, { viewport: { width: 1440, height: 900 } })
  const side = page.locator('.side')
  const widthOf = async () => Math.round((await side.boundingBox())?.width ?? 0)
  const divider = page.getByRole('separator', { name: 'Width of the details' })
  await page.locator('.agent-box').first().waitFor()
  const before = await widthOf()
  const spot = await divider.boundingBox()
  await page.mouse.move(spot?.x ?? 0, 400)
  await page.mouse.down()
  await page.mouse.move((spot?.x ?? 0) - 150, 400, { steps: 5 })
  await page.mouse.up()
  await expect.poll(async () => Math.abs((await widthOf()) - before - 150)).toBeLessThanOrEqual(2)
  const dragged = await widthOf()
  await divider.focus()
  await page.keyboard.press('ArrowRight')
  await expect.poll(widthOf).toBeLessThan(dragged)
  const kept = await widthOf()
  await page.reload()
  await page.locator('.agent-box').first().waitFor()
  expect(await widthOf()).toBe(kept)
  await divider.dblclick()
  await expect.poll(widthOf).toBe(before)
  await page.getByRole('button', { name: 'Use the whole page for the details' }).click()
  await expect.poll(widthOf).toBeGreaterThan(1_100)
  expect(await page.getByRole('textbox', { name: 'Message' }).isVisible()).toBe(false)
  await page.getByRole('button', { name: 'Show the conversation again' }).click()
  expect(await page.getByRole('textbox', { name: 'Message' }).isVisible()).toBe(true)
})

test('a screen reader hears the end of a run in any view, and failures', async () => {
  const lab = await startLab()
  const { page } = await openPlayground(browser, { serve: { agencies: { lab: lab.agency } } })
  const said = page.locator('[data-announcer]')
  await page.getByRole('textbox', { name: 'Message' }).fill('hold on')
  await page.keyboard.press('Enter')
  await page.locator('.call-state.busy').waitFor()
  expect(await said.textContent()).toBe('Planner is answering.')
  await page.keyboard.press('Alt+s')
  lab.release()
  await said.getByText('Planner has answered.').waitFor({ state: 'attached' })
  await page.keyboard.press('Alt+m')
  await ask(page, 'please fail')
  expect(await said.textContent()).toMatch(/^The answer failed: /)
})

test('300 KiB come over the wire at first; heavy parts when they are shown', async () => {
  const { page, url } = await openPlayground(browser)
  await page.locator('.agent-box').first().waitFor()
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  await session.send('Network.setCacheDisabled', { cacheDisabled: true })
  let bytes = 0
  const files: string[] = []
  session.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength
  })
  page.on('request', (request) => files.push(new URL(request.url()).pathname))
  await page.reload()
  await page.locator('.agent-box').first().waitFor()
  expect(bytes).toBeGreaterThan(100 * 1024)
  expect(bytes).toBeLessThan(300 * 1024)
  expect(files.filter((file) => /katex|highlight|palette|runs-view|find-runs/.test(file))).toEqual([])
  await page.keyboard.press('Control+k')
  await page.getByRole('dialog', { name: 'Commands' }).waitFor()
  expect(files.some((file) => /\/palette-.*\.js$/.test(file))).toBe(true)
  expect(url).toBe(new URL(page.url()).origin)
})
