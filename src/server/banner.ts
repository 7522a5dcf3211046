/** What a server prints when it listens. */

import { VERSION } from '../base/version.ts'
import { describeModel } from '../models/spec.ts'
import type { ShellOptions } from './plugin.ts'

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1|::ffff:127(\.\d+){3})$/i

/** True for an address that only this machine can reach. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host)

/** True when others than this machine may connect, and need no token. */
export const isOpen = (host: string, { token }: ShellOptions): boolean => token === undefined && !isLoopback(host)

/** For a server that is open to others: printed on stderr, with or without a banner. */
export function openWarning(host: string, url: string, { tokenVariable }: ShellOptions): string {
  const lines = [
    `WARNING: ${url} is open to everyone in reach of this machine (host ${host}).`,
    'Without a token anybody may run these agents, at your cost.',
    `Set ${tokenVariable}, or bind 127.0.0.1; requireAuth: true refuses to start like this.`,
  ]
  const rule = '!'.repeat(Math.max(...lines.map((line) => line.length)))
  return ['', rule, ...lines, rule, ''].join('\n')
}

/**
 * Address, agencies, models, token, pages, and commands to paste. It has no secrets.
 * @param open the warning was printed: nothing more is said about the missing token
 */
export function banner(url: string, shell: ShellOptions, open: boolean, env: NodeJS.ProcessEnv = process.env): string {
  const { services, token, tokenVariable, corsOrigins, playground } = shell
  const models = new Set<string>()
  const lines = [`agency-swarm-js ${VERSION} is listening on ${url}`, '']
  for (const { path, preview } of services.agencies) {
    const own = new Set(preview.agents.map((agent) => describeModel(agent.model)))
    for (const model of own) models.add(model)
    const demo = own.has('demo') ? ' (demo: offline answers, no real model)' : ''
    lines.push(`  /${path}  ${preview.agentNames.join(', ')}  model: ${[...own].join(', ')}${demo}`)
  }
  for (const tool of services.tools) lines.push(`  /tool/${tool.name}`)
  lines.push('')
  if (models.has('demo')) lines.push(`  ${demoHint(env)}`)
  if (token !== undefined) lines.push(`  A bearer token is required: the value of ${tokenVariable}.`)
  else if (!open) lines.push(`  NO TOKEN IS SET: set ${tokenVariable} to require one.`)
  if (token === undefined && corsOrigins === undefined && !open)
    lines.push(
      '  Pages of other sites get 403, and so do other host names than localhost: corsOrigins lists pages to let in.',
    )
  if (services.doors.openai) lines.push(`  OpenAI clients: ${url}/v1`)
  if (playground) lines.push(`  Playground: ${url}/`)
  lines.push(`  Docs: ${url}/docs`, '', ...curlLines(url, shell))
  return lines.join('\n').trimEnd()
}

/**
 * How to get real answers: names the variables that are missing. Projects made by `init` and the examples take their model from
 * AGENCY_MODEL; where it is set and the demo answers all the same, the code names the model.
 */
export function demoHint({ AGENCY_MODEL, OPENAI_API_KEY }: NodeJS.ProcessEnv): string {
  const key = OPENAI_API_KEY ? 'OPENAI_API_KEY is set' : 'OPENAI_API_KEY is not set'
  if (AGENCY_MODEL && AGENCY_MODEL !== 'demo')
    return `DEMO MODEL: these agents name the model "demo" in their code; AGENCY_MODEL=${AGENCY_MODEL} is not read. ${key}.`
  return `DEMO MODEL: for real answers set AGENCY_MODEL, such as gpt-5.4 (it is ${AGENCY_MODEL ? '"demo"' : 'not set'}), or name a model in the code. ${key}.`
}

const AGUI_INPUT = {
  threadId: 't1',
  runId: 'r1',
  state: {},
  messages: [{ id: 'm1', role: 'user', content: 'Hello' }],
  tools: [],
  context: [],
  forwardedProps: {},
}

/** Commands that work when they are pasted into a shell. */
function curlLines(url: string, { services, token, tokenVariable }: ShellOptions): string[] {
  const {
    agencies,
    dialects: { agui },
  } = services
  const [first] = agencies
  if (first === undefined) return []
  const windows = process.platform === 'win32'
  const quote = (text: string) => (windows ? `"${text.replaceAll('"', '\\"')}"` : `'${text}'`)
  const variable = windows ? `%${tokenVariable}%` : `$${tokenVariable}`
  const login = token === undefined ? '' : ` -H "authorization: Bearer ${variable}"`
  const at = (endpoint: string) => {
    const address = `${url}/${first.path.replaceAll("'", '%27')}/${endpoint}`
    return /^[\w:/.%-]+$/.test(address) ? address : quote(address)
  }
  const post = (endpoint: string, body: object) =>
    `  curl ${endpoint.endsWith('stream') ? '-N ' : ''}${at(endpoint)} -H ${quote('content-type: application/json')}${login} -d ${quote(JSON.stringify(body))}`
  const metadata = `  curl ${at('get_metadata')}${login}`
  const asked = agui
    ? [post('get_response_stream', AGUI_INPUT)]
    : [post('get_response', { message: 'Hello' }), post('get_response_stream', { message: 'Hello' })]
  const shell = windows ? `set ${tokenVariable}=...` : `export ${tokenVariable}=...`
  return [...(token === undefined ? [] : [`  After ${shell} in the other terminal:`]), metadata, ...asked]
}
