import { expect, test } from 'vitest'
import { packEvents, unpackEvents } from './event-rows.ts'

const delta = (who: string, text: string) =>
  JSON.stringify({
    kind: 'model',
    who: { agent: who, description: 'Answers questions.' },
    event: { type: 'delta', text },
  })

const LISTS: { [what: string]: string[] } = {
  'one event': [delta('CEO', 'a')],
  'events with nothing in common': ['{"kind":"queued"}', '[1]', '"text"'],
  'pieces of one text': ['a', 'ab', '', 'a', 'ü\u001d\u001e"'].map((text) => delta('CEO', text)),
  'the same event again': [delta('CEO', 'a'), delta('CEO', 'a')],
  'pieces of two agents': ['CEO', 'CEO', 'Clerk', 'Clerk', 'CEO'].map((who, index) => delta(who, `${index}`)),
  'short events between': ['1', delta('CEO', 'a'), delta('CEO', 'b'), '2', delta('CEO', 'c')],
}

test.each(Object.entries(LISTS))('a row gives back %s', (_what, events) => {
  expect(unpackEvents(packEvents(events))).toEqual(events)
})

test('what the pieces of a text begin with is stored once', () => {
  const events = Array.from({ length: 100 }, (_, index) => delta('CEO', `piece ${index}`))
  expect(packEvents(events).length).toBeLessThan(events.join('').length / 4)
})

test('a row of an earlier version is read as it is', () => {
  const events = [delta('CEO', 'a'), delta('CEO', 'b')]
  expect(unpackEvents(events.join('\u001e'))).toEqual(events)
})
