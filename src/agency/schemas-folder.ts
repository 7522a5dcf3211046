/** `schemasFolder` of an agent: the OpenAPI documents of a folder become tools. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { invalidOption } from '../base/start-errors.ts'
import { readDocumentFile } from '../tools/from-openapi/document.ts'
import { type OpenApiHeaders, toTools } from '../tools/from-openapi/tools-from-openapi.ts'
import type { FunctionTool } from '../tools/tool.ts'
import { locateFolder } from './text-file.ts'

/** The agent options of this file. */
export interface SchemasFolderOptions {
  /**
   * A folder with OpenAPI documents (`.json`, `.yaml`, `.yml`), each operation of which becomes a tool, as with `toolsFromOpenApi()`.
   * A path is relative to the module that creates the agent, or to the working directory. YAML needs the package `yaml`, Swagger 2.0
   * the package `@scalar/openapi-upgrader`.
   * @default no folder
   */
  schemasFolder?: string | URL | undefined
  /** Headers of every call, by the name of the document's file: `{ 'weather.json': { authorization: 'Bearer ...' } }`. @default {} */
  apiHeaders?: { readonly [file: string]: OpenApiHeaders } | undefined
  /** Parameters of every call, by the name of the document's file; the model does not see them. @default {} */
  apiParams?: { readonly [file: string]: { readonly [name: string]: unknown } } | undefined
}

const DOCUMENT = /^[^.].*\.(json|ya?ml)$/i

/**
 * The tools of an agent's `schemasFolder`, in the order of the files' names.
 * @throws INVALID_OPTION for a folder that is not there, and for a file name in `apiHeaders` or `apiParams` that is not in it;
 *   INVALID_TOOL, PACKAGE_MISSING as `toolsFromOpenApi`
 */
export function readSchemasFolder(options: SchemasFolderOptions, owner: string): FunctionTool[] {
  const { schemasFolder, apiHeaders = {}, apiParams = {} } = options
  const folder = schemasFolder === undefined ? undefined : locateFolder(schemasFolder, owner, 'schemasFolder')
  const files =
    folder === undefined
      ? []
      : readdirSync(folder)
          .filter((file) => DOCUMENT.test(file))
          .sort()
  if (folder !== undefined && files.length === 0)
    throw invalidOption(`schemasFolder of ${owner}: "${folder}" has no .json, .yaml or .yml file.`)
  for (const [option, byFile] of Object.entries({ apiHeaders, apiParams }))
    for (const file of Object.keys(byFile))
      if (!files.includes(file))
        throw invalidOption(
          `${option} of ${owner} names the file "${file}", which is not in schemasFolder. It has: ${files.join(', ') || 'no files'}.`,
        )
  return files.flatMap((file) =>
    toTools(readDocumentFile(join(folder as string, file)), {
      headers: apiHeaders[file],
      params: apiParams[file],
    }),
  )
}
