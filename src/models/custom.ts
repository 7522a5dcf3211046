/** Wraps users' own Model objects. */
import { orAbort } from '../base/async.ts'
import { defaultSettings, overDefaults } from './defaults.ts'
import type { Model, TurnRequest } from './model.ts'

/** A user's own Model. When the run is aborted, a model that ignores its signal is no longer waited for. */
export function customModel(model: Model): Model {
  const defaults = defaultSettings(model.name)
  const settle = (request: TurnRequest): TurnRequest => ({
    ...request,
    settings: overDefaults(defaults, request.settings),
  })
  return {
    // Read each time: an adapted object may get its name with the first answer.
    get name() {
      return model.name
    },
    get provider() {
      return model.provider
    },
    get runsHostedTools() {
      return model.runsHostedTools
    },
    async *streamTurn(request, signal) {
      const batches = model.streamTurn(settle(request), signal)[Symbol.asyncIterator]()
      try {
        for (;;) {
          const { value, done } = await orAbort(batches.next(), signal)
          if (done === true) return
          yield value
        }
      } finally {
        batches.return?.().catch(() => {}) // not awaited: it may hang in the same place
      }
    },
    completeTurn: (request, signal) => orAbort(model.completeTurn(settle(request), signal), signal),
  }
}
