/** Reads the option `runs.schedules`. */
import type { ServedAgency } from '../agency/served.ts'
import { errorText } from '../base/errors.ts'
import { optionNames, refuseUnknown } from '../base/options.ts'
import { invalidOption, packageMissing } from '../base/start-errors.ts'
import type { Schedule } from '../runs/scheduler.ts'
import { toStart } from '../runs/stored/request.ts'
import { EVERYBODY } from '../server/run-requests.ts'
import { parseRunRequest, type RunRequestBody, type RunRules } from '../wire/runs.ts'

/** Starts runs at the times of a cron expression. Needs the package `croner`. */
export interface ScheduleOptions {
  /** Names the schedule in the store: under another name it is a new one. */
  name: string
  /** When, such as `0 9 * * 1-5`: minute, hour, day, month, weekday; with six parts the first is the second. */
  cron: string
  /** The time zone of `cron`, such as `Europe/Berlin`. @default 'UTC' */
  timezone?: string | undefined
  /** The path of the agency. */
  agency: string
  /** Whose the runs are. Needed with `identify`. @default one owner for all who may use the server */
  owner?: string | undefined
  /** The body of `POST /{agency}/runs`. `metadata` gets `schedule` and `due_at` besides. */
  request: RunRequestBody
}

const OPTIONS = optionNames<ScheduleOptions>({
  name: true,
  cron: true,
  timezone: true,
  agency: true,
  owner: true,
  request: true,
})
/** Entries that each run gets besides those of the option. */
const OWN_METADATA = { schedule: '', due_at: '' }

export interface SchedulesParts {
  agencies: readonly ServedAgency[]
  rules: RunRules
  /** Requests have owners. */
  identifies: boolean
}

/** @throws INVALID_OPTION, PACKAGE_MISSING */
export async function readSchedules(
  given: readonly ScheduleOptions[],
  { agencies, rules, identifies }: SchedulesParts,
): Promise<Schedule[]> {
  if (!Array.isArray(given)) throw invalidOption('runs.schedules has to be a list.')
  if (given.length === 0) return []
  const { Cron } = await import('croner').catch((error: unknown) => {
    throw packageMissing('runs.schedules', 'croner', error)
  })
  const names = new Set<string>()
  return given.map((options) => {
    refuseUnknown('runs.schedules', options, OPTIONS)
    const { name, cron, timezone = 'UTC', agency, owner, request } = options
    const refuse = (text: string) => invalidOption(`The schedule "${name}" ${text}`)
    if (typeof name !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(name))
      throw invalidOption(`The name of a schedule has 1 to 128 visible ASCII characters without blanks, not "${name}".`)
    if (names.has(name)) throw refuse('is there twice. Rename one of them.')
    names.add(name)
    const served = agencies.find(({ path }) => path === agency)
    if (served === undefined)
      throw refuse(`names the agency "${agency}". Agencies: ${agencies.map(({ path }) => path).join(', ')}.`)
    if (identifies && !owner) throw refuse('needs an owner, because runs.identify gives every run one.')
    const pattern = attempt(
      () => new Cron(cron, { timezone, paused: true }),
      (reason) => refuse(`has a wrong cron expression or time zone. (${reason})`),
    )
    const find = (dates: readonly (Date | null | undefined)[]) => dates[0]?.getTime() ?? null
    if (
      attempt(
        () => pattern.nextRun(),
        (reason) => refuse(`has a wrong time zone. (${reason})`),
      ) === null
    )
      throw refuse(`is never due: "${cron}" names no time to come.`)
    const body = { ...request, metadata: { ...request?.metadata, ...OWN_METADATA } }
    const parsed = attempt(
      () => parseRunRequest(body, served.preview.agentNames, rules),
      (reason) => refuse(`has a request that is not valid. (${reason})`),
    )
    return {
      name,
      next: (after) => find([pattern.nextRun(new Date(after))]),
      latest: (until) => find(pattern.previousRuns(1, new Date(until + 1))),
      request: { agency, owner: owner ?? EVERYBODY, ...toStart(parsed, 0), startAt: null },
    }
  })
}

function attempt<Result>(work: () => Result, explain: (reason: string) => Error): Result {
  try {
    return work()
  } catch (error) {
    throw explain(errorText(error))
  }
}
