/** Parses `file_urls`: remote addresses and local paths. */
import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileUrlFailed } from '../base/request-errors.ts'
import { findKind, readExtension } from './kinds.ts'

/** One entry of `file_urls`, parsed and checked without access to disk or network. */
export interface FileSource {
  /** The name in `file_urls`. */
  key: string
  /** The text in `file_urls`. */
  url: string
  from: RemoteFile | LocalFile
}
export type RemoteSource = FileSource & { from: RemoteFile }
export type LocalSource = FileSource & { from: LocalFile }
export interface RemoteFile {
  kind: 'remote'
  url: URL
  /** The beginning of the stored name. */
  stem: string
  /** Undefined when only the content can show the type. */
  extension: string | undefined
}
export interface LocalFile {
  kind: 'local'
  /** Absolute, without `..`. */
  path: string
}

/** How much of a caller's text an error repeats. */
const EXCERPT_CHARS = 300
const STEM_CHARS = 50
const WINDOWS = process.platform === 'win32'

/** The beginning of a long text, for errors. */
export const excerpt = (text: string): string =>
  text.length > EXCERPT_CHARS ? `${text.slice(0, EXCERPT_CHARS)}...` : text

export const isRemote = (source: FileSource): source is RemoteSource => source.from.kind === 'remote'
export const isLocal = (source: FileSource): source is LocalSource => source.from.kind === 'local'

/**
 * Parses the entries of `file_urls`, in their order: http and https addresses, absolute paths and `file:` URIs.
 * The extension of a local path is checked after the file is opened (files/attachments.ts).
 * @throws FILE_FAILED for the first entry that is none of these, or whose address has an unsupported extension
 */
export const readSources = (fileUrls: { readonly [key: string]: string }): FileSource[] =>
  Object.entries(fileUrls).map(([key, url]) => ({ key, url, from: readSource(key, url) }))

function readSource(key: string, text: string): FileSource['from'] {
  if (!WINDOWS && /^\/\/[^/]/.test(text))
    throw fileUrlFailed(`URL scheme is required for remote file: ${excerpt(text)}`)
  if (isAbsolute(text)) return localFile(text)
  const url = URL.parse(text)
  switch (url?.protocol) {
    case 'file:':
      return localFile(toPath(url, text))
    case 'http:':
    case 'https:':
      if (url.username !== '' || url.password !== '') throw fileUrlFailed('Credentials in a URL are not accepted.')
      return remoteFile(key, url)
  }
  const scheme = /^\s*([a-z][a-z\d+.-]*):/i.exec(text)?.[1]?.toLowerCase()
  if (/^(https?|file)$/.test(scheme ?? '')) throw fileUrlFailed(`Not a valid URL: ${excerpt(text)}`)
  throw fileUrlFailed(`Unsupported URL scheme: ${excerpt(scheme ?? 'none')}`)
}

function toPath(url: URL, text: string): string {
  try {
    return fileURLToPath(url)
  } catch (error) {
    throw fileUrlFailed(`Not the URI of a local file: ${excerpt(text)}`, error) // another host, an encoded slash
  }
}

/** Resolves `..` without access to the disk, so that callers cannot test which folders exist. */
function localFile(path: string): LocalFile {
  if (path.includes('\0')) throw fileUrlFailed('A path cannot contain a NUL character.')
  return { kind: 'local', path: resolve(path) }
}

function remoteFile(key: string, url: URL): RemoteFile {
  if (/[\\/]|^[a-z]:|^\.\.?$/i.test(key)) throw fileUrlFailed('Remote filename must not contain path components')
  const keyExtension = readExtension(key)
  const extension = keyExtension || readExtension(decodePath(url.pathname))
  if (extension !== '') checkExtension(extension, key)
  const bareName = keyExtension === '' ? key : key.slice(0, -keyExtension.length - 1)
  const stem = [...bareName.toWellFormed().replace(/[\p{Cc}"]/gu, '_')].slice(0, STEM_CHARS).join('') || 'file'
  return { kind: 'remote', url, stem, extension: extension || undefined }
}

/** @throws FILE_FAILED */
export function checkExtension(extension: string, name: string): void {
  if (findKind(extension) === undefined) throw fileUrlFailed(describeUnsupported(extension, name))
}

export const describeUnsupported = (extension: string, name: string): string =>
  `Unsupported file extension: ${extension === '' ? 'none' : `.${excerpt(extension)}`} for file ${excerpt(name)}`

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path // an invalid escape is kept as it is
  }
}
