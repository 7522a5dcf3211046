import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { Agent, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { postAndRead, startServer, useUpstream } from './support/client.ts'

class Money {
  readonly #cents = 1_050
  toJSON() {
    return { euro: this.#cents / 100 }
  }
}
class Point {
  readonly x = 1
  readonly y = 2
  length() {
    return Math.hypot(this.x, this.y)
  }
}
class Sealed {
  readonly #secret = 1
  read() {
    return this.#secret
  }
}
class Celsius {
  readonly #degrees = 21
  toString() {
    return `${this.#degrees} degrees`
  }
}
const circle: { name: string; self?: unknown } = { name: 'circle' }
circle.self = circle
const twice = { n: 1 }
let deep: unknown = 'core'
for (let level = 0; level < 10_000; level++) deep = { deep }

/** What a tool gives, and what the model reads. */
const RESULTS: [name: string, value: unknown, told: string][] = [
  ['Map', new Map([['a', new Map([['b', 1]])]]), '{"a":{"b":1}}'],
  ['Map of objects', new Map([[{ id: 1 }, 'one']]), '[[{"id":1},"one"]]'],
  ['Set', new Set(['a', 2, new Set([3])]), '["a",2,[3]]'],
  ['Error', new RangeError('too far'), 'too far'],
  ['Error inside', { failed: new Error('no ink') }, '{"failed":"no ink"}'],
  ['Error without words', new TypeError(), 'TypeError'],
  ['Date', new Date(0), '1970-01-01T00:00:00.000Z'],
  ['Date inside', { at: [new Date(0)] }, '{"at":["1970-01-01T00:00:00.000Z"]}'],
  ['bigint', 2n ** 64n, '18446744073709551616'],
  ['bigint inside', { id: 10n }, '{"id":"10"}'],
  ['undefined', undefined, ''],
  ['undefined inside', { a: undefined, b: [undefined] }, '{"b":[null]}'],
  ['circle', circle, '{"name":"circle","self":"[circular]"}'],
  ['one object twice', [twice, twice], '[{"n":1},{"n":1}]'],
  ['Buffer of a text', Buffer.from('Grüße'), 'Grüße'],
  ['bytes', new Uint8Array([255, 254, 0]), '//4A'],
  ['bytes inside', { png: new Uint8Array([137, 80]).buffer }, '{"png":"iVA="}'],
  ['numbers', new Float64Array([1.5, 2]), '[1.5,2]'],
  ['toJSON', [new Money()], '[{"euro":10.5}]'],
  ['instance', new Point(), '{"x":1,"y":2}'],
  ['function', function draw() {}, '[function draw]'],
  ['symbol', Symbol('red'), 'Symbol(red)'],
  ['members', { color: Symbol('red'), draw() {} }, '{"color":"Symbol(red)"}'],
  ['NaN', { mean: Number.NaN }, '{"mean":"NaN"}'],
  ['URL', { link: new URL('https://a.example/b') }, '{"link":"https://a.example/b"}'],
  ['RegExp', { match: /a+/g }, '{"match":"/a+/g"}'],
  ['pairs', new URLSearchParams('a=1'), '[["a","1"]]'],
  ['promise inside', [Promise.resolve(1)], '["[Promise]"]'],
  ['signal inside', { stop: new AbortController().signal }, '{"stop":"[AbortSignal]"}'],
  ['text cut inside a character', 'Hi 🙂'.slice(0, 4), 'Hi \ufffd'],
  ['own text', new Celsius(), '21 degrees'],
  ['errors', new AggregateError([new Error('no ink'), new Error('no paper')]), 'no ink; no paper'],
  ['plain', { a: [1, 'x', null, true] }, '{"a":[1,"x",null,true]}'],
  ['depth', deep, expect.stringMatching(/^(\{"deep":){201}"\[nested too deep\]"\}+$/)],
]

test.for(RESULTS)('a result of the kind %s keeps its content', async ([, value, told]) => {
  promise('F5')
  await useUpstream((_body, index) => (index === 0 ? { calls: [{ name: 'give', arguments: {} }] } : { text: 'ok' }))
  const give = tool({ name: 'give', execute: () => value })
  const { newMessages } = await new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [give] }).getResponse('Hi')
  expect(newMessages.find((item) => item.type === 'function_call_output')?.output).toEqual(told)
})

const UNREADABLE: [kind: string, make: () => unknown][] = [
  ['Response', () => new Response('content')],
  ['Blob', () => new Blob(['content'])],
  ['ReadableStream', () => new Blob(['content']).stream()],
  ['Readable', () => Readable.from(['content'])],
  ['Generator', () => (function* () {})()],
  ['AsyncGenerator', () => (async function* () {})()],
  ['Map Iterator', () => new Map([['a', 1]]).values()],
  ['Sealed', () => new Sealed()],
]

test.for(UNREADABLE)(
  'a %s, whose content cannot be read, is an error and not an empty object',
  async ([kind, make]) => {
    promise('F5')
    await useUpstream((_body, index) => (index === 0 ? { calls: [{ name: 'give', arguments: {} }] } : { text: 'ok' }))
    const give = tool({ name: 'give', execute: make })
    const { newMessages } = await new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [give] }).getResponse('Hi')
    const output = newMessages.find((item) => item.type === 'function_call_output')?.output
    expect(output).toMatch(
      new RegExp(`^An error occurred in the tool "give": the tool returned a ${kind}, .*Return the content itself`),
    )
  },
)

const HTTP_RESULTS: [name: string, value: unknown, answered: unknown][] = [
  ['Map', new Map([['a', 1]]), { a: 1 }],
  ['Set', new Set([1, 2]), [1, 2]],
  ['bigint', { id: 10n }, { id: '10' }],
  ['Error inside', [new Error('no ink')], ['no ink']],
  ['nothing', undefined, null],
  ['plain', { a: [1, null] }, { a: [1, null] }],
  ['Response', new Response('content'), expect.stringContaining('returned a Response')],
]

test.for(HTTP_RESULTS)('a served tool answers a %s with its content', async ([, value, answered]) => {
  promise('F5')
  const { url } = await startServer({ tools: [tool({ name: 'give', execute: () => value })] })
  expect(await postAndRead(`${url}/tool/give`, {})).toEqual({ status: 200, body: { response: answered } })
})

const THROWN: [name: string, thrown: unknown, told: string][] = [
  ['a text', 'no ink', 'no ink'],
  ['an object with a message', { message: 'no ink', code: 5 }, 'no ink'],
  ['an object', { code: 5 }, '{"code":5}'],
  ['several errors', new AggregateError([new Error('no ink'), { message: 'no paper' }]), 'no ink; no paper'],
  ['an error without words', new RangeError(), 'RangeError'],
  ['nothing', undefined, 'undefined'],
]

test.for(THROWN)('what a tool throws reaches the model: %s', async ([, thrown, told]) => {
  promise('F5')
  await useUpstream((_body, index) => (index === 0 ? { calls: [{ name: 'give', arguments: {} }] } : { text: 'ok' }))
  const give = tool({
    name: 'give',
    execute: () => {
      throw thrown
    },
  })
  const { newMessages } = await new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [give] }).getResponse('Hi')
  const output = newMessages.find((item) => item.type === 'function_call_output')?.output
  expect(output).toBe(`An error occurred in the tool "give": ${told}. Check the arguments, or find another way.`)
})
