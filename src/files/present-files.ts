/** `presentFiles()`: a tool that moves files to the folder from which a chat page shows them, and describes them. */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, lstat, mkdir, open, realpath, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, parse, relative, resolve, sep } from 'node:path'
import { z } from 'zod'
import { errorText } from '../base/errors.ts'
import { refuseUnknown } from '../base/options.ts'
import { invalidOption } from '../base/start-errors.ts'
import { tool } from '../tools/define.ts'
import type { FunctionTool } from '../tools/tool.ts'
import { readExtension } from './kinds.ts'
import { expandDirectories, isInside } from './local-files.ts'

/** Options of `presentFiles()`. */
export interface PresentFilesOptions {
  /** The folder that files are moved to. @default MNT_DIR, otherwise '/app/mnt' */
  folder?: string | undefined
  /** Folders whose files the model may present; links that lead out of them are refused. @default the working directory */
  allowedLocalFileDirs?: readonly string[] | undefined
  /** Larger files are moved, and reported as too large. @default FILE_PREVIEW_MAX_BYTES, otherwise 104_857_600 */
  maxBytes?: number | undefined
  /** The name of the tool. @default 'PresentFiles' */
  name?: string | undefined
}

const OPTIONS = new Set<string>([
  'folder',
  'allowedLocalFileDirs',
  'maxBytes',
  'name',
] satisfies (keyof PresentFilesOptions)[])
const MAX_BYTES = 104_857_600
/** Files of one call. */
const MAX_FILES = 100

const MEDIA_TYPES: { readonly [extension: string]: string } = {
  avif: 'image/avif',
  bmp: 'image/bmp',
  css: 'text/css',
  csv: 'text/csv',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  gif: 'image/gif',
  htm: 'text/html',
  html: 'text/html',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript',
  json: 'application/json',
  md: 'text/markdown',
  mp3: 'audio/mpeg',
  mp4: 'video/mp4',
  pdf: 'application/pdf',
  png: 'image/png',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  svg: 'image/svg+xml',
  txt: 'text/plain',
  wav: 'audio/x-wav',
  webm: 'video/webm',
  webp: 'image/webp',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  xml: 'application/xml',
  zip: 'application/zip',
}

/** A file as its reader gets it. */
interface Presented {
  name: string
  mime_type: string
  path: string
  size_bytes: number
}

/** What a call works with. */
interface Desk {
  folder: string
  allowed: readonly string[]
  maxBytes: number
  overwrite: boolean
}

/**
 * Creates a tool that presents local files to the user: it moves them to one folder, and its result describes them for the chat
 * page, `{ files: [{ name, mime_type, path, size_bytes }], errors }`, as in the Python original.
 * @throws INVALID_OPTION
 */
export function presentFiles(options: PresentFilesOptions = {}): FunctionTool {
  refuseUnknown('presentFiles()', options, OPTIONS)
  const { name = 'PresentFiles', allowedLocalFileDirs: dirs = ['.'] } = options
  const folder = resolve(options.folder ?? process.env.MNT_DIR ?? '/app/mnt')
  const maxBytes = options.maxBytes ?? (Number(process.env.FILE_PREVIEW_MAX_BYTES) || MAX_BYTES)
  if (!(Number.isInteger(maxBytes) && maxBytes >= 1))
    throw invalidOption(`maxBytes of presentFiles() must be a whole number of bytes, not ${maxBytes}.`)
  return tool({
    name,
    description:
      'Shows local files to the user in the chat. Moves them to a folder where they stay, and returns their new paths.',
    parameters: z.object({
      files: z.array(z.string()).max(MAX_FILES).describe('Paths of the files.'),
      overwrite: z.boolean().nullish().describe('Replace a file that was presented under the same path. Default true.'),
    }),
    execute: async ({ files, overwrite }) => {
      if (files.length === 0) return { files: [], errors: ['No files provided.'] }
      const allowed = await Promise.all(
        [...expandDirectories(dirs), folder].map((dir) => realpath(dir).catch(() => dir)),
      )
      const desk = { folder, allowed, maxBytes, overwrite: overwrite ?? true }
      const presented: Presented[] = []
      const errors: string[] = []
      for (const file of files)
        await present(file, desk).then(
          (done) => presented.push(done),
          (error) => errors.push(errorText(error)),
        )
      return { files: presented, errors }
    },
  })
}

/** @throws Error with the reason for the model */
async function present(given: string, desk: Desk): Promise<Presented> {
  const path = resolve(/^~[\\/]/.test(given) ? join(homedir(), given.slice(2)) : given)
  const real = await realpath(path).catch(() => undefined)
  const allowed = desk.allowed.some((dir) => isInside(real ?? path, dir))
  if (!allowed) throw new Error(`File is outside the folders that may be presented: ${path}`)
  if (real === undefined) throw new Error(`File not found: ${path}`)
  const info = await lstat(real)
  if (info.isDirectory()) throw new Error(`Path is a directory, not a file: ${path}`)
  if (!info.isFile()) throw new Error(`Path is not a regular file: ${path}`)
  const place = await moveInto(real, desk)
  if (info.size > desk.maxBytes)
    throw new Error(`File size exceeds limit (${info.size} bytes > ${desk.maxBytes} bytes): ${place}`)
  return {
    name: basename(place),
    mime_type: MEDIA_TYPES[readExtension(place)] ?? 'application/octet-stream',
    path: place.split(sep).join('/'),
    size_bytes: info.size,
  }
}

/** Moves a file to its place below the folder; one that lies there already stays. */
async function moveInto(path: string, { folder, overwrite }: Desk): Promise<string> {
  const home = await realpath(folder).catch(() => folder)
  if (isInside(path, home)) return path
  const here = await realpath('.')
  const place = join(
    folder,
    isInside(path, here) ? relative(here, path) : join('abs', path.slice(parse(path).root.length)),
  )
  await mkdir(dirname(place), { recursive: true })
  const there = await lstat(place).catch(() => undefined)
  if (there?.isDirectory()) throw new Error(`Unable to overwrite the directory ${place}. Remove it and retry.`)
  if (there !== undefined && !overwrite)
    throw new Error(`Destination already exists and overwrite is disabled: ${place}`)
  await rename(path, place).catch(async (error) => {
    if (error.code !== 'EXDEV') throw new Error(`Unable to move ${path}: ${errorText(error)}`)
    await moveAcross(path, place)
  })
  return place
}

/** Moves a file to another disk: what lies at its place is replaced once the copy is whole. */
async function moveAcross(path: string, place: string): Promise<void> {
  const staging = join(dirname(place), `.${basename(place)}.incoming-${randomUUID()}`)
  try {
    await copyFile(path, staging, constants.COPYFILE_EXCL)
    const handle = await open(staging, 'r+')
    await handle.sync().finally(() => handle.close())
    await rename(staging, place)
  } catch (error) {
    await rm(staging, { force: true })
    throw error
  }
  await rm(path)
}
