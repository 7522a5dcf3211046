#!/usr/bin/env node
/** The entry point of the command line. */
import { VERSION } from '../base/version.ts'
import { type Command, columns } from './command.ts'
import { CommandError, describeError, nodeTooOld, unknownCommand } from './errors.ts'
import { isNodeSupported, OLDEST_NODE } from './manifest.ts'
import { createTerminal, stripControls, type Terminal } from './terminal.ts'

/** Name -> its line in the help, and the command, loaded when it is used. */
const COMMANDS: { [name: string]: { about: string; load: () => Promise<{ command: Command }> } } = {
  init: { about: 'Create a project that runs with one command', load: () => import('./init.ts') },
  add: { about: 'Write a new agent or tool', load: () => import('./add.ts') },
  port: { about: 'Write a TypeScript project from a Python agency', load: () => import('./port.ts') },
  dev: { about: 'Serve, and restart when a source file changes', load: () => import('./dev.ts') },
  serve: { about: 'Serve the agencies of a file over HTTP', load: () => import('./serve.ts') },
  worker: { about: 'Work on the stored runs of a file', load: () => import('./worker.ts') },
  store: { about: 'Bring the store of runs up to date', load: () => import('./store.ts') },
  mcp: { about: 'Serve the agencies of a file to an MCP host', load: () => import('./mcp.ts') },
  chat: { about: 'Chat with a server, or with the agency of a file', load: () => import('./chat.ts') },
  runs: { about: 'List, stop and repeat the runs of a server', load: () => import('./runs.ts') },
  drill: { about: 'Try the promises of a server while processes die', load: () => import('./drill.ts') },
  doctor: { about: 'Find problems and suggest fixes', load: () => import('./doctor.ts') },
  openapi: { about: 'Print the OpenAPI document', load: () => import('./openapi.ts') },
  eval: { about: 'Run evals: conversations with assertions and a judge', load: () => import('./eval.ts') },
  record: { about: 'Turn a stored run into a test that replays it', load: () => import('./record.ts') },
  graph: { about: 'Draw an agency as one HTML page', load: () => import('./graph.ts') },
}

const HELP = `agency-swarm-js ${VERSION}: agencies of agents, served over HTTP

Usage: agency-swarm-js <command> [options]

${columns(Object.entries(COMMANDS).map(([name, { about }]) => [name, about] as const))}
<command> --help shows its options. [file] exports your agency; the default is
agency.ts or src/agency.ts. Variables: also from .env. NO_COLOR=1, DEBUG=1
`

async function runCommand([name, ...rest]: readonly string[], terminal: Terminal): Promise<number> {
  if (name === '--version' || name === '-v') {
    terminal.out(`${VERSION}\n`)
    return 0
  }
  if (name === 'help' && rest[0] !== undefined) return runCommand([rest[0], '--help'], terminal)
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.out(HELP)
    return 0
  }
  if (!isNodeSupported() && name !== 'doctor') throw nodeTooOld(process.versions.node, OLDEST_NODE)
  const known = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (known === undefined) throw unknownCommand(name, findSimilar(name))
  const { command } = await known.load()
  return command.run(name, rest, terminal)
}

/** A command with the same beginning or the same letters. */
function findSimilar(name: string): string | undefined {
  const letters = (text: string) => [...text].sort().join('')
  return Object.keys(COMMANDS).find((known) => known.startsWith(name.slice(0, 3)) || letters(known) === letters(name))
}

function report(error: unknown, terminal: Terminal): number {
  // By name, because errors of another copy of this package are not instances of our classes.
  const known = error instanceof Error && ['CommandError', 'AgencyError', 'ClientError'].includes(error.name)
  terminal.note(`${terminal.paint('red', 'error:')} ${stripControls(describeError(error))}`)
  if (process.env.DEBUG) terminal.note(stripControls(inspect(error)))
  else if (!known) terminal.note('This error was unexpected. DEBUG=1 shows the stack.')
  return error instanceof CommandError ? error.exitCode : 1
}

function inspect(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return `${error.stack}${error.cause === undefined ? '' : `\ncaused by ${inspect(error.cause)}`}`
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0) // the reader closed the pipe
  throw error
})
const terminal = createTerminal()
process.exitCode = await runCommand(process.argv.slice(2), terminal).catch((error: unknown) => report(error, terminal))
