/** Requests of AG-UI for runs that the server keeps: what they have beside those of a stream without a store. */
import { z } from 'zod'
import { type AguiEvents, type AguiRequest, aguiRequestSchema, parseAguiRequest, readAguiBody } from './agui.ts'
import { functionFields } from './openai.ts'
import { checkCount } from './request-checks.ts'
import { redactSecrets } from './request-secrets.ts'
import { RequestInvalid, type RequestRules } from './requests.ts'
import { threadId } from './runs.ts'
import { detailsFromZod } from './validation.ts'

const resumeEntry = z.object({
  interruptId: z.string().min(1).max(256),
  status: z.enum(['resolved', 'cancelled']),
  payload: z.unknown().optional(),
})
/** The answer to an interrupt: a call that waits for a person. */
export type AguiResume = z.infer<typeof resumeEntry>

const { name, description, parameters } = functionFields
const runFields = z.object({
  threadId,
  state: z
    .unknown()
    .optional()
    .describe('What the application and the tools share: `context.state`. Given back as STATE_SNAPSHOT.'),
  tools: z
    .array(z.object({ name, description, parameters }))
    .nullish()
    .describe('Functions that the client runs. A call of one ends the run; its result comes with the next request.'),
  context: z
    .array(z.object({ description: z.string(), value: z.string() }))
    .nullish()
    .describe('What the agent should know of the application, for this run.'),
  resume: z.array(resumeEntry).nullish().describe('Answers to all interrupts of the run that waits: it goes on.'),
  on_disconnect: z
    .enum(['cancel', 'continue'])
    .nullish()
    .describe(
      'What happens when the client leaves. Default: cancel, after the time that the server gives it to come back.',
    ),
})
type RunFields = z.infer<typeof runFields>

export const aguiRunSchema: z.ZodType = (aguiRequestSchema as z.ZodObject)
  .extend(runFields.shape)
  .meta({ id: 'AguiRunInput' })

/** A checked request of AG-UI for a stored run. */
export interface AguiRunRequest extends AguiRequest, Pick<RunFields, 'on_disconnect'> {
  tools: NonNullable<RunFields['tools']>
  context: NonNullable<RunFields['context']>
  resume: readonly AguiResume[]
}

/** The body of POST /{agency}/agui. @throws RequestInvalid */
export async function parseAguiRunRequest(
  body: unknown,
  rules: RequestRules,
  defaults: Partial<AguiEvents>,
): Promise<AguiRunRequest> {
  const request = await parseAguiRequest(body, rules, defaults)
  const { tools, context, resume, state, on_disconnect } = readRunFields(body, rules)
  return { ...request, state, on_disconnect, tools: tools ?? [], context: context ?? [], resume: resume ?? [] }
}

/** The answers to interrupts in a request; none in one that has nothing of the kind. @throws RequestInvalid */
export const readResume = (body: unknown, rules: RequestRules): readonly AguiResume[] =>
  readAguiBody(body).resume == null ? [] : (readRunFields(body, rules).resume ?? [])

function readRunFields(body: unknown, { historyItems }: RequestRules): RunFields {
  const given = readAguiBody(body)
  for (const field of ['tools', 'context', 'resume']) checkCount(given[field], [field], historyItems)
  const parsed = runFields.safeParse(given)
  if (parsed.success) return parsed.data
  throw new RequestInvalid(detailsFromZod(parsed.error.issues, given, ['body']).map(redactSecrets))
}
