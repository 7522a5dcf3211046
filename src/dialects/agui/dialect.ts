/** The AG-UI dialect (docs/ag-ui.md). */
import { type AguiEvents, type AguiRequest, parseAguiRequest } from '../../wire/agui.ts'
import type { RequestRules } from '../../wire/requests.ts'
import type { Dialect } from '../dialect.ts'
import { toAgencyRequest } from './input.ts'
import { AguiWriter, runError, runStarted } from './writer.ts'

export interface AguiOptions {
  rules: RequestRules
  /** Which optional events are sent when a request does not say it. */
  events: Partial<AguiEvents>
}

export const createAguiDialect = ({ rules, events }: AguiOptions): Dialect<AguiRequest> => ({
  read: (body) => parseAguiRequest(body, rules, events),
  toRunRequest: (request, { preview }) => toAgencyRequest(request, preview.entryPoints[0]?.name ?? ''),
  writer: (request) => new AguiWriter(request),
  refuse: ({ code, message }, request) =>
    code === 'FILE_FAILED' || code === 'NOTHING_TO_ANSWER' ? runStarted(request) + runError(message, code) : undefined,
})
