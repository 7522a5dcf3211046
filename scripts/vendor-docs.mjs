// Fetches the documentation pages' bundles into assets/docs, so that /docs and /redoc need no other host.
//   node scripts/vendor-docs.mjs
// Versions are pinned here; assets/docs/manifest.json records where each file came from and its SHA-256.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const target = new URL('../assets/docs/', import.meta.url)
const packages = {
  'swagger-ui-dist@5.35.0': {
    'swagger-ui-bundle.js': 'swagger-ui-bundle.js',
    'swagger-ui.css': 'swagger-ui.css',
    'swagger-ui-bundle.js.LICENSE.txt': 'swagger-ui-bundle.js.LICENSE.txt',
    LICENSE: 'swagger-ui.LICENSE.txt',
    NOTICE: 'swagger-ui.NOTICE.txt',
  },
  'redoc@2.5.4': {
    'bundles/redoc.standalone.js': 'redoc.standalone.js',
    'bundles/redoc.standalone.js.LICENSE.txt': 'redoc.standalone.js.LICENSE.txt',
    LICENSE: 'redoc.LICENSE.txt',
  },
}
/** What is changed in a file: Redoc's badge would load a picture from another host, and source maps are not shipped. */
const EMPTY_PICTURE = 'data:image/svg+xml,%3Csvg%20xmlns=%22http://www.w3.org/2000/svg%22/%3E'
const adapt = (text) =>
  text
    .replaceAll('https://cdn.redoc.ly/redoc/logo-mini.svg', EMPTY_PICTURE)
    .replace(/\n?(\/\/|\/\*)# sourceMappingURL=\S+( ?\*\/)?\s*$/, '\n')

mkdirSync(target, { recursive: true })
const manifest = {}
const scratch = mkdtempSync(join(tmpdir(), 'vendor-docs-'))
for (const [source, files] of Object.entries(packages)) {
  const archive = execFileSync('npm', ['pack', '--silent', '--pack-destination', scratch, source], { encoding: 'utf8' })
  execFileSync('tar', ['xzf', join(scratch, archive.trim()), '-C', scratch])
  for (const [from, to] of Object.entries(files)) {
    const text = adapt(readFileSync(join(scratch, 'package', from), 'utf8'))
    writeFileSync(new URL(to, target), text)
    manifest[to] = { source: `${source}/${from}`, sha256: createHash('sha256').update(text).digest('hex') }
  }
  rmSync(join(scratch, 'package'), { recursive: true })
}
rmSync(scratch, { recursive: true })
writeFileSync(new URL('manifest.json', target), `${JSON.stringify(manifest, null, 2)}\n`)
console.log(Object.keys(manifest).join('\n'))
