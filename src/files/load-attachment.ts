/** `loadFileAttachment()`: a tool that shows images and PDFs to the model, from allowed folders and public addresses. */
import { readdir } from 'node:fs/promises'
import { basename, dirname, isAbsolute, resolve } from 'node:path'
import { z } from 'zod'
import { Budget } from '../base/budget.ts'
import { AgencyError, errorText } from '../base/errors.ts'
import { readLimits } from '../base/limits.ts'
import { refuseUnknown } from '../base/options.ts'
import { fileUrlFailed, processFull } from '../base/request-errors.ts'
import { invalidOption } from '../base/start-errors.ts'
import { tool } from '../tools/define.ts'
import { toolOutputFile, toolOutputImage } from '../tools/output.ts'
import type { FunctionTool } from '../tools/tool.ts'
import type { ContentPart } from '../wire/message.ts'
import { createFileDesk, type FileDesk } from './attachments.ts'
import { findKind, readExtension } from './kinds.ts'
import { expandDirectories, isInside } from './local-files.ts'
import type { FileStore, LoadedFile } from './store.ts'

/** Options of `loadFileAttachment()`. */
export interface LoadFileAttachmentOptions {
  /** Folders whose files the model may load; `~` is the home folder. Relative paths start in the first. @default none */
  allowedLocalFileDirs?: readonly string[] | undefined
  /** Whether the model may load files from public http(s) addresses. @default true */
  allowAddresses?: boolean | undefined
  /** Origins that files may be loaded from although they are not on the public internet. @default [] */
  trustedFileOrigins?: readonly string[] | undefined
  /** The name of the tool. @default 'LoadFileAttachment' */
  name?: string | undefined
}

const OPTIONS = new Set<string>([
  'allowedLocalFileDirs',
  'allowAddresses',
  'trustedFileOrigins',
  'name',
] satisfies (keyof LoadFileAttachmentOptions)[])
/** How many names of a folder a text lists. */
const MAX_NAMES = 100

/**
 * Creates a tool that loads an image (jpg, png, gif) or a PDF, so that the model sees it. Paths and addresses are checked as
 * those of `file_urls`: only files inside the allowed folders, only public addresses, within `limits.fileBytes`.
 * @throws INVALID_OPTION
 */
export function loadFileAttachment(options: LoadFileAttachmentOptions = {}): FunctionTool {
  refuseUnknown('loadFileAttachment()', options, OPTIONS)
  const { allowedLocalFileDirs: dirs = [], allowAddresses = true, name = 'LoadFileAttachment' } = options
  const folders = expandDirectories(readDirs(dirs))
  const desk = createDesk(options)
  return tool({
    name,
    description:
      'Loads an image (jpg, jpeg, png, gif) or a PDF so that you can see it. When a file does not exist, the answer lists those beside it.',
    parameters: z.object({
      path: z.string().describe(`The path of a file${allowAddresses ? ', or its http(s) address' : ''}.`),
    }),
    execute: async ({ path }, { signal }) => {
      const remote = /^https?:/i.test(path)
      if (remote && !allowAddresses) return 'Error: this tool loads no files from addresses.'
      const url = remote || /^file:/i.test(path) || isAbsolute(path) ? path : resolve(folders[0] ?? '.', path)
      try {
        return await load(desk, url, signal)
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof AgencyError)) throw error
        return [
          `Error: ${errorText(error).replace(/^Error downloading file from provided urls: /, '')}`,
          remote ? '' : await listBeside(url, folders),
        ]
          .join('')
          .trim()
      }
    },
  })
}

function readDirs(dirs: unknown): readonly string[] {
  if (!Array.isArray(dirs) || dirs.some((dir) => typeof dir !== 'string' || dir === ''))
    throw invalidOption('allowedLocalFileDirs of loadFileAttachment() is a list of folders such as ["./uploads"].')
  return dirs
}

/** The desk that checks and fetches the files of requests, with a memory of its own. */
function createDesk({ allowedLocalFileDirs, trustedFileOrigins = [] }: LoadFileAttachmentOptions): FileDesk {
  const limits = readLimits()
  return createFileDesk({
    limits,
    budget: new Budget({ bound: 2 * limits.fileTotalBytes, refuse: processFull }),
    allowedLocalFileDirs,
    trustedFileOrigins,
    explain: errorText,
    log: () => {}, // the model gets the reason
    warn: () => {},
  })
}

async function load(desk: FileDesk, url: string, signal: AbortSignal): Promise<ContentPart> {
  let loaded: LoadedFile | undefined
  const store: FileStore = {
    put: async (file) => {
      const kind = findKind(readExtension(file.name))
      if (kind !== 'image' && kind !== 'pdf')
        throw fileUrlFailed(`${file.name} is neither an image nor a PDF, and other files cannot be shown to a model`)
      loaded = file
      return 'loaded'
    },
    get: async (id) => ({ id, name: (loaded as LoadedFile).name, state: 'ready' }),
    delete: async () => {},
  }
  await desk.prepare({ fileIds: [], fileUrls: { file: url }, store, mask: (text) => text, signal })
  return toPart(loaded as unknown as LoadedFile)
}

function toPart({ name, pieces }: LoadedFile): ContentPart {
  const extension = readExtension(name)
  const data = Buffer.concat(pieces)
  if (extension === 'pdf') return toolOutputFile({ data, mediaType: 'application/pdf', filename: name })
  return toolOutputImage({ data, mediaType: `image/${extension === 'jpg' ? 'jpeg' : extension}`, detail: 'auto' })
}

/** The files beside one that could not be loaded, when its folder is one that may be read. */
async function listBeside(path: string, folders: readonly string[]): Promise<string> {
  const folder = dirname(resolve(path))
  if (!folders.some((allowed) => isInside(folder, allowed))) return ''
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const names = entries.filter((entry) => entry.isFile() && entry.name !== basename(path)).map((entry) => entry.name)
  if (names.length === 0) return ''
  const more = names.length > MAX_NAMES ? `\n... and ${names.length - MAX_NAMES} more` : ''
  return `\n\nFiles in the folder:\n${names
    .sort()
    .slice(0, MAX_NAMES)
    .map((name) => `- ${name}`)
    .join('\n')}${more}`
}
