/** HTTP headers and compression of pages and their files. */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

export const compress = promisify(gzip)

/** True for an `Accept-Encoding` that allows gzip (RFC 9110, 12.5.3). */
export const acceptsGzip = (accepted: string | string[] | undefined) =>
  /\bgzip\b(?!\s*;\s*q=0(\.0*)?\b)/.test(String(accepted))

/** Headers of a page that loads nothing from other hosts and cannot be framed. @param allowed directives that the page needs in addition */
export const pageHeaders = (allowed: string) => ({
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; script-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; ${allowed}`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
})

const TYPES = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' }

/** Headers of a script or style sheet. */
export const assetHeaders = (file: string, maxAge: string) => ({
  'content-type': TYPES[file.endsWith('.css') ? 'css' : 'js'],
  'cache-control': `public, ${maxAge}`,
  'x-content-type-options': 'nosniff',
})
