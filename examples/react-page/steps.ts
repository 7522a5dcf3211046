import assert from 'node:assert/strict'
import { runInNewContext } from 'node:vm'
import { stream } from '../run.ts'

export async function steps(url: string): Promise<void> {
  const page = await (await fetch(url)).text()
  const [, path = ''] = /<script type="module" src="([^"]+)">/.exec(page) ?? []
  const script = await (await fetch(url + path)).text()
  assert.ok(script.length > 50_000 && script.length < 400_000, 'React and the client are in it')
  assert.doesNotMatch(script, /^(import|export)\b/m, 'it needs nothing else')
  // It parses, and asks first for the element that it draws into.
  const asked: string[] = []
  const document = { getElementById: (id: string) => void asked.push(id), createElement: () => ({}) }
  assert.throws(() => runInNewContext(script, { document, window: {}, navigator: {}, URL, fetch, console, setTimeout }))
  assert.deepEqual(asked, ['root'])

  const frames = await stream(`${url}/guide/get_response_stream`, { message: 'Ask the Poet for a greeting' })
  const speakers = new Set(frames.flatMap((frame) => frame.data?.data?.agent ?? []))
  assert.deepEqual([...speakers].sort(), ['Guide', 'Poet'])
}
