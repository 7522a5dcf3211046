import assert from 'node:assert/strict'
import { once } from 'node:events'

/** As much of an element as the page needs. */
class Element extends EventTarget {
  value = ''
  disabled = true
  parts: (string | Element)[] = []
  onsubmit: (event: { preventDefault(): void }) => Promise<void> = async () => {}
  onclick: () => Promise<Response> = async () => new Response()
  append(...parts: (string | Element)[]) {
    this.parts.push(...parts)
    this.dispatchEvent(new Event('append'))
  }
  get textContent(): string {
    return this.parts.map((part) => (typeof part === 'string' ? part : part.textContent)).join('')
  }
}

/** Runs the page's own script against the server. */
function open(html: string, url: string) {
  const [, script = ''] = /<script type="module">(.*?)<\/script>/s.exec(html) ?? []
  const ids = [...html.matchAll(/ id="(\w+)"/g)].map((match) => match[1] as string)
  const elements = Object.fromEntries(ids.map((id) => [id, new Element()]))
  const document = { getElementById: (id: string) => elements[id], createElement: () => new Element() }
  new Function('document', 'fetch', script)(document, (path: string, init: RequestInit) => fetch(url + path, init))
  const { chat, form, message, stop } = elements as Record<'chat' | 'form' | 'message' | 'stop', Element>
  const ask = (question: string) => {
    message.value = question
    return form.onsubmit({ preventDefault() {} })
  }
  const lines = () => chat.parts.map((part) => (part as Element).textContent)
  return { chat, stop, ask, lines }
}

export async function steps(url: string): Promise<void> {
  const html = await (await fetch(url)).text()
  assert.ok(html.trim().split('\n').length <= 60, 'the page has at most 60 lines')
  const { chat, stop, ask, lines } = open(html, url)

  await ask('Ask the Poet for a greeting')
  assert.deepEqual(
    lines().map((line) => line.split(':')[0]),
    ['You', 'Poet', 'Guide'],
  )
  const answer = chat.parts.at(-1) as Element
  assert.ok(answer.parts.length > 5, 'the answer came in pieces')
  assert.match(answer.textContent, /Poet answered: You wrote: "Ask the Poet for a greeting"/)

  const story = ask('Tell me a long story')
  while (lines().length < 5) await once(chat, 'append')
  const words = chat.parts.at(-1) as Element
  while (words.parts.length < 3) await once(words, 'append')
  assert.equal(stop.disabled, false)
  const cancelled = (await (await stop.onclick()).json()) as { ok: boolean; cancelled: boolean }
  assert.deepEqual([cancelled.ok, cancelled.cancelled], [true, true])
  await story
  assert.equal(stop.disabled, true)
  assert.doesNotMatch(words.textContent, /Part 8/, 'the story was stopped')

  await ask(' ')
  assert.equal(lines().at(-1), 'Error: message cannot be empty')
  await ask('Thank you')
  assert.match(lines().at(-1) ?? '', /Guide: .*Thank you/)
}
