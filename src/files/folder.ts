/** A folder whose files an agent searches or runs code on: which files count, and the names that carry the stored ids. */
import { readdirSync, statSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { readExtension } from './kinds.ts'

/** How a file of a folder reaches the model: through file search, or in the container of the code interpreter. */
export type FolderKind = 'search' | 'code'

const EXTENSIONS: { [kind in FolderKind]: string } = {
  search: 'doc docx go md pdf pptx tex txt',
  code: 'c cs cpp csv html java json php py rb css js sh ts pkl tar xlsx xml zip jpeg jpg gif png',
}
const KINDS = new Map<string, FolderKind>(
  (['search', 'code'] as const).flatMap((kind) => EXTENSIONS[kind].split(' ').map((name) => [name, kind])),
)
/** The types of files that a folder may hold, for error texts. */
export const FOLDER_TYPES = [...KINDS.keys()].map((name) => `.${name}`).join(' ')

const STORED_FOLDER = /^(.+)_(vs_[a-zA-Z0-9]{15,})$/
const STORED_FILE = /^(.+)_(file-[a-zA-Z0-9]{15,})$/
/** Names that no user means: hidden files, and those that desktops leave behind. */
const SKIPPED = /^(\.|__|Thumbs\.db$|desktop\.ini$)/

/** What a folder became once its files were stored. */
export interface FolderContent {
  /** The vector store with the files to search; undefined when there are none. */
  vectorStore: string | undefined
  /** The stored ids of the files for the code interpreter. */
  codeFiles: readonly string[]
}

/** A folder of an agent or agency. Its files are stored once, before the first run; then `content` is set for good. */
export class FilesFolder {
  /** The absolute path, without the id of a vector store. */
  readonly path: string
  /** The kinds of files that lay in the folder when its agent was created. */
  readonly kinds: ReadonlySet<FolderKind>
  #content: FolderContent | undefined

  constructor(path: string) {
    this.path = join(dirname(path), readFolderName(basename(path)).name)
    this.kinds = new Set(filesIn(this.path).flatMap(({ kind }) => kind ?? []))
  }

  get content(): FolderContent | undefined {
    return this.#content
  }

  /** Sets what the folder became. Called once, before the first run. */
  settle(content: FolderContent): void {
    this.#content ??= content
  }
}

/** `files_vs_0123456789abcdef` -> `files` and the id of its vector store. */
export function readFolderName(name: string): { name: string; vectorStore: string | undefined } {
  const [, bare = name, vectorStore] = STORED_FOLDER.exec(name) ?? []
  return { name: bare, vectorStore }
}

/** The folder that lies at a path: under its own name, or with the id of its vector store at the end; undefined for neither. */
export function findFolder(path: string): string | undefined {
  const { name } = readFolderName(basename(path))
  const beside = namesIn(dirname(path)).filter((other) => {
    const read = readFolderName(other)
    return read.name === name && read.vectorStore !== undefined && isFolder(join(dirname(path), other))
  })
  const stored = beside.includes(basename(path)) ? basename(path) : beside.sort()[0]
  if (stored !== undefined) return join(dirname(path), stored)
  return isFolder(path) ? path : undefined
}

/** A file of a folder. */
export interface FolderFile {
  path: string
  /** Its name without the id. */
  name: string
  /** The stored id that its name carries; undefined for a file that was not stored yet. */
  id: string | undefined
  /** Undefined for a type that is not supported. */
  kind: FolderKind | undefined
}

/**
 * The files of a folder, by name: those that were stored, and those under the folder's own name that were not. A file of the
 * second kind is left out when a stored one has its name.
 * @param path without the id of a vector store
 */
export function filesIn(path: string): FolderFile[] {
  const folder = findFolder(path)
  const stored = folder === undefined ? [] : readFiles(folder)
  const names = new Set(stored.map(({ name }) => name))
  const added = folder === path || !isFolder(path) ? [] : readFiles(path).filter(({ name }) => !names.has(name))
  return [...stored, ...added]
}

function readFiles(folder: string): FolderFile[] {
  return namesIn(folder)
    .filter((name) => !SKIPPED.test(name) && statSync(join(folder, name), { throwIfNoEntry: false })?.isFile() === true)
    .sort()
    .map((name) => {
      const extension = extname(name)
      const stem = name.slice(0, name.length - extension.length)
      const [, bare = stem, id] = STORED_FILE.exec(stem) ?? []
      return { path: join(folder, name), name: `${bare}${extension}`, id, kind: KINDS.get(readExtension(name)) }
    })
}

const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // it is gone, or may not be read: the caller that needs it fails
  }
}
