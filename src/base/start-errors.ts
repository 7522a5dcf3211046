/** Errors of constructors and of starting a server. */
import { AgencyError, errorText } from './errors.ts'

export const invalidOption = (message: string) => new AgencyError('INVALID_OPTION', 500, message)
export const duplicateName = (message: string) => new AgencyError('DUPLICATE_NAME', 500, message)
export const invalidFlow = (message: string) => new AgencyError('INVALID_FLOW', 500, message)
export const invalidTool = (message: string) => new AgencyError('INVALID_TOOL', 500, message)
export const invalidEvent = (reason: string) =>
  new AgencyError('INVALID_EVENT', 500, `context.emit() cannot send this event: ${reason}.`)
export const agentFrozen = (agent: string, option: string) =>
  new AgencyError(
    'AGENT_FROZEN',
    500,
    `Agent "${agent}" has already run, so its ${option} can no longer change: other requests use it. Make a changed copy with agent.clone({ ${option}: ... }) and build a new Agency from it.`,
  )

export const nothingToServe = () =>
  new AgencyError('NOTHING_TO_SERVE', 500, 'There is nothing to serve. Give serve() at least one agency or one tool.')
/** The server cannot listen on this address. @param cause the error of the operating system */
export const listenFailed = (host: string, port: number, cause: unknown) => {
  const code = String((cause as { code?: unknown } | undefined)?.code ?? '')
  if (code === 'EADDRINUSE')
    return new AgencyError(
      'PORT_TAKEN',
      500,
      `Port ${port} is in use by another program. Stop that program, or choose another port (PORT=8001, or the port option).`,
      { cause },
    )
  const reason =
    code === 'EACCES'
      ? `This process is not allowed to listen on port ${port}. Choose a port above 1023 (PORT=8000, or the port option).`
      : ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_NONAME', 'EAFNOSUPPORT', 'EINVAL'].includes(code)
        ? `This machine has no address "${host}". Set HOST, or the host option, to an address that it has: 127.0.0.1 for this machine only, 0.0.0.0 for all its addresses.`
        : `The server cannot listen on ${host}, port ${port}: ${errorText(cause)}`
  return new AgencyError('LISTEN_FAILED', 500, reason, { cause })
}
/** A worker of `serve({ workers })` has ended, or could not begin. */
export const workerFailed = (reason: string) =>
  new AgencyError('WORKER_FAILED', 500, `A worker process could not start: ${reason}`)
export const missingToken = (variable: string) =>
  new AgencyError(
    'MISSING_TOKEN',
    500,
    `requireAuth is set, but ${variable} is empty. Set ${variable} to the bearer token that callers must send.`,
  )
export const factoryFailed = (agency: string, cause: unknown) =>
  new AgencyError('FACTORY_FAILED', 500, `The agency "${agency}" could not be created.`, { cause })

/** @param feature the function or option that needs the package */
export const packageMissing = (feature: string, name: string, cause: unknown) =>
  new AgencyError('PACKAGE_MISSING', 500, `${feature} needs the package ${name}. Install it: npm install ${name}`, {
    cause,
  })
