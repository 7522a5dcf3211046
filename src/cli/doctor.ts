/** The command `doctor`: checks the machine and the project, and explains error codes. */
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import type { AgencyGraph } from '../agency/agency.ts'
import type { AgencyError } from '../base/errors.ts'
import { listenFailed } from '../base/start-errors.ts'
import { VERSION } from '../base/version.ts'
import { demoHint } from '../server/banner.ts'
import { defineCommand } from './command.ts'
import { checkStore } from './doctor-store.ts'
import { ERROR_CATALOGUE, isErrorCode } from './error-catalogue.ts'
import { describeError, unknownCode } from './errors.ts'
import type { Finding } from './finding.ts'
import { isNodeSupported, MANIFEST, OLDEST_NODE } from './manifest.ts'
import { findProject, loadEnv, loadProject } from './project.ts'
import { isPort } from './serve.ts'
import { type Terminal, toJson } from './terminal.ts'

const REACH_MS = 5000

export const command = defineCommand({
  usage: '[file]',
  maxPositionals: 1,
  about: `Checks Node, keys, the file of your agency, its PostgreSQL, the port and
optional packages, and suggests a fix for each problem. Keys are never shown.
The exit code is 1 when a check failed.`,
  options: {
    reach: {
      type: 'boolean',
      about: 'Also test the address and key of the model',
    },
    explain: { type: 'string', value: 'code', about: 'Explain an error code and its remedy' },
    json: { type: 'boolean', about: 'Print JSON: { ok, version, findings }' },
  },
  async run({ values: { reach, json, explain }, positionals: [named] }, terminal) {
    if (explain !== undefined) return explainCode(explain, terminal)
    const env = loadEnv()
    const findings: Finding[] = [checkNode(), checkEnv(env), ...checkKeys()]
    findings.push(...(await terminal.during('Loading', checkProject(named))), await checkPort(), ...checkPeers())
    if (reach) findings.push(await terminal.during('Checking the model provider', checkModel()))
    const ok = findings.every(({ status }) => status !== 'error')
    if (json) terminal.out(`${toJson({ ok, version: VERSION, findings }, 2)}\n`)
    else show(findings, terminal)
    return ok ? 0 : 1
  },
})

function show(findings: readonly Finding[], { out }: Terminal): void {
  const signs = { ok: 'ok     ', warning: 'warning', error: 'ERROR  ' }
  for (const { name, status, text, fix } of findings)
    out(`${signs[status]}  ${name}: ${text}${fix === undefined ? '' : `\n         ${fix}`}\n`)
}

/** Prints the entry of docs/errors.md. @throws CommandError for a code that does not exist */
function explainCode(typed: string, { out }: Terminal): number {
  const code = typed.trim().toUpperCase()
  if (!isErrorCode(code)) throw unknownCode(typed, Object.keys(ERROR_CATALOGUE))
  const { means, remedy, example } = ERROR_CATALOGUE[code]
  out(`${code} (status ${example.statusCode}), such as: ${example.message}\n\n${means}\n\nWhat to do: ${remedy}\n`)
  return 0
}

function checkNode(): Finding {
  const { node } = process.versions
  if (isNodeSupported()) return { name: 'Node', status: 'ok', text: node }
  return { name: 'Node', status: 'error', text: `${node} is too old`, fix: `Install Node ${OLDEST_NODE} or newer.` }
}

const checkEnv = (found: boolean): Finding => ({
  name: '.env',
  status: 'ok',
  text: found ? 'loaded' : 'not found; only the environment is used',
})

function checkKeys(): Finding[] {
  const { OPENAI_API_KEY: key, APP_TOKEN: token, OPENAI_BASE_URL: base } = process.env
  const findings: Finding[] = [
    key
      ? { name: 'OPENAI_API_KEY', status: 'ok', text: 'is set' }
      : {
          name: 'OPENAI_API_KEY',
          status: 'warning',
          text: 'is not set',
          fix: 'Agents with models of OpenAI need it. Set it in the environment or in .env.',
        },
    token
      ? { name: 'APP_TOKEN', status: 'ok', text: 'is set; callers must send it' }
      : {
          name: 'APP_TOKEN',
          status: 'warning',
          text: 'is not set',
          fix: 'Everyone who can reach the server can use it. Set a token before others can reach it.',
        },
  ]
  if (base && !URL.canParse(base))
    findings.push({
      name: 'OPENAI_BASE_URL',
      status: 'error',
      text: 'is not a URL',
      fix: 'Set it to a URL such as https://gateway.example.com/v1, or remove it.',
    })
  return findings
}

/** The agency, and its store where several processes use it. */
async function checkProject(named: string | undefined): Promise<Finding[]> {
  const agency = await checkAgency(named)
  if (findProject(named) === undefined) return [agency]
  try {
    const { options } = await loadProject(named)
    const store = await checkStore(options.runs?.store)
    return store === undefined ? [agency] : [agency, store]
  } catch (error) {
    return agency.status === 'error' ? [agency] : [agency, toFinding('Store', error)]
  }
}

function toFinding(name: string, error: unknown): Finding {
  const code = readCode(error)
  return {
    name,
    status: 'error',
    text: describeError(error),
    ...(code ? { code, fix: ERROR_CATALOGUE[code].remedy } : {}),
  }
}

async function checkAgency(named: string | undefined): Promise<Finding> {
  const name = 'Agency'
  if (findProject(named) === undefined)
    return {
      name,
      status: 'warning',
      text: 'there is no agency.ts in this folder',
      fix: 'Pass the name of your file, or create a project: npx agency-swarm-js init',
    }
  try {
    const { file, options, library } = await loadProject(named)
    const app = await library.buildApp({ ...options, workers: 1 })
    await app.close()
    const names = [...Object.keys(options.agencies), ...(options.tools ?? []).map((tool) => `tool ${tool.name}`)]
    const demo = Object.values(options.agencies).some((agency) => 'agents' in agency && agency.agents.some(isDemo))
    const logins = Object.values(options.agencies).flatMap((agency) => ('agents' in agency ? listLogins(agency) : []))
    const text = `${file} serves ${names.join(', ')}${logins.length === 0 ? '' : `; users log in at ${logins.join(', ')}`}`
    if (logins.length > 0 && !process.env.AGENCY_STORE_KEY)
      return {
        name,
        status: 'warning',
        text,
        fix: 'Set AGENCY_STORE_KEY, so that logins outlive a restart: openssl rand -base64 32',
      }
    return demo ? { name, status: 'ok', text, fix: demoHint(process.env) } : { name, status: 'ok', text }
  } catch (error) {
    return toFinding(name, error)
  }
}

/** By name, so that errors of another copy of this package count, too. */
function readCode(error: unknown): AgencyError['code'] | undefined {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown }
  return name === 'AgencyError' && typeof code === 'string' && isErrorCode(code) ? code : undefined
}

/** The MCP servers with `oauth`. */
const listLogins = (agency: Pick<AgencyGraph, 'agentNames' | 'role'>): string[] => {
  const roles = agency.agentNames.map((agent) => agency.role(agent))
  const servers = roles.flatMap(({ mcpSources, hosted }) => [...mcpSources, ...hosted])
  return [...new Set(servers.flatMap(({ login }) => login?.label ?? []))]
}

const isDemo = ({ model }: { model?: unknown }): boolean => model === 'demo'

async function checkPort(): Promise<Finding> {
  const port = process.env.PORT || '8000'
  const host = process.env.HOST || '127.0.0.1'
  const name = `Port ${port}`
  if (!isPort(port))
    return { name, status: 'error', text: 'is not a port', fix: 'Set PORT to a number from 0 to 65535.' }
  const probe = createServer()
  const problem = await new Promise<NodeJS.ErrnoException | undefined>((settle) => {
    probe.once('error', settle)
    probe.listen({ port: Number(port), host }, () => settle(undefined))
  })
  if (problem === undefined) {
    probe.close()
    return { name, status: 'ok', text: 'is free' }
  }
  if (problem.code === 'EADDRINUSE')
    return {
      name,
      status: 'warning',
      text: 'is in use',
      fix: 'Ignore this if your server is running. Otherwise choose another port: PORT=8001.',
    }
  return {
    name,
    status: 'error',
    text: `cannot be used (${problem.code})`,
    fix: listenFailed(host, Number(port), problem).message,
  }
}

/** Optional packages, resolved from the working folder. */
function checkPeers(): Finding[] {
  const { resolve: find } = createRequire(resolve('package.json'))
  const installed = (name: string) => {
    try {
      find(`${name}/package.json`)
      return true
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ERR_PACKAGE_PATH_NOT_EXPORTED'
    }
  }
  const names = Object.keys(MANIFEST.peerDependencies ?? {})
  const [present, absent] = [names.filter(installed), names.filter((name) => !installed(name))]
  const text = [
    ...(present.length === 0 ? [] : [`installed: ${present.join(', ')}`]),
    ...(absent.length === 0 ? [] : [`not installed, and only needed for their features: ${absent.join(', ')}`]),
  ]
  return names.length === 0 ? [] : [{ name: 'Optional packages', status: 'ok', text: text.join('; ') }]
}

/** Requests the list of models, to check the address and the key. */
async function checkModel(): Promise<Finding> {
  const { OPENAI_API_KEY: key, OPENAI_BASE_URL } = process.env
  const base = (OPENAI_BASE_URL || 'https://api.openai.com/v1').replace(/(?<!\/)\/+$/, '')
  const host = URL.canParse(base) ? new URL(base).host : 'OPENAI_BASE_URL'
  const name = 'Model'
  try {
    const response = await fetch(`${base}/models`, {
      headers: key ? { authorization: `Bearer ${key}` } : {},
      redirect: 'manual',
      signal: AbortSignal.timeout(REACH_MS),
    })
    await response.body?.cancel()
    if (response.status === 401 || response.status === 403)
      return key
        ? { name, status: 'error', text: `${host} responds, but rejects the key`, fix: 'Check OPENAI_API_KEY.' }
        : { name, status: 'warning', text: `${host} responds, but needs a key`, fix: 'Set OPENAI_API_KEY.' }
    if (response.status >= 500)
      return {
        name,
        status: 'error',
        text: `${host} responds with ${response.status}`,
        fix: 'Try again later, or check OPENAI_BASE_URL.',
      }
    return { name, status: 'ok', text: `${host} responds (${response.status})` }
  } catch (error) {
    const { name: kind, cause } = error as Error & { cause?: { code?: string } }
    const reason =
      kind === 'TimeoutError' ? `no response within ${REACH_MS / 1000} s` : (cause?.code ?? 'no connection')
    return {
      name,
      status: 'error',
      text: `${host} cannot be reached (${reason})`,
      fix: 'Check the network, proxies and OPENAI_BASE_URL.',
    }
  }
}
