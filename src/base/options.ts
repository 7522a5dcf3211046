/** Rejects unknown options and suggests the correct name. */
import { invalidOption } from './start-errors.ts'

/** A name from the Python original, its older versions or the Agents SDK -> what to write here. */
export type Moved = { readonly [name: string]: string }

/** The names of all options of `Options`. The compiler rejects a name that is missing or unknown. */
export const optionNames = <Options extends object>(
  names: Record<keyof Required<Options>, true>,
): ReadonlySet<string> => new Set(Object.keys(names))

/**
 * Rejects unknown options. The error suggests the camelCase spelling, the new name, or lists all options.
 * @param owner what has the options, for the error text
 * @param moved options that have another name here
 * @throws INVALID_OPTION
 */
export function refuseUnknown(owner: string, options: object, known: ReadonlySet<string>, moved: Moved = {}): void {
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue
    const camelName = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    if (known.has(camelName)) throw invalidOption(`${owner} has no option "${name}". Write "${camelName}".`)
    if (Object.hasOwn(moved, camelName))
      throw invalidOption(`${owner} has no option "${name}". Use instead: ${moved[camelName]}.`)
    throw invalidOption(`${owner} has no option "${name}". Known options: ${[...known].join(', ')}.`)
  }
}
