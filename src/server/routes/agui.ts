import type { FastifyInstance, FastifyRequest } from 'fastify'
import { createAguiDialect } from '../../dialects/agui.ts'
import { toAgencyRequest } from '../../dialects/agui-input.ts'
import { AgencyError, shuttingDown } from '../../errors.ts'
import type { ServedAgency, Services } from '../../services.ts'
import { type AguiRequest, parseAguiRequest } from '../../wire/agui.ts'
import type { CorsHeaders } from '../cors.ts'
import { writeFrames, writeStream } from '../event-stream.ts'
import { LOG_HEADER } from '../request-log.ts'
import { startRun } from '../start-run.ts'

export interface AguiRoute {
  path: string
  services: Services
  agencyOf: (request: FastifyRequest) => ServedAgency
  /** For the stream, which is written past Fastify. */
  corsHeaders: CorsHeaders
}

/** An agency's stream endpoint in AG-UI. */
export function registerAgui(app: FastifyInstance, { path, services, agencyOf, corsHeaders }: AguiRoute): void {
  const start = async (request: FastifyRequest, asked: AguiRequest) => {
    const served = agencyOf(request)
    const entryAgent = served.preview.entryPoints[0]?.name ?? ''
    const logId = request.headers[LOG_HEADER]
    return startRun(services, served, toAgencyRequest(asked, entryAgent), { streaming: true, logId })
  }

  app.post(path, async (request, reply) => {
    if (services.stopping()) throw shuttingDown()
    const asked = parseAguiRequest(request.body)
    const dialect = createAguiDialect(asked)
    const run = await start(request, asked).catch((error: unknown) => {
      // What the original answers with 200 is told in the stream: files that failed, nothing to answer.
      if (error instanceof AgencyError && error.statusCode === 200) return error
      throw error
    })
    const cors = corsHeaders(request.headers.origin)
    if (run instanceof AgencyError)
      writeFrames(reply, dialect.open() + dialect.fail(services.redact(run.message), run.code), cors)
    else await writeStream(services, reply, run, dialect, cors)
  })
}
