/** Folders with files as options of agents and agencies, and the hosted tools that read them. */
import { FilesFolder, findFolder } from '../files/folder.ts'
import { codeInterpreter, hostedTool } from '../tools/hosted.ts'
import type { HostedTool, Tool } from '../tools/tool.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import { locateFolder } from './text-file.ts'

/**
 * Reads the option that names a folder with files.
 * @param owner the owner named in errors: `agent "Desk"`
 * @throws INVALID_OPTION when there is no such folder
 */
export function readFilesFolder(value: unknown, owner: string, option: string): FilesFolder | undefined {
  if (value === undefined) return undefined
  return new FilesFolder(locateFolder(value, owner, option, { find: findFolder }))
}

/**
 * The tools of an agent with those that its folders need: a file search over their vector stores, and a code interpreter with
 * their files. Tools of these kinds that the agent has already are extended. The ids are read when a model is called, because
 * they are known once the folders are stored.
 */
export function withFolders(tools: readonly Tool[], folders: readonly FilesFolder[]): readonly Tool[] {
  const having = (kind: 'search' | 'code') => folders.filter(({ kinds }) => kinds.has(kind))
  const searched = having('search')
  const coded = having('code')
  const search = hostedTool({ type: 'file_search', vectorStoreIds: [] })
  const withSearch = extend(tools, searched.length === 0 ? undefined : search, (definition) => {
    const stores = searched.flatMap(({ content }) => content?.vectorStore ?? [])
    return { ...definition, vector_store_ids: join(definition.vector_store_ids, stores) }
  })
  return extend(withSearch, coded.length === 0 ? undefined : codeInterpreter(), (definition) => {
    const { container } = definition
    if (!isObject(container)) return definition // a container with an id has its own files
    const files = coded.flatMap(({ content }) => content?.codeFiles ?? [])
    return { ...definition, container: { ...container, file_ids: join(container.file_ids, files) } }
  })
}

const join = (own: unknown, added: readonly string[]) => [...new Set([...(Array.isArray(own) ? own : []), ...added])]

/** The tools with the one of this kind extended, or added; unchanged when nothing is to be added. */
function extend(
  tools: readonly Tool[],
  added: HostedTool | undefined,
  define: (definition: JsonObject) => JsonObject,
): readonly Tool[] {
  if (added === undefined) return tools
  const own = tools.find((tool): tool is HostedTool => tool.kind === 'hosted' && tool.name === added.name)
  const base = own ?? added
  const late: HostedTool = Object.freeze({
    ...base,
    get definition() {
      return define(base.definition)
    },
  })
  return own === undefined ? [...tools, late] : tools.map((tool) => (tool === own ? late : tool))
}
