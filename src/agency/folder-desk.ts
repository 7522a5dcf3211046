/** Stores the folders of agencies before their first run, each folder once. */
import type { FilesFolder, FolderContent } from '../files/folder.ts'
import { syncFolder } from '../files/folder-sync.ts'
import type { RequestModels } from '../models/models.ts'
import type { AgencyGraph } from './agency.ts'
import type { Agent } from './agent.ts'

export interface FolderDeskOptions {
  /** The models of the server itself: folders are stored with its own key, not with those of requests. */
  models: () => Promise<RequestModels>
  /** What an error text contains of a failure's cause. */
  explain: (error: unknown) => string
  /** Progress, one line at a time. */
  note: (text: string) => void
  warn: (text: string) => void
}

/** The place where folders are stored. */
export interface FolderDesk {
  /**
   * Waits until every folder of the agency is stored. A failure is not kept: the next call tries again.
   * @param explain replaces the option of the same name
   * @throws FOLDER_FAILED, FILE_FAILED without a key for the Files API; the signal's reason after `stop`
   */
  prepare(agency: AgencyGraph, explain?: (error: unknown) => string): Promise<void>
  /** Ends what is being stored. */
  stop(reason: Error): void
}

export function createFolderDesk({ models, ...given }: FolderDeskOptions): FolderDesk {
  const closed = new AbortController()
  /** By path: a factory makes new agents for every request, with the same folders. */
  const contents = new Map<string, Promise<FolderContent>>()
  const store = async ({ path }: FilesFolder, agent: Agent, explain = given.explain): Promise<FolderContent> => {
    const account = (await models()).folders(agent.model, agent.name)
    if (account === undefined) return { vectorStore: undefined, codeFiles: [] }
    return syncFolder(path, { ...given, explain, store: account, signal: closed.signal })
  }
  const contentOf = (folder: FilesFolder, agent: Agent, explain?: (error: unknown) => string) => {
    const known = contents.get(folder.path)
    if (known !== undefined) return known
    const work = store(folder, agent, explain)
    contents.set(folder.path, work)
    work.catch(() => contents.delete(folder.path))
    return work
  }
  return {
    async prepare(agency, explain) {
      const waiting = agency.folders.filter(({ folder }) => folder.content === undefined)
      await Promise.all(
        waiting.map(async ({ folder, agent }) => folder.settle(await contentOf(folder, agent, explain))),
      )
    },
    stop: (reason) => closed.abort(reason),
  }
}
