import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AgencyError, shuttingDown } from '../../base/errors.ts'
import { createAguiDialect } from '../../dialects/agui.ts'
import { toAgencyRequest, withNotes } from '../../dialects/agui-input.ts'
import type { ServedAgency, Services } from '../../services.ts'
import { parseAguiRequest } from '../../wire/agui.ts'
import { writeFrames, writeStream } from '../event-stream.ts'
import { LOG_HEADER } from '../request-log.ts'
import { startRun } from '../start-run.ts'

export interface AguiRoute {
  path: string
  services: Services
  agencyOf: (request: FastifyRequest) => ServedAgency
}

/** An agency's stream endpoint in AG-UI. */
export function registerAgui(app: FastifyInstance, { path, services, agencyOf }: AguiRoute): void {
  app.post(path, async (request, reply) => {
    if (services.stopping()) throw shuttingDown()
    const served = agencyOf(request)
    const given = await parseAguiRequest(request.body, services.requestRules, services.agui)
    try {
      const asked = toAgencyRequest(given, served.preview.entryPoints[0]?.name ?? '')
      const run = await startRun(services, served, asked, {
        streaming: true,
        logId: request.headers[LOG_HEADER],
        reply,
      })
      await writeStream(services, reply, run, createAguiDialect(withNotes(given, asked, run.input)))
    } catch (error) {
      // The stream tells of files that cannot be had and of requests with nothing to answer; all else is an answer of its own.
      if (!(error instanceof AgencyError && error.statusCode === 200)) throw error
      const dialect = createAguiDialect(given)
      writeFrames(reply, dialect.open() + dialect.fail(services.redact(error.message), error.code))
    }
  })
}
