// Runs an example of examples/ in this process.
//   npm run example -- <name> [--check]     --check runs the example on the demo model, prints ok and exits
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = new URL('../examples/', import.meta.url)
const mainOf = (name) => new URL(`${name}/main.ts`, folder)
const names = readdirSync(fileURLToPath(folder)).filter((name) => existsSync(mainOf(name)))
const name = process.argv.slice(2).find((word) => !word.startsWith('-'))

if (names.includes(name)) await import(mainOf(name).href)
else {
  const problem = name === undefined ? 'Name an example.' : `There is no example "${name}".`
  console.error(`${problem} Run one with: npm run example -- <name>\nThere is: ${names.join(', ')}`)
  process.exitCode = 2
}
