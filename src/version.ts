import { readFileSync } from 'node:fs'

/** The version of this package. */
export const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version

/** The version of the original whose wire is spoken; clients gate on it. */
export const WIRE_VERSION = '1.11.0'
