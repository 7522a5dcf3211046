/** What every store of runs promises, as tests: call it once per store. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunStore } from '../runs/run-store.ts'
import { describeAdmission, describeThreadOrder } from './contract/admission.ts'
import { describeCosts, describeSecrets } from './contract/costs.ts'
import { describeLaterStarts, describeSchedules, describeStats, describeWebhooks } from './contract/later.ts'
import { describeLists, describeOwners } from './contract/reads.ts'
import { describeApprovals, describeCancel, describeSweep, describeThreads } from './contract/requests.ts'
import { codeOf, createScene } from './contract/scene.ts'
import { describeSteering } from './contract/steering.ts'
import { describeClaims, describeWatch, describeWork } from './contract/work.ts'

const PARTS = {
  admission: describeAdmission,
  'thread order': describeThreadOrder,
  claims: describeClaims,
  work: describeWork,
  watch: describeWatch,
  cancel: describeCancel,
  approvals: describeApprovals,
  steering: describeSteering,
  threads: describeThreads,
  costs: describeCosts,
  secrets: describeSecrets,
  sweep: describeSweep,
  'later starts': describeLaterStarts,
  schedules: describeSchedules,
  webhooks: describeWebhooks,
  figures: describeStats,
  lists: describeLists,
  owners: describeOwners,
}

/** @param open opens a store, which may hold runs of other tests; it is closed at the end */
export function describeRunStore(name: string, open: () => RunStore | Promise<RunStore>): void {
  describe(name, () => {
    let store: RunStore
    beforeAll(async () => {
      store = await open()
    })
    afterAll(() => store.close())
    for (const [part, describePart] of Object.entries(PARTS))
      describe(part, () => describePart(() => createScene(store)))

    test('a closed store refuses what comes later', async () => {
      const scene = createScene(await open())
      await scene.store.close()
      expect(await codeOf(scene.admit('r'))).toBe('STORE_UNAVAILABLE')
    })
  })
}
