/** Tools from a folder: each file exports some. */
import { readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { errorText } from '../base/errors.ts'
import { invalidTool } from '../base/start-errors.ts'
import { asTool, type ToolLike } from '../tools/base-tool.ts'
import type { Tool } from '../tools/tool.ts'
import { locateFolder } from './text-file.ts'

/** `.ts`, `.js` and the like, but no declarations, tests, and files that begin with `_` or `.`. */
const TOOL_FILE = /^(?![._])(?!.*\.d\.[cm]?ts$)(?!.*\.(test|spec)\.)(?!test_).*\.[cm]?[jt]s$/

/**
 * Loads the tools of a folder, or of one file: every tool that its `.ts`, `.js` and `.mjs` files export, in the order of the file names. Files
 * that begin with `_` or `.`, tests and declarations are left out. Use it as `tools: await loadTools('./tools')`.
 * @param place relative to the module that calls this, or to the working directory; or a `file:` URL
 * @throws INVALID_OPTION when there is no such folder or file; INVALID_TOOL, which names the file, for one that cannot be loaded or
 *   exports no tool
 */
export async function loadTools(place: string | URL): Promise<ToolLike[]> {
  const found = locateFolder(place, 'loadTools()', 'The path', { find: asToolPlace, noun: 'folder or file' })
  const files = statSync(found).isFile() ? [found] : listToolFiles(found)
  const loaded: Tool[][] = []
  for (const file of files) {
    const module = await import(pathToFileURL(file).href).catch((error) => {
      throw cannotLoad(file, error)
    })
    loaded.push(toolsOf(file, module))
  }
  return loaded.flat()
}

/**
 * Reads an option that names a folder with tools. Loads at once, so its modules must not use `await` at their top level.
 * @param owner the owner named in errors: `agent "Desk"`
 * @throws INVALID_OPTION, INVALID_TOOL as `loadTools`
 */
export function readToolsFolder(value: unknown, owner: string, option: string): Tool[] {
  if (value === undefined) return []
  const require = createRequire(import.meta.url)
  return listToolFiles(locateFolder(value, owner, option)).flatMap((file) => {
    try {
      return toolsOf(file, require(file))
    } catch (error) {
      if ((error as { code?: unknown }).code === 'INVALID_TOOL') throw error
      throw cannotLoad(file, error)
    }
  })
}

function asToolPlace(place: string): string | undefined {
  const stats = statSync(place, { throwIfNoEntry: false })
  return stats?.isDirectory() || stats?.isFile() ? place : undefined
}

const listToolFiles = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && TOOL_FILE.test(entry.name))
    .map(({ name }) => join(folder, name))
    .sort()

function cannotLoad(file: string, error: unknown): Error {
  const awaits = (error as { code?: unknown } | undefined)?.code === 'ERR_REQUIRE_ASYNC_MODULE'
  const reason = awaits
    ? 'it uses await at its top level. Load the folder with tools: await loadTools(...) instead'
    : errorText(error)
  return invalidTool(`The tools of ${file} cannot be loaded: ${reason}.`)
}

/** What a module exports, when it is a tool. @throws INVALID_TOOL */
function toolsOf(file: string, module: object): Tool[] {
  const exported = new Set(Object.values(module).flatMap((value: unknown) => (Array.isArray(value) ? value : [value])))
  const tools = [...exported].flatMap((value) => {
    try {
      return [asTool(value)]
    } catch (error) {
      if (!isMeantAsTool(value)) return []
      throw invalidTool(`${file}: ${errorText(error)}`)
    }
  })
  if (tools.length === 0)
    throw invalidTool(
      `${file} exports no tool. Export one (export const weather = tool({ ... })), or begin the file's name with _ when it only helps other files.`,
    )
  return tools
}

/** True for a tool with a fault, which must not be left out silently: a class of tools, or an object that says it is one. */
const isMeantAsTool = (value: unknown): boolean =>
  (typeof value === 'function' && 'fields' in value && 'toolConfig' in value) ||
  (typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'function')
