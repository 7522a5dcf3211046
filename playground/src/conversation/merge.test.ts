import { expect, test } from 'vitest'
import { beginRun, endRun, failureOf } from '../run/run.ts'
import { type Conversation, newConversation, type Turn } from './conversation.ts'
import { endForeignRuns, isSame, mergeConversations } from './merge.ts'

const turn = (id: string, text = id): Turn => ({
  id,
  input: { message: text, fileUrls: {} },
  addressed: undefined,
  run: endRun(beginRun()),
})
const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((id) => turn(id)) as [Turn, Turn, Turn, Turn]
const running: Turn = { ...turn('r'), run: beginRun() }
const talk = (turns: readonly Turn[], more: Partial<Conversation> = {}): Conversation => ({
  ...newConversation('x', 'team', 1),
  turns,
  ...more,
})
const changed = (one: Turn): Turn => ({ ...one, addressed: 'B' })
const b2 = changed(b)

test.for([
  ['both added a turn', [a, c], [a, d], [a], [a, d, c]],
  ['only the other tab added one', [a], [a, b], [a], [a, b]],
  ['only this tab added one', [a, b], [a], [a], [a, b]],
  ['both added one to nothing known', [c], [d], undefined, [d, c]],
  ['this tab removed one', [a], [a, b], [a, b], [a]],
  ['the other tab removed one', [a, b], [a], [a, b], [a]],
  ['the other tab removed one that changed here', [a, b2], [a], [a, b], [a, b2]],
  ['this tab changed one', [a, b2], [a, b, c], [a, b], [a, b2, c]],
  ['the other tab changed one', [a, b], [a, b2], [a, b], [a, b2]],
  [
    'a run goes on here',
    [a, running],
    [a, endForeignRuns(talk([running])).turns[0] as Turn],
    [a, running],
    [a, running],
  ],
] as const)('merging keeps what either tab wrote: %s', ([, ours, theirs, base, expected]) => {
  const merged = mergeConversations(talk(ours), talk(theirs), base && talk(base))
  expect(merged.turns).toEqual(expected)
  expect(new Set(merged.turns.map(({ id }) => id)).size).toBe(merged.turns.length)
})

test('title and recipient are those of the later change', () => {
  const early = talk([a], { title: 'Early', updatedAt: 1 })
  const late = talk([a], { title: 'Late', recipient: 'B', updatedAt: 2 })
  for (const merged of [mergeConversations(early, late, early), mergeConversations(late, early, early)])
    expect(merged).toMatchObject({ title: 'Late', recipient: 'B', updatedAt: 2 })
})

test('a run of another tab is shown as one that ended, with the reason', () => {
  const [shown] = endForeignRuns(talk([running])).turns
  expect(shown?.run.phase).toBe('ended')
  expect(failureOf(shown?.run ?? beginRun())).toMatch(/another tab/)
  expect(endForeignRuns(talk([a])).turns[0]).toBe(a)
})

test('the same turns in another list are the same conversation', () => {
  expect(isSame(talk([a, b]), talk([a, b]))).toBe(true)
  expect(isSame(talk([a, b]), talk([a, changed(b)]))).toBe(false)
  expect(isSame(talk([a]), talk([a, b]))).toBe(false)
  expect(isSame(talk([a]), talk([a], { recipient: 'B' }))).toBe(false)
})
