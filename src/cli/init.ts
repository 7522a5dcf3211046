/** The command `init`: creates a project from a template. */
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { defineCommand } from './command.ts'
import { unknownTemplate } from './errors.ts'
import { createProject, nextSteps, readTemplate, TEMPLATES, toPackageName } from './new-project.ts'

/** Template -> its line in the help, and the packages that it needs. Its files are in the folder of its name. */
export const KINDS: { [name: string]: { about: string; packages?: readonly string[] } } = {
  basic: { about: 'two agents and a tool' },
  research: { about: 'a lead that asks several agents at once' },
  support: { about: 'hand-offs, approvals, conversations kept in SQLite' },
  tools: {
    about: 'tools of an HTTP API and of an MCP server',
    packages: ['@modelcontextprotocol/client', '@modelcontextprotocol/server'],
  },
}

/** The files of a new project, without its package.json. @param name the name of its package */
export const readTemplates = (template: string, name: string): { [path: string]: string } =>
  Object.fromEntries(
    ['shared', template].flatMap((part) =>
      readdirSync(new URL(part, TEMPLATES)).map((file) => readTemplate(`${part}/${file}`, name)),
    ),
  )

export const command = defineCommand({
  usage: '[folder]',
  maxPositionals: 1,
  about: `Creates a project in the folder (default: the current one): an agency in
TypeScript with the offline demo model, a test, a Dockerfile. Installs it and
prints the next steps. Existing files are only overwritten with --force.

Templates:
${Object.entries(KINDS)
  .map(([name, { about }]) => `  ${name.padEnd(9)} ${about}`)
  .join('\n')}`,
  options: {
    template: { type: 'string', short: 't', value: 'name', about: 'The template (default: basic)' },
    force: { type: 'boolean', about: 'Overwrite existing files' },
    'no-install': { type: 'boolean', about: 'Skip npm install' },
  },
  async run({ values: { template = 'basic', force = false, ...values }, positionals: [named = '.'] }, terminal) {
    const kind = Object.hasOwn(KINDS, template) ? KINDS[template] : undefined
    if (kind === undefined) throw unknownTemplate(template, Object.keys(KINDS))
    const folder = resolve(named)
    const install = values['no-install'] !== true
    await createProject(
      { folder, files: readTemplates(template, toPackageName(folder)), ...kind },
      { force, install },
      terminal,
    )
    terminal.note(
      `\nNext: ${terminal.paint('bold', nextSteps(folder, install))}\nOr chat in the terminal: npm run chat`,
    )
    return 0
  },
})
