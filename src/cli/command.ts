import { type ParseArgsConfig, parseArgs } from 'node:util'
import { wrongArguments } from './errors.ts'
import type { Terminal } from './terminal.ts'

interface OptionSpec {
  type: 'string' | 'boolean'
  short?: string
  /** Stands for the value in the help: `file`. */
  value?: string
  about: string
}
type OptionSpecs = { [name: string]: OptionSpec }
type Values<Options extends OptionSpecs> = {
  [Name in keyof Options]?: Options[Name]['type'] extends 'boolean' ? boolean : string
}

interface Definition<Options extends OptionSpecs> {
  /** What stands after the name in the usage line: `[file]`. */
  takes: string
  /** How many of those there may be. */
  most: number
  /** What it does, in the lines of the help. */
  about: string
  options: Options
  /** @returns the exit code */
  run(given: { values: Values<Options>; positionals: string[] }, terminal: Terminal): Promise<number>
}

/** One command of the command line. */
export interface Command {
  /** Parses what was typed after the name, and does it or prints the help. @returns the exit code */
  run(name: string, typed: readonly string[], terminal: Terminal): Promise<number>
}

export function defineCommand<const Options extends OptionSpecs>(definition: Definition<Options>): Command {
  const { options, most, run } = definition
  return {
    async run(name, typed, terminal) {
      const { values, positionals } = read(name, typed, options)
      if (values.help === true) {
        terminal.out(helpOf(name, definition))
        return 0
      }
      if (positionals.length > most)
        throw wrongArguments(`"${positionals[most]}" is one argument too many for "${name}".`, name)
      return run({ values: values as Values<Options>, positionals }, terminal)
    },
  }
}

const HELP: OptionSpec = { type: 'boolean', short: 'h', about: 'Show this help' }

function read(name: string, typed: readonly string[], options: OptionSpecs) {
  const known: NonNullable<ParseArgsConfig['options']> = {}
  for (const [key, { type, short }] of Object.entries({ ...options, help: HELP }))
    known[key] = short === undefined ? { type } : { type, short }
  try {
    return parseArgs({ args: [...typed], options: known, allowPositionals: true })
  } catch (error) {
    const [reason = ''] = (error as Error).message.split(/(?<=\.|'\w{1,50}')\s/)
    throw wrongArguments(`${reason.replace(/\.?$/, '.')}`, name)
  }
}

function helpOf(name: string, { takes, about, options }: Definition<OptionSpecs>): string {
  const rows = Object.entries({ ...options, help: HELP }).map(([key, { short, value, about: what }]) => [
    `${short === undefined ? '    ' : `-${short}, `}--${key}${value === undefined ? '' : ` <${value}>`}`,
    what,
  ])
  return `Usage: agency-swarm-js ${name}${takes === '' ? '' : ` ${takes}`} [options]\n\n${about}\n\n${columns(rows as [string, string][])}`
}

/** Two columns, indented. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('')
}
