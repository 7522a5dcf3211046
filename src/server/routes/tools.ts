import type { FastifyInstance } from 'fastify'
import { RunContext } from '../../agency/context.ts'
import { errorText } from '../../base/errors.ts'
import { shuttingDown } from '../../base/request-errors.ts'
import type { Services } from '../../services.ts'
import { createNoEmit } from '../../tools/events.ts'
import { toJsonValue } from '../../tools/json-value.ts'
import { toolFailure } from '../../tools/run.ts'
import type { ToolContext } from '../../tools/tool.ts'
import { RequestInvalid } from '../../wire/requests.ts'
import { sendJson } from '../error-handler.ts'
import { signalOf } from '../event-stream.ts'
import { LOG_HEADER } from '../request-log.ts'

/** `POST /tool/<name>` for every standalone tool. */
export function registerTools(app: FastifyInstance, services: Services): void {
  const { tools, redact, requestLog, stopping, limits } = services
  const emit = createNoEmit(limits.toolEventBytes)
  for (const tool of tools) {
    app.post(`/tool/${encodeURIComponent(tool.name)}`, async (request, reply) => {
      if (stopping()) throw shuttingDown()
      const context: ToolContext = Object.assign(new RunContext({}), {
        toolCallId: '',
        idempotencyKey: '',
        signal: signalOf(reply),
        emit,
      })
      try {
        const checked = await tool.check(request.body, ['body'])
        if (!checked.ok) throw new RequestInvalid(checked.details)
        return sendJson(reply, 200, { response: toJsonValue(await tool.run(checked.value, context)) ?? null })
      } catch (error) {
        if (error instanceof RequestInvalid) throw error
        if (tool.origin === 'class') return sendJson(reply, 500, { Error: redact(errorText(error)) })
        const write = requestLog?.writer(request.headers[LOG_HEADER])
        write?.('ERROR', `Tool ${tool.name} failed: ${errorText(error)}`, 'tool')
        return sendJson(reply, 200, { response: redact(toolFailure(tool.name, error)) })
      }
    })
  }
}
