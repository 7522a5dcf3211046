import { readFileSync } from 'node:fs'
import Fastify from 'fastify'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { agency as starter } from '../../examples/starter/agency.ts'
import { agencySwarm } from '../../src/fastify.ts'
import { startServer } from '../support/client.ts'
import { launchChromium } from './launch.ts'
import { answer, ask, findBarriers, nextRequest, ORDER, openPage, openPlayground, WEATHER } from './page.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

test('a correct token is kept for the tab only', async () => {
  process.env.PAGE_TOKEN = 'page-secret'
  onTestFinished(() => {
    delete process.env.PAGE_TOKEN
  })
  const expectedErrors = ['status of 401']
  const { page } = await openPlayground(browser, {
    serve: { appTokenEnv: 'PAGE_TOKEN', protectDocs: true },
    expectedErrors,
  })
  const dialog = page.getByRole('dialog', { name: 'Token required' })
  await dialog.waitFor()
  expect(await page.textContent('body')).not.toContain('Guide')
  expect(await findBarriers(page)).toEqual([])
  for (const wrong of ['wrong', 'wrong again']) {
    const refused = page.waitForResponse((response) => response.status() === 401)
    await page.keyboard.type(wrong)
    await page.keyboard.press('Enter')
    await refused
    await page.getByText('Invalid token, try again.').waitFor()
  }
  await page.keyboard.type('page-secret')
  await page.keyboard.press('Enter')
  await page.getByRole('textbox', { name: 'Message' }).waitFor()
  await ask(page, 'Hello')
  expect(await answer(page).textContent()).toContain('demo model')
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('page-secret')
  await page.reload()
  await page.locator('.turn-foot').waitFor()
  const elsewhere = await browser.newContext()
  onTestFinished(() => elsewhere.close())
  const other = await elsewhere.newPage()
  await other.goto(page.url())
  await other.getByRole('dialog').waitFor()
})

test('a conversation survives a reload, export and import', async () => {
  const { page } = await openPlayground(browser)
  await ask(page, WEATHER)
  await ask(page, ORDER)
  const before = await page.locator('.transcript').textContent()
  await page.reload()
  await page.locator('.turn').nth(1).waitFor()
  expect(await page.locator('.transcript').textContent()).toBe(before)

  const downloading = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Export' }).click()
  const path = await (await downloading).path()
  const file = JSON.parse(readFileSync(path, 'utf8'))
  expect(file).toMatchObject({ agency: 'starter', recipient_agent: 'Support' })
  expect(file.chat_history.length).toBeGreaterThan(8)

  await page.locator('.chats li').first().hover()
  await page.getByRole('button', { name: /^Delete/ }).click()
  expect(await page.locator('.turn').count()).toBe(0)
  await page.reload()
  await page.getByRole('button', { name: WEATHER }).waitFor()
  expect(await page.locator('.chats li').count()).toBe(0)

  await page
    .getByLabel('Conversation to import')
    .setInputFiles({ name: 'notes.json', mimeType: 'application/json', buffer: Buffer.from('{"a": 1}') })
  await page.getByText('notes.json cannot be imported. The file has no "chat_history"').waitFor()
  await page.getByLabel('Conversation to import').setInputFiles(path)
  await page.locator('.turn').nth(1).waitFor()
  const texts = (selector: string) => page.locator(selector).allTextContents()
  expect(await texts('.handoff')).toEqual(['Guide handed the conversation to Support'])
  expect((await texts('.said')).join()).toContain('Order 1234 left the warehouse')
  const asked = nextRequest(page)
  await ask(page, 'Thank you')
  expect(await asked).toMatchObject({ recipient_agent: 'Support', chat_history: file.chat_history })
})

test('a conversation after a deleted one is stored separately', async () => {
  const { page } = await openPlayground(browser)
  await ask(page, 'first')
  await page.getByRole('button', { name: 'New conversation' }).click()
  await ask(page, 'second')
  await page.locator('.chat-link', { hasText: 'first' }).click()
  await page.getByRole('button', { name: 'Delete first' }).click()
  await page.locator('.welcome').waitFor()
  await ask(page, 'third')
  await page.reload()
  await page.locator('.turn-foot').waitFor()
  expect(await page.locator('.user-text').allTextContents()).toEqual(['third'])
  expect(await page.locator('.chat-title').allTextContents()).toEqual(['third', 'second'])
})

test('an imported conversation continues with a served agent', async () => {
  const { page } = await openPlayground(browser)
  const content = [
    { type: 'input_text', text: 'Look at these' },
    { type: 'input_image', image_url: 'https://elsewhere.example/a.png' },
    { type: 'input_file', file_id: 'file-1' },
  ]
  const said = { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I see.' }] }
  const chat_history = [
    { role: 'user', content, agent: 'Retired', callerAgent: null },
    { ...said, agent: 'Retired', callerAgent: null },
  ]
  const file = JSON.stringify({ recipient_agent: 'Retired', chat_history })
  await page
    .getByLabel('Conversation to import')
    .setInputFiles({ name: 'old.json', mimeType: 'application/json', buffer: Buffer.from(file) })
  await page.locator('.turn').waitFor()
  expect(await page.locator('.user-message .chip').allTextContents()).toEqual([' Picture 2 ', ' file-1 '])
  expect(await page.locator('.user-message img').count()).toBe(0)
  expect(await page.getByRole('combobox', { name: 'To', exact: true }).inputValue()).toBe('Guide')
  const asked = nextRequest(page)
  await ask(page, 'What is 17 plus 25?')
  expect((await asked).recipient_agent).toBeUndefined()
  expect(await answer(page).textContent()).toContain('42')
})

test('a run that its page left is over, which the page says when it is back', async () => {
  const { page } = await openPlayground(browser)
  await page.getByRole('textbox', { name: 'Message' }).fill('Tell me a long story')
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => document.querySelector('.said')?.textContent?.includes('Part 1'))
  await page.reload()
  await page.locator('.turn').getByText('its page was closed').waitFor()
  expect(await page.locator('.user-text').textContent()).toBe('Tell me a long story')
  await page.getByRole('button', { name: 'Run turn 1 again' }).click()
  await page.locator('.said[data-state="open"]').waitFor()
})

test('request settings are sent, checked, and stored without keys', async () => {
  const { page } = await openPlayground(browser)
  await page.getByRole('tab', { name: 'Request' }).click()
  await page.getByLabel('Additional instructions').fill('Be brief.')
  const context = page.getByRole('textbox', { name: 'user_context' })
  await ask(page, 'Hello')
  await context.fill('{"customer": ')
  await page.getByText('This is not valid JSON').waitFor()
  await page.getByRole('textbox', { name: 'Message' }).fill('Hello')
  expect(await page.getByRole('button', { name: 'Send', exact: true }).isDisabled()).toBe(true)
  await page.getByText('The request settings are not valid').waitFor()
  await context.fill('{"customer": "c-17"}')
  const bodies: string[] = []
  page.on('request', (request) => bodies.push(request.postData() ?? ''))
  const config = page.getByRole('textbox', { name: 'client_config' })
  await config.fill('{"apiKey": "x"}')
  await page.getByText('Unknown field "apiKey"').waitFor()
  await page.getByRole('button', { name: 'Run turn 1 again' }).click()
  await config.fill('{"api_key": "sk-of-the-user"}')
  const asked = nextRequest(page)
  await ask(page, 'Hello')
  expect(await asked).toMatchObject({
    additional_instructions: 'Be brief.',
    user_context: { customer: 'c-17' },
    client_config: { api_key: 'sk-of-the-user' },
  })
  expect(bodies.filter((body) => body.includes('Be brief.') && !body.includes('sk-of-the-user'))).toEqual([])
  await page.reload()
  await page.locator('.turn-foot').first().waitFor()
  const stored = await page.evaluate(async () => {
    const names = (await indexedDB.databases()).map(({ name }) => name as string)
    const all = await Promise.all(
      names.map(
        (name) =>
          new Promise((resolve) => {
            const open = indexedDB.open(name)
            open.onsuccess = () => {
              const read = open.result.transaction('conversations').objectStore('conversations').getAll()
              read.onsuccess = () => resolve(JSON.stringify(read.result))
            }
          }),
      ),
    )
    return JSON.stringify([all, localStorage])
  })
  expect(stored).toContain('Hello')
  expect(stored).not.toContain('sk-of-the-user')
})

test('over plain HTTP from another machine it works the same, copying included', async () => {
  const { url } = await startServer({ agencies: { starter }, playground: true, corsOrigins: ['*'] })
  const page = await openPage(browser, url.replace('127.0.0.1', 'plain.test'))
  await ask(page, 'What is 17 plus 25?')
  expect(await page.evaluate(() => [isSecureContext, navigator.clipboard])).toEqual([false, undefined])
  await page.getByRole('button', { name: 'Copy answer' }).click()
  await page.getByRole('button', { name: 'Copied' }).waitFor()
  await page.getByRole('textbox', { name: 'Message' }).focus()
  await page.keyboard.press('Control+v')
  expect(await page.getByRole('textbox', { name: 'Message' }).inputValue()).toContain('17 + 25 = 42')
})

test('under a prefix of another app it works the same', async () => {
  const host = Fastify()
  onTestFinished(() => host.close())
  await host.register(agencySwarm, { prefix: '/deep/ai', agencies: { starter }, playground: true })
  const address = await host.listen({ host: '127.0.0.1', port: 0 })
  const page = await openPage(browser, `${address}/deep/ai`)
  expect(page.url()).toBe(`${address}/deep/ai/`)
  await page.locator('.agent-box').first().waitFor()
  await ask(page, 'What is 17 plus 25?')
  expect(await answer(page).textContent()).toContain('42')
})
