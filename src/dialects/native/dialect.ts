/** The native dialect: the requests and frames of the Python original (docs/wire.md). */
import { type AgencyRequest, parseAgencyRequest, type RequestRules } from '../../wire/requests.ts'
import { frame, toJson } from '../../wire/sse.ts'
import type { Dialect } from '../dialect.ts'
import { createNativeWriter, END, type StreamScalars } from './writer.ts'

export interface NativeOptions {
  scalars: StreamScalars
  rules: RequestRules
}

export function createNativeDialect({ scalars, rules }: NativeOptions): Dialect<AgencyRequest> {
  const writer = createNativeWriter(scalars)
  return {
    read: (body, served) => parseAgencyRequest(body, served.preview.agentNames, rules),
    toRunRequest: (request) => request,
    writer: () => writer,
    // Every other error is an answer with a status, as in the original.
    refuse: ({ code, message }) => (code === 'FILE_FAILED' ? `${frame(toJson({ error: message }))}${END}` : undefined),
  }
}
