// Conversations that the server keeps: each is a thread, each message a stored run.
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { agency as starter } from '../../examples/starter/agency.ts'
import { Agency, Agent, memory, sqlite, tool } from '../../src/index.ts'
import { startServer } from '../support/client.ts'
import { useFolder } from '../support/folder.ts'
import { startLab } from './lab.ts'
import { launchChromium } from './launch.ts'
import { answer, ask, findBarriers, ORDER, openPage, openPlayground, WEATHER } from './page.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

const open = (options: Parameters<typeof openPlayground>[1] = {}) =>
  openPlayground(browser, { ...options, serve: { runs: { store: memory() }, ...options.serve } })
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 15_000 })
const titles = (page: Page) => page.locator('.chat-title').allTextContents()
const send = async (page: Page, text: string) => {
  await page.getByRole('textbox', { name: 'Message' }).fill(text)
  await page.keyboard.press('Enter')
}

function createDesk() {
  const refund = tool({
    name: 'refund_order',
    description: 'Refund an order.',
    parameters: z.object({ order: z.int() }),
    needsApproval: true,
    execute: ({ order }) => `Order ${order} is refunded`,
  })
  return new Agency(new Agent({ name: 'Desk', model: 'demo', tools: [refund] }), { name: 'desk' })
}
const openDesk = (options: Parameters<typeof openPlayground>[1] = {}) =>
  open({ ...options, serve: { agencies: { desk: createDesk() } } })

test('a conversation outlives reload and restart, and opens elsewhere', { timeout: 120_000 }, async () => {
  const path = `${useFolder()}/runs.db`
  const serve = { agencies: { starter }, playground: true }
  const first = await startServer({ ...serve, runs: { store: sqlite(path) } })
  const page = await openPage(browser, `${first.url}/`, ['ERR_CONNECTION_REFUSED', 'Failed to load'])
  await ask(page, WEATHER)
  await ask(page, ORDER)
  expect(page.url()).toMatch(/#\/chat\/starter\/[0-9a-f]{32}$/)
  const said = async (one: Page) => (await one.locator('.said, .handoff, .user-text').allTextContents()).join('\n')
  const before = await said(page)
  await page.reload()
  await page.locator('.turn').nth(1).waitFor()
  expect(await said(page)).toBe(before)
  expect(await page.locator('.turn-foot .figures').first().textContent()).toMatch(/ · \d+ in · \d+ out/)

  const elsewhere = await openPage(browser, page.url(), ['ERR_CONNECTION_REFUSED', 'Failed to load'])
  await elsewhere.locator('.turn').nth(1).waitFor()
  expect(await said(elsewhere)).toBe(before)
  expect(await elsewhere.getByRole('combobox', { name: 'To', exact: true }).inputValue()).toBe('Support')

  const port = Number(new URL(first.url).port)
  await first.close()
  await startServer({ ...serve, runs: { store: sqlite(path) }, port })
  await ask(page, 'And order 7?')
  expect(await answer(page).textContent()).toContain('Order 7 left')
  await elsewhere.locator('.turn').nth(2).locator('.turn-foot').waitFor() // it follows what the other page does
  expect(await elsewhere.locator('.user-text').last().textContent()).toBe('And order 7?')
})

test('a run goes on without its page, and is followed again', async () => {
  const lab = await startLab()
  const { page } = await open({ serve: { agencies: { lab: lab.agency } } })
  await send(page, 'hold on')
  await page.locator('.card .busy').waitFor()
  await page.reload()
  await page.locator('.card .busy').waitFor()
  expect(await page.locator('.user-text').textContent()).toBe('hold on')
  lab.release()
  await page.locator('.turn-foot').waitFor()
  expect(await answer(page).textContent()).toContain('It is over.')
  expect(await page.locator('.turn').count()).toBe(1)
  expect(lab.calls()).toBe(2)
})

test('a stored run is stopped from the conversation', async () => {
  const lab = await startLab()
  const { page } = await open({ serve: { agencies: { lab: lab.agency } } })
  await send(page, 'hold on')
  await page.locator('.card .busy').waitFor()
  await page.getByRole('button', { name: 'Stop', exact: true }).click()
  await page.locator('.turn-foot').waitFor()
  expect(await page.locator('.turn').textContent()).toContain('Stopped.')
  await ask(page, 'Hello')
  expect(await answer(page).textContent()).toContain('Understood.')
})

test('a call waits in the conversation until it is approved with edits', async () => {
  const { page } = await openDesk({ expectedErrors: ['422'] })
  await send(page, 'Refund order 17')
  const card = page.locator('.approval')
  await card.waitFor()
  expect(await card.textContent()).toMatch(/Desk asks to run refund_order.*Expires in /s)
  await eventually(() => page.getByRole('navigation', { name: 'Pages' }).textContent()).toContain('1 waiting')
  expect(await findBarriers(page)).toEqual([])
  await page.reload()
  await card.waitFor()
  await card.getByLabel('Arguments').fill('{"order": "many"}')
  await card.getByRole('button', { name: 'Approve' }).click()
  await card.getByRole('alert').waitFor() // the server checks the edit
  await card.getByLabel('Arguments').fill('{"order": 18}')
  await card.getByRole('button', { name: 'Approve' }).click()
  await page.locator('.turn-foot').waitFor()
  expect(await answer(page).textContent()).toContain('Order 18 is refunded')
  expect(await card.count()).toBe(0)
})

test('the inbox has every waiting call, and rejects one with a reason', async () => {
  const { page } = await openDesk()
  await send(page, 'Refund order 1')
  await page.locator('.approval').waitFor()
  await page.getByRole('button', { name: 'New conversation' }).click()
  await send(page, 'Refund order 2')
  await page.locator('.approval').waitFor()
  await page.getByRole('button', { name: /^Approvals/ }).click()
  const calls = page.locator('.approvals-view li')
  await eventually(() => calls.count()).toBe(2)
  expect(page.url()).toMatch(/#\/approvals$/)
  expect(await findBarriers(page)).toEqual([])
  const second = calls.filter({ has: page.locator('textarea', { hasText: '2' }) })
  await second.getByLabel('Reason for a rejection').fill('Not today')
  await second.getByRole('button', { name: 'Reject' }).click()
  await eventually(() => calls.count()).toBe(1)
  await calls.getByRole('link', { name: 'Open the conversation' }).click()
  await page.locator('.approval').waitFor()
  expect(await page.locator('.user-text').textContent()).toBe('Refund order 1')
  await page.getByRole('button', { name: 'Approve' }).click()
  await page.locator('.turn-foot').waitFor()
  await page.locator('.chat-link', { hasText: 'Refund order 2' }).click()
  await eventually(() => page.locator('.turn').textContent()).toContain('Not today')
})

test('conversations are renamed, searched, deleted, and restored', async () => {
  const { page } = await open()
  for (const text of ['one', 'two', 'three', 'four', 'five']) {
    await page.getByRole('button', { name: 'New conversation' }).click()
    await ask(page, text)
  }
  await page.getByRole('button', { name: 'Rename two' }).click()
  await page.getByLabel('New name of two').fill('Holidays')
  await page.keyboard.press('Enter')
  await eventually(() => titles(page)).toContain('Holidays')
  await page.getByRole('searchbox', { name: 'Search conversations' }).fill('holi')
  expect(await titles(page)).toEqual(['Holidays'])
  await page.getByRole('searchbox', { name: 'Search conversations' }).fill('')
  await page.getByRole('button', { name: 'Delete four' }).click()
  await page.locator('.toast').getByRole('button', { name: 'Undo' }).click()
  await page.getByRole('button', { name: 'Delete three' }).click()
  await page.reload() // what was deleted is deleted although the time to undo it is not over
  await eventually(() => titles(page)).toHaveLength(4)
  expect((await titles(page)).sort()).toEqual(['Holidays', 'five', 'four', 'one'])
})

test('an edited message begins a branch, and the conversation stays', async () => {
  const { page } = await open()
  await ask(page, 'What is 1 plus 2?')
  await ask(page, 'What is 3 plus 4?')
  const address = page.url()
  await page.getByRole('button', { name: 'Edit and resend message 2' }).click()
  await page.getByText('Sending begins a branch').waitFor()
  await page.getByRole('textbox', { name: 'Message' }).fill('What is 5 plus 6?')
  await page.keyboard.press('Enter')
  await page.waitForURL((url) => url.href !== address)
  await page.locator('.turn').nth(1).locator('.turn-foot').waitFor()
  expect(await page.locator('.user-text').allTextContents()).toEqual(['What is 1 plus 2?', 'What is 5 plus 6?'])
  expect(await answer(page).textContent()).toContain('11')
  await page.getByRole('link', { name: 'another conversation' }).click()
  await eventually(() => page.locator('.user-text').allTextContents()).toEqual([
    'What is 1 plus 2?',
    'What is 3 plus 4?',
  ])
})

test('an address without a conversation says so', async () => {
  const { url } = await open()
  const page = await openPage(browser, `${url}/#/chat/starter/unknown`, ['404'])
  const problem = page.getByRole('alert').filter({ hasText: 'This conversation is not on the server.' })
  await problem.waitFor()
  expect(await problem.count()).toBe(1)
})
