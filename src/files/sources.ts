import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileUrlFailed } from '../base/errors.ts'
import { extensionOf, kindOf } from './kinds.ts'

/** One entry of `file_urls`, read and checked as far as that goes without looking anywhere. */
export interface FileSource {
  /** The name the caller gave it. */
  key: string
  /** What the caller wrote. */
  url: string
  from: RemoteFile | LocalFile
}
export type RemoteSource = FileSource & { from: RemoteFile }
export type LocalSource = FileSource & { from: LocalFile }
export interface RemoteFile {
  kind: 'remote'
  url: URL
  /** What its stored name begins with. */
  stem: string
  /** Undefined: the content has to tell. */
  extension: string | undefined
}
export interface LocalFile {
  kind: 'local'
  /** Absolute, without `..`. */
  path: string
}

/** As much of a caller's text as an error repeats. */
const SHOWN_CHARS = 300
const STEM_CHARS = 50
const WINDOWS = process.platform === 'win32'

/** The beginning of a text of any length. */
export const shown = (text: string): string => (text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}...` : text)

export const isRemote = (source: FileSource): source is RemoteSource => source.from.kind === 'remote'
export const isLocal = (source: FileSource): source is LocalSource => source.from.kind === 'local'

/**
 * The entries of `file_urls` in their order: http and https addresses, absolute paths and `file:` URIs.
 * The extension of a local path is judged once it is known what lies there (files/attachments.ts).
 * @throws FILE_FAILED for the first that is none of them, or whose address has an extension that is not supported
 */
export const readSources = (fileUrls: { readonly [key: string]: string }): FileSource[] =>
  Object.entries(fileUrls).map(([key, url]) => ({ key, url, from: readSource(key, url) }))

function readSource(key: string, text: string): FileSource['from'] {
  if (!WINDOWS && /^\/\/[^/]/.test(text)) throw fileUrlFailed(`URL scheme is required for remote file: ${shown(text)}`)
  if (isAbsolute(text)) return localFile(text)
  const url = URL.parse(text)
  switch (url?.protocol) {
    case 'file:':
      return localFile(pathOf(url, text))
    case 'http:':
    case 'https:':
      if (url.username !== '' || url.password !== '') throw fileUrlFailed('Credentials in a URL are not accepted.')
      return remoteFile(key, url)
  }
  const scheme = /^\s*([a-z][a-z\d+.-]*):/i.exec(text)?.[1]?.toLowerCase()
  if (/^(https?|file)$/.test(scheme ?? '')) throw fileUrlFailed(`Not a valid URL: ${shown(text)}`)
  throw fileUrlFailed(`Unsupported URL scheme: ${shown(scheme ?? 'none')}`)
}

function pathOf(url: URL, text: string): string {
  try {
    return fileURLToPath(url)
  } catch (error) {
    throw fileUrlFailed(`Not the URI of a local file: ${shown(text)}`, error) // another host, an encoded slash
  }
}

/** `..` goes before anything is looked up: whether a folder on the way exists is nobody's business. */
function localFile(path: string): LocalFile {
  if (path.includes('\0')) throw fileUrlFailed('A path cannot hold a NUL character.')
  return { kind: 'local', path: resolve(path) }
}

function remoteFile(key: string, url: URL): RemoteFile {
  if (/[\\/]|^[a-z]:|^\.\.?$/i.test(key)) throw fileUrlFailed('Remote filename must not contain path components')
  const own = extensionOf(key)
  const extension = own || extensionOf(decoded(url.pathname))
  if (extension !== '') checkExtension(extension, key)
  const bare = own === '' ? key : key.slice(0, -own.length - 1)
  const stem = [...bare.toWellFormed().replace(/[\p{Cc}"]/gu, '_')].slice(0, STEM_CHARS).join('') || 'file'
  return { kind: 'remote', url, stem, extension: extension || undefined }
}

/** @throws FILE_FAILED */
export function checkExtension(extension: string, name: string): void {
  if (kindOf(extension) === undefined) throw fileUrlFailed(unsupported(extension, name))
}

export const unsupported = (extension: string, name: string): string =>
  `Unsupported file extension: ${extension === '' ? 'none' : `.${shown(extension)}`} for file ${shown(name)}`

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path // a broken escape stands for itself
  }
}
