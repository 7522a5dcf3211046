import { invalidOption } from './errors.ts'

/** What options are called elsewhere (the Python original, its older versions, the Agents SDK) -> what to write here. */
export type Moved = { readonly [name: string]: string }

/**
 * Refuses what is no option, naming the way: the camelCase spelling, the place where an option went, or all that there are.
 * @throws INVALID_OPTION
 */
export function refuseUnknown(owner: string, given: object, known: ReadonlySet<string>, moved: Moved = {}): void {
  for (const key of Object.keys(given)) {
    if (known.has(key)) continue
    const camel = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    if (known.has(camel)) throw invalidOption(`${owner} has the option "${key}"; here it is written "${camel}".`)
    if (Object.hasOwn(moved, camel))
      throw invalidOption(`${owner} has the option "${key}"; here that is ${moved[camel]}.`)
    throw invalidOption(`${owner} has no option "${key}" in this version. Known options: ${[...known].join(', ')}.`)
  }
}
