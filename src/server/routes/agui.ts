/** What the OpenAPI document says of the stream endpoint when it speaks AG-UI. */
import { aguiRequestSchema } from '../../wire/agui.ts'
import { aguiStreamSchemas } from '../../wire/agui-events.ts'
import { AGUI_EXAMPLE } from '../../wire/examples.ts'
import { BODY_REFUSALS, bodyOf, NOT_STARTED, type Operations, streamOf } from '../operations.ts'

export const operations: Operations = {
  schemas: [aguiRequestSchema, ...aguiStreamSchemas],
  endpoints: [
    {
      path: '/get_response_stream',
      method: 'post',
      id: 'get_response_stream',
      operation: {
        summary: 'Run the agency and stream its events as AG-UI',
        requestBody: bodyOf('RunAgentInput', AGUI_EXAMPLE),
        responses: {
          200: streamOf(
            'Server-sent events of AG-UI (https://docs.ag-ui.com): `RUN_STARTED`, then texts, calls and their results as agents work, then `RUN_FINISHED` or `RUN_ERROR`.',
            'AguiFrame',
          ),
          ...BODY_REFUSALS,
          500: NOT_STARTED,
        },
      },
    },
  ],
}
