import { expect, test } from 'vitest'
import { readDatasets } from './datasets.ts'

const result = (dataset: string, name: string, status: string) => ({ dataset, case: name, status, ms: 5 })

test('each dataset has its last results, and what has changed since', () => {
  const reports = [
    { startedAt: 'b', results: [result('desk', 'one', 'passed'), result('desk', 'two', 'failed')] },
    {
      startedAt: 'a',
      results: [result('desk', 'one', 'failed'), result('desk', 'two', 'failed'), result('a', 'x', 'passed')],
    },
  ]
  expect(readDatasets(reports)).toMatchObject([
    { name: 'a', at: 'a', history: [1] },
    {
      ...{ name: 'desk', at: 'b', history: [0, 0.5] },
      cases: [
        { case: 'one', status: 'passed', changed: 'newly passed', repetition: 1, ms: 5, costUsd: 0 },
        { case: 'two', status: 'failed', changed: undefined },
      ],
    },
  ])
})

test('entries that are not results are left out', () => {
  expect(
    readDatasets([{ results: [null, 5, { case: 'x' }, { case: 'x', status: 'odd' }] }, { results: 'none' }, {}]),
  ).toEqual([])
})
