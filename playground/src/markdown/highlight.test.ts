import { expect, test } from 'vitest'
import { highlight } from './highlight.ts'

test.for([
  ['ts', 'const answer: number = 42 // why'],
  ['python', 'def f(x):\n    return "é" * x'],
  ['json', '{"a": [1, null, true]}'],
  ['bash', 'curl -s "$URL" | jq .'],
  ['html', '<a href="x">y</a>'],
] as const)('%s comes in stretches that together are the code', ([language, code]) => {
  const stretches = highlight(language, code) ?? []
  expect(stretches.map(({ text }) => text).join('')).toBe(code)
  expect(stretches.filter(({ className }) => /^hljs-[\w-]+$/.test(className)).length).toBeGreaterThan(0)
})

test.for(['', 'klingon', 'constructor', '__proto__'])('the language %j is not known', (language) => {
  expect(highlight(language, 'x = 1')).toBeUndefined()
})
