// What the page shows when something goes wrong, and what it never loses.
import { readFileSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startLab } from './lab.ts'
import { launchChromium } from './launch.ts'
import { answer, ask, findBarriers, openPlayground } from './page.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const prices = { lab: { inputUsdPerMillion: 1, outputUsdPerMillion: 5 } }
async function openLab() {
  const lab = await startLab()
  const opened = await openPlayground(browser, { serve: { agencies: { lab: lab.agency }, prices } })
  await opened.page.locator('.agent-box').first().waitFor()
  return { ...lab, ...opened }
}
const userTexts = (page: Page) => page.locator('.user-text').allTextContents()

test('a failed tool is red on the card, in graph and timeline', async () => {
  const { page } = await openLab()
  await ask(page, 'break it')
  const card = page.locator('.card.failed')
  expect(await card.locator('.call-state').textContent()).toMatch(/^failed after /)
  expect(await card.locator('.fold-preview').textContent()).toContain('no more paper')
  await card.getByRole('button').first().click()
  expect(await card.getByLabel('Result').textContent()).toContain('no more paper')
  expect(await page.locator('[data-tool=break_down]').textContent()).toContain('1 failed')
  const red = await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue('--bad'))
  expect(red).toMatch(/^#/)
  expect(await page.locator('[data-tool=break_down]').getAttribute('data-failed')).toBe('true')
  await page.getByRole('tab', { name: 'Inspector' }).click()
  expect(await page.locator('.lane .span.failed').count()).toBe(1)
  expect(await findBarriers(page)).toEqual([])
})

test('formulas become MathML, code gets colours, and an amount stays a text', async () => {
  const { page } = await openLab()
  await ask(page, 'a formula please')
  await page.locator('math').nth(1).waitFor()
  expect(await page.locator('math msup').count()).toBe(2)
  expect(await page.locator('math[display=block] mfrac').count()).toBe(1)
  expect(await answer(page).textContent()).toContain('costs $5, and:')
  await page.locator('.code-block .hljs-keyword').waitFor()
  expect(await page.locator('.code-block code').textContent()).toBe('const answer = 42')
})

test('an answer that cannot be parsed is shown unchanged', async () => {
  const { page } = await openLab()
  await ask(page, 'many quotes please')
  expect(await page.locator('.plain-text').textContent()).toBe('>'.repeat(2_500))
  await page.reload()
  await page.locator('.plain-text').waitFor()
  await ask(page, 'Hello')
  expect(await answer(page).textContent()).toContain('Understood.')
})

test('a stopped run keeps what its agents have cost, marked as an estimate', async () => {
  const { page } = await openLab()
  const figures = page.locator('[data-agent=Planner] .agent-box-figures')
  await ask(page, 'Hello')
  await expect.poll(() => figures.textContent()).toBe('120 tok · $0.0002')
  await page.getByRole('textbox', { name: 'Message' }).fill('hold on')
  await page.keyboard.press('Enter')
  await page.locator('.call-state.busy').waitFor()
  await page.getByRole('button', { name: 'Stop', exact: true }).click()
  await page.locator('.turn').nth(1).locator('.turn-foot').waitFor()
  await expect.poll(() => figures.textContent()).toMatch(/ · (≈ )?\$0\.000\d+$/)
})

test('two tabs of one conversation lose no turn of each other', async () => {
  const { page, url } = await openLab()
  await ask(page, 'first')
  const other = await page.context().newPage()
  await other.goto(`${url}/`)
  await other.locator('.chat-link').first().click()
  await other.locator('.turn').waitFor()
  await ask(other, 'second, from the other tab')
  await expect.poll(() => userTexts(page)).toEqual(['first', 'second, from the other tab'])
  await ask(page, 'third')
  await expect.poll(() => userTexts(other)).toEqual(['first', 'second, from the other tab', 'third'])
  await Promise.all([ask(page, 'fourth'), ask(other, 'fifth')])
  for (const tab of [page, other]) {
    await expect.poll(() => tab.locator('.turn-foot').count()).toBe(5)
    await expect.poll(() => userTexts(tab)).toHaveLength(5)
  }
  for (const tab of [page, other]) {
    await tab.reload()
    await tab.locator('.turn').nth(4).waitFor()
    expect(new Set(await userTexts(tab)).size).toBe(5)
  }
  await page.getByRole('button', { name: 'Delete first' }).click()
  await expect.poll(() => other.locator('.chat-link').count()).toBe(0)
})

test('a conversation that was deleted comes back with Undo, in the store too', async () => {
  const { page } = await openLab()
  await ask(page, 'first')
  await page.getByRole('button', { name: 'Delete first' }).click()
  await page.locator('.welcome').waitFor()
  const toast = page.locator('.toast')
  expect(await toast.textContent()).toContain('Deleted “first”.')
  await toast.getByRole('button', { name: 'Undo' }).click()
  await page.locator('.turn').waitFor()
  await page.reload()
  await page.locator('.turn').waitFor()
  expect(await userTexts(page)).toEqual(['first'])
})

test('a failed conversation is announced, exported and imported', async () => {
  const { page } = await openLab()
  await ask(page, 'please fail')
  await expect
    .poll(() => page.getByRole('status').allTextContents())
    .toContainEqual(expect.stringMatching(/^The answer failed: The run of agent Planner failed/))
  const downloading = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Export' }).click()
  const path = await (await downloading).path()
  expect(JSON.parse(readFileSync(path, 'utf8')).chat_history).toMatchObject([{ role: 'user', content: 'please fail' }])
  await page.getByLabel('Conversation to import').setInputFiles(path)
  await expect.poll(() => page.locator('.chat-link').count()).toBe(2)
  expect(await userTexts(page)).toEqual(['please fail'])
})

test('the pencil that edits a message stands beside that message', async () => {
  const { page } = await openLab()
  await ask(page, 'first')
  await page.locator('.user-message').getByRole('button', { name: 'Edit and resend message 1' }).click()
  expect(await page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('first')
  expect(await page.locator('.turn-foot').getByRole('button', { name: /^Edit/ }).count()).toBe(0)
})
