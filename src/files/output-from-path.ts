/** Parts of a tool's result that are read from files of the program. */
import { open } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LIMITS } from '../base/limits.ts'
import { invalidTool } from '../base/start-errors.ts'
import { toolOutputFile, toolOutputImage } from '../tools/output.ts'
import type { ContentPart } from '../wire/message.ts'

/** Options of `toolOutputImageFromPath` and `toolOutputFileFromPath`. */
export interface PathOptions {
  /** The media type. @default what the extension says */
  mediaType?: string | undefined
  /** The largest file that is read, in bytes. @default 64 MiB */
  maxBytes?: number | undefined
}

/**
 * Creates an image part of a file: `return toolOutputImageFromPath('chart.png')`. The path comes from your code: nothing checks
 * where it leads.
 * @throws INVALID_TOOL for a file that is not there, too large, or of no known image type; inside a tool the model reads it
 */
export async function toolOutputImageFromPath(
  path: string | URL,
  { detail, ...options }: PathOptions & { detail?: 'low' | 'high' | 'auto' } = {},
): Promise<ContentPart> {
  const { data, name } = await readPath(path, options)
  const mediaType = options.mediaType ?? IMAGE_TYPES.get(extname(name).toLowerCase())
  if (mediaType === undefined)
    throw invalidTool(`"${name}" has the extension of no image (${[...IMAGE_TYPES.keys()].join(', ')}). Set mediaType.`)
  return toolOutputImage({ data, mediaType, ...(detail === undefined ? {} : { detail }) })
}

/**
 * Creates a file part of a file. The model gets its name.
 * @throws INVALID_TOOL as `toolOutputImageFromPath`
 */
export async function toolOutputFileFromPath(
  path: string | URL,
  { filename, ...options }: PathOptions & { filename?: string } = {},
): Promise<ContentPart> {
  const { data, name } = await readPath(path, options)
  const mediaType = options.mediaType ?? FILE_TYPES.get(extname(name).toLowerCase()) ?? 'application/octet-stream'
  return toolOutputFile({ data, mediaType, filename: filename ?? name })
}

const IMAGE_TYPES = new Map([
  ['.png', 'image/png'],
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.gif', 'image/gif'],
  ['.webp', 'image/webp'],
])
const FILE_TYPES = new Map([
  ...IMAGE_TYPES,
  ['.pdf', 'application/pdf'],
  ['.txt', 'text/plain'],
  ['.md', 'text/markdown'],
  ['.csv', 'text/csv'],
  ['.html', 'text/html'],
  ['.json', 'application/json'],
  ['.xml', 'application/xml'],
])

async function readPath(given: string | URL, { maxBytes = LIMITS.fileBytes.value }: PathOptions) {
  const path = given instanceof URL ? fileURLToPath(given) : given
  const name = basename(path)
  const file = await open(path).catch((error) => {
    throw invalidTool(`The file "${name}" cannot be read (${error.code}).`)
  })
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw invalidTool(`"${name}" is not a file.`)
    if (stats.size > maxBytes) throw invalidTool(`"${name}" has ${stats.size} bytes, which is more than ${maxBytes}.`)
    return { data: await file.readFile(), name }
  } finally {
    await file.close()
  }
}
