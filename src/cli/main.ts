#!/usr/bin/env node
import { VERSION } from '../base/version.ts'
import { type Command, columns } from './command.ts'
import { CommandError, nodeTooOld, sentenceOf, unknownCommand } from './errors.ts'
import { isNodeFit, OLDEST_NODE } from './manifest.ts'
import { createTerminal, harmless, type Terminal } from './terminal.ts'

/** Name -> what the help says, and the command itself, loaded when it is asked for. */
const COMMANDS: { [name: string]: { about: string; load: () => Promise<{ command: Command }> } } = {
  init: { about: 'Make a new project that runs with one command', load: () => import('./init.ts') },
  dev: { about: 'Serve, and start again whenever a source changes', load: () => import('./dev.ts') },
  serve: { about: 'Serve the agencies of a file over HTTP', load: () => import('./serve.ts') },
  chat: { about: 'Talk to a server, or to the agency of a file', load: () => import('./chat.ts') },
  doctor: { about: 'Say what is wrong here, and the way out', load: () => import('./doctor.ts') },
  openapi: { about: 'Print the OpenAPI document', load: () => import('./openapi.ts') },
  graph: { about: 'Draw an agency as one HTML page', load: () => import('./graph.ts') },
}

const HELP = `agency-swarm-js ${VERSION}: agencies of agents, served over HTTP

Usage: agency-swarm-js <command> [options]

${columns(Object.entries(COMMANDS).map(([name, { about }]) => [name, about] as const))}
  agency-swarm-js <command> --help   options of a command
  agency-swarm-js --version          this version

[file] is the module that exports your agency; by default agency.ts, then
src/agency.ts. A .env file in the working folder is read. NO_COLOR=1: no
colours. DEBUG=1: the stacks of errors.
`

async function runTyped([name, ...rest]: readonly string[], terminal: Terminal): Promise<number> {
  if (name === '--version' || name === '-v') {
    terminal.out(`${VERSION}\n`)
    return 0
  }
  if (name === 'help' && rest[0] !== undefined) return runTyped([rest[0], '--help'], terminal)
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.out(HELP)
    return 0
  }
  if (!isNodeFit() && name !== 'doctor') throw nodeTooOld(process.versions.node, OLDEST_NODE)
  const known = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (known === undefined) throw unknownCommand(name, nearest(name))
  const { command } = await known.load()
  return command.run(name, rest, terminal)
}

/** A command that begins alike, or holds the same letters. */
function nearest(name: string): string | undefined {
  const letters = (text: string) => [...text].sort().join('')
  return Object.keys(COMMANDS).find((known) => known.startsWith(name.slice(0, 3)) || letters(known) === letters(name))
}

function report(error: unknown, terminal: Terminal): number {
  // By name: errors of another copy of this package are no instances of ours.
  const known = error instanceof Error && ['CommandError', 'AgencyError', 'ClientError'].includes(error.name)
  terminal.note(`${terminal.paint('red', 'error:')} ${harmless(sentenceOf(error))}`)
  if (process.env.DEBUG) terminal.note(harmless(inspect(error)))
  else if (!known) terminal.note('This was not expected. DEBUG=1 shows the stack.')
  return error instanceof CommandError ? error.exitCode : 1
}

function inspect(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.stack}${error.cause === undefined ? '' : `\ncaused by ${inspect(error.cause)}`}`
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0) // the reader has seen enough
  throw error
})
const terminal = createTerminal()
process.exitCode = await runTyped(process.argv.slice(2), terminal).catch((error: unknown) => report(error, terminal))
