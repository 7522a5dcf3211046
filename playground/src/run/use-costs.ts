/** Asks the server for the cost of model answers. */
import { useCallback, useEffect, useRef, useState } from 'react'
import { askCosts } from '../server.ts'
import type { CostOf } from './activity.ts'
import type { ModelCall, RunView } from './run.ts'

type Billed = NonNullable<ModelCall['billed']>

/** Most answers per request, the limit of the server. */
const MOST = 1000

const keyOf = ({ model, usage }: Billed) => JSON.stringify([model, usage])

/** Returns the costs of model answers. Asks the server once for each answer, as soon as it is complete. */
export function useCosts(runs: readonly RunView[]): CostOf {
  const [known, setKnown] = useState<ReadonlyMap<string, number>>(new Map())
  const asked = useRef(new Set<string>())

  useEffect(() => {
    const wanted = new Map<string, Billed>()
    for (const { billed } of runs.flatMap((run) => run.modelCalls))
      if (billed !== undefined && !asked.current.has(keyOf(billed))) wanted.set(keyOf(billed), billed)
    const keys = [...wanted.keys()].slice(0, MOST)
    if (keys.length === 0) return
    for (const key of keys) asked.current.add(key)
    askCosts(keys.map((key) => wanted.get(key) as Billed)).then(
      (costs) =>
        setKnown((before) => new Map([...before, ...keys.map((key, index) => [key, costs[index] ?? 0] as const)])),
      () => undefined, // without costs the page still works, so no error is shown
    )
  }, [runs])

  return useCallback(({ billed }) => (billed === undefined ? undefined : known.get(keyOf(billed))), [known])
}
