/** Defines commands: parsing of arguments, and help. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { wrongArguments } from './errors.ts'
import type { Terminal } from './terminal.ts'

interface OptionSpec {
  type: 'string' | 'boolean'
  short?: string
  /** The placeholder for the value in the help, such as `file`. */
  value?: string
  about: string
}
type OptionSpecs = { [name: string]: OptionSpec }
type Values<Options extends OptionSpecs> = {
  [Name in keyof Options]?: Options[Name]['type'] extends 'boolean' ? boolean : string
}

interface Definition<Options extends OptionSpecs> {
  /** The positional arguments in the usage line, such as `[file]`. */
  usage: string
  /** The most positional arguments. */
  maxPositionals: number
  /** The description in the help. */
  about: string
  options: Options
  /** @returns the exit code */
  run(args: { values: Values<Options>; positionals: string[] }, terminal: Terminal): Promise<number>
}

/** One command of the command line. */
export interface Command {
  /** Parses the arguments after the name, then runs the command or prints its help. @returns the exit code */
  run(name: string, args: readonly string[], terminal: Terminal): Promise<number>
}

export function defineCommand<const Options extends OptionSpecs>(definition: Definition<Options>): Command {
  const { options, maxPositionals, run } = definition
  return {
    async run(name, args, terminal) {
      const { values, positionals } = parse(name, args, options)
      if (values.help === true) {
        terminal.out(formatHelp(name, definition))
        return 0
      }
      if (positionals.length > maxPositionals)
        throw wrongArguments(`"${name}" does not take the argument "${positionals[maxPositionals]}".`, name)
      return run({ values: values as Values<Options>, positionals }, terminal)
    },
  }
}

const HELP: OptionSpec = { type: 'boolean', short: 'h', about: 'Show this help' }

function parse(name: string, args: readonly string[], options: OptionSpecs) {
  const known: NonNullable<ParseArgsConfig['options']> = {}
  for (const [key, { type, short }] of Object.entries({ ...options, help: HELP }))
    known[key] = short === undefined ? { type } : { type, short }
  try {
    return parseArgs({ args: [...args], options: known, allowPositionals: true })
  } catch (error) {
    const [reason = ''] = (error as Error).message.split(/(?<=\.|'\w{1,50}')\s/)
    throw wrongArguments(`${reason.replace(/\.?$/, '.')}`, name)
  }
}

function formatHelp(name: string, { usage, about, options }: Definition<OptionSpecs>): string {
  const rows = Object.entries({ ...options, help: HELP }).map(([key, { short, value, about: what }]) => [
    `${short === undefined ? '    ' : `-${short}, `}--${key}${value === undefined ? '' : ` <${value}>`}`,
    what,
  ])
  return `Usage: agency-swarm-js ${name}${usage === '' ? '' : ` ${usage}`} [options]\n\n${about}\n\n${columns(rows as [string, string][])}`
}

/** Two columns, indented. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('')
}
