/** The command `port`: writes a TypeScript project from a Python agency. */
import { existsSync } from 'node:fs'
import { basename, dirname, relative, resolve } from 'node:path'
import { defineCommand } from './command.ts'
import { noFile, noPythonFile, notPython } from './errors.ts'
import { createProject, nextSteps, readTemplate, toPackageName } from './new-project.ts'
import { portProject } from './port/port-project.ts'
import { readProject } from './port/project.ts'

/** Files of a template that a ported project gets too. */
const SHARED = ['gitignore', 'tsconfig.json', 'Dockerfile', 'dockerignore'].map((file) => `shared/${file}`)

export const command = defineCommand({
  usage: '<agency.py> [folder]',
  maxPositionals: 2,
  about: `Writes a TypeScript project from the Python file that defines or serves an
agency and the files that it imports. Reads them with python3 and runs none of
them. Agents, flows, schemas and options are carried over; the code of tools
stays as a comment. PORTING.md lists what is left. Default folder:
<name>-js beside the Python folder.`,
  options: {
    force: { type: 'boolean', about: 'Overwrite existing files' },
    'no-install': { type: 'boolean', about: 'Skip npm install' },
  },
  async run({ values, positionals: [file, named] }, terminal) {
    if (file === undefined) throw noPythonFile()
    if (!existsSync(file)) throw noFile(file)
    if (!file.endsWith('.py')) throw notPython(file)
    const source = dirname(resolve(file))
    const folder = resolve(named ?? `${source}-js`)
    const project = await terminal.during('Reading', readProject(file))
    const { files, copies, packages, carried, todos } = portProject(project, file)
    const name = toPackageName(folder)
    const shared = Object.fromEntries(SHARED.map((template) => readTemplate(template, name)))
    const install = values['no-install'] !== true
    await createProject(
      { folder, files: { ...shared, ...files }, copies, packages },
      { force: values.force === true, install },
      terminal,
    )
    terminal.note(`Carried over from ${basename(file)}: ${carried.join(', ')}.`)
    if (todos > 0)
      terminal.note(`Left to do: ${todos} entries in ${relative(process.cwd(), folder) || '.'}/PORTING.md.`)
    terminal.note(`\nNext: ${terminal.paint('bold', nextSteps(folder, install))}`)
    return 0
  },
})
