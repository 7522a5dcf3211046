// Measures the playground's page in a real Chromium: bytes and time until it can be used, and frames while an answer streams
// into a long conversation.
//   node bench/playground.ts [--turns 1000] [--events 20000] [--loads 7] [--write]
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { cpus, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { Agency, Agent, serve } from '../dist/index.js'
import { needChromium } from '../scripts/find-chromium.mjs'
import { launchChromium } from '../tests/browser/launch.ts'

const { values } = parseArgs({
  options: {
    turns: { type: 'string', default: '1000' },
    events: { type: 'string', default: '20000' },
    loads: { type: 'string', default: '7' },
    write: { type: 'boolean', default: false },
  },
})
const [turns, events, loads] = [Number(values.turns), Number(values.events), Number(values.loads)]
const FREE = { inputUsdPerMillion: 0, outputUsdPerMillion: 0 }
const DOC = fileURLToPath(new URL('../docs/playground.md', import.meta.url))

/** Deltas are sent in pieces of this number, this many milliseconds apart: 2,000 a second. */
const [PIECE, PACE_MS] = [20, 10]

type Json = { [key: string]: unknown }
const frame = (event: Json) => `data: ${JSON.stringify(event)}\n\n`

/** A model that answers with as many deltas as were asked for, in lines of Markdown. */
async function startModel(): Promise<http.Server> {
  const server = http.createServer(async (request, response) => {
    request.resume()
    await once(request, 'end')
    const base = { id: 'resp_1', object: 'response', model: 'bench', status: 'in_progress', output: [] }
    const item = { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed' }
    const at = { item_id: 'msg_1', output_index: 0, content_index: 0 }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(frame({ type: 'response.created', response: base }))
    response.write(frame({ type: 'response.output_item.added', output_index: 0, item: { ...item, content: [] } }))
    let text = ''
    for (let sent = 0; sent < events; sent += PIECE) {
      let piece = ''
      for (let index = sent; index < Math.min(events, sent + PIECE); index++) {
        const delta = index % 40 === 39 ? 'word.\n\n' : index % 13 === 0 ? '**bold** ' : 'word '
        text += delta
        piece += frame({ type: 'response.output_text.delta', ...at, delta })
      }
      response.write(piece)
      await sleep(PACE_MS)
    }
    const done = { ...item, content: [{ type: 'output_text', text, annotations: [] }] }
    const usage = { input_tokens: 100, output_tokens: events, total_tokens: events + 100 }
    response.write(frame({ type: 'response.output_item.done', output_index: 0, item: done }))
    response.write(
      frame({ type: 'response.completed', response: { ...base, status: 'completed', output: [done], usage } }),
    )
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/** Runs in the page before its own scripts: notes when the message box can be used, and the time between frames. */
function watch(): void {
  const notes = { usable: 0, frames: [] as number[] }
  Object.assign(globalThis, { notes })
  const seek = new MutationObserver(() => {
    if (document.querySelector('#message') === null) return
    seek.disconnect()
    requestIdleCallback(() => {
      notes.usable = performance.now()
    })
  })
  seek.observe(document, { childList: true, subtree: true })
}

interface Notes {
  notes: { usable: number; frames: number[] }
}

/** Opens the page with an empty cache. `bytes` counts what came over the wire until the message box could be used, and in all. */
async function load(
  browser: Browser,
  url: string,
): Promise<{ usable: number; first: number; all: number; page: Page }> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } })
  const page = await context.newPage()
  await page.addInitScript(watch)
  const session = await context.newCDPSession(page)
  await session.send('Network.enable')
  let bytes = 0
  session.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength
  })
  await page.goto(url)
  await page.waitForFunction(() => (globalThis as unknown as Notes).notes.usable > 0)
  const first = bytes
  await page.locator('.agent-box').first().waitFor()
  const usable = await page.evaluate(() => (globalThis as unknown as Notes).notes.usable)
  return { usable, first, all: bytes, page }
}

/** Streams an answer while frames are counted, with this panel beside the conversation. */
async function stream(page: Page, panel: string): Promise<number[]> {
  await page.getByRole('tab', { name: panel }).click()
  const before = await page.locator('.turn').count()
  await page.evaluate(() => {
    const { notes } = globalThis as unknown as Notes
    notes.frames = []
    let last = performance.now()
    const count = (now: number) => {
      notes.frames.push(now - last)
      last = now
      requestAnimationFrame(count)
    }
    requestAnimationFrame(count)
  })
  await page.getByRole('textbox', { name: 'Message' }).fill('Go on')
  await page.keyboard.press('Enter')
  // Looked for seldom: a search of the page each frame would be measured, too.
  const ended = (count: number) => document.querySelectorAll('.turn')[count]?.querySelector('.turn-foot') != null
  await page.waitForFunction(ended, before, { timeout: 300_000, polling: 500 })
  return page.evaluate(() => (globalThis as unknown as Notes).notes.frames.slice(2))
}

const history = Array.from({ length: turns }, (_, index) => [
  { role: 'user', content: `Question ${index + 1}`, agent: 'Writer', callerAgent: null },
  {
    ...{ type: 'message', role: 'assistant', agent: 'Writer', callerAgent: null },
    content: [{ type: 'output_text', text: `Answer **${index + 1}** with a list:\n\n- one\n- two\n` }],
  },
]).flat()

const rank = (figures: readonly number[], part: number) =>
  figures.toSorted((a, b) => a - b)[Math.min(figures.length - 1, Math.floor(figures.length * part))] ?? 0
const kib = (bytes: number) => `${Math.round(bytes / 1024)} KiB`
const ms = (value: number) => `${Math.round(value)} ms`

async function measure(): Promise<string[][]> {
  const model = await startModel()
  process.env.OPENAI_BASE_URL = `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`
  process.env.OPENAI_API_KEY = 'sk-bench'
  const agency = new Agency(new Agent({ name: 'Writer', model: 'bench' }), { name: 'bench' })
  const where = { host: '127.0.0.1', port: 0, banner: false, handleSignals: false }
  const server = await serve({ ...where, agencies: { bench: agency }, playground: true, prices: { bench: FREE } })
  const browser = await launchChromium()
  try {
    const opened = []
    for (let count = 0; count < loads; count++) {
      const { page, ...figures } = await load(browser, server.url)
      await page.context().close()
      opened.push(figures)
    }
    const { page } = await load(browser, server.url)
    const file = { name: 'history.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(history)) }
    await page.locator('.chats input[type=file]').setInputFiles(file)
    await page.locator('.turn').nth(0).waitFor({ timeout: 120_000 })
    const rows = [
      [
        'over the wire until the page can be used',
        kib(
          rank(
            opened.map(({ first }) => first),
            0.5,
          ),
        ),
        '300 KiB',
      ],
      [
        'over the wire with the graph',
        kib(
          rank(
            opened.map(({ all }) => all),
            0.5,
          ),
        ),
        '',
      ],
      [
        `time until the page can be used, median of ${loads}`,
        ms(
          rank(
            opened.map(({ usable }) => usable),
            0.5,
          ),
        ),
        '500 ms',
      ],
    ]
    for (const panel of ['Graph', 'Inspector']) {
      const frames = await stream(page, panel)
      const name = `frame while ${events.toLocaleString('en')} events stream, ${await page.locator('.turn').count()} turns, ${panel}`
      rows.push([`${name}: p50`, ms(rank(frames, 0.5)), ''], [`${name}: p95`, ms(rank(frames, 0.95)), '32 ms'])
    }
    return rows
  } finally {
    await browser.close()
    await server.close()
    model.closeAllConnections()
    model.close()
  }
}

const chromium = needChromium()
if (chromium === undefined) throw new Error('There is no Chromium. Install one, or set CHROMIUM to its path.')
process.env.CHROMIUM = chromium
const before = loadavg()
const rows = await measure()
const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, load average ${before[0]?.toFixed(2)} to ${loadavg()[0]?.toFixed(2)}`
const table = ['| figure | measured | goal |', '| --- | --- | --- |', ...rows.map((row) => `| ${row.join(' | ')} |`)]
const text = [
  `Measured ${new Date().toISOString().slice(0, 10)} on ${machine}, by \`node bench/playground.ts --write\`.`,
  '',
  ...table,
].join('\n')
console.log(text)
if (values.write) {
  const [head, , tail] = readFileSync(DOC, 'utf8').split(/<!-- (?:measured|end) -->\n/)
  if (tail === undefined) throw new Error('docs/playground.md has no place for the figures.')
  writeFileSync(DOC, `${head}<!-- measured -->\n${text}\n<!-- end -->\n${tail}`)
}
process.exit(0)
