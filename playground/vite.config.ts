import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { defineConfig, type Plugin } from 'vite'

const SERVER = process.env.AGENCY_SERVER ?? 'http://127.0.0.1:8000'

// biome-ignore lint/style/noDefaultExport: Vite reads the default export
export default defineConfig({
  root: import.meta.dirname,
  // Addresses are relative, for prefixes and proxies.
  base: './',
  resolve: {
    alias: {
      'agency-swarm-js/client': resolve(import.meta.dirname, '../src/client/index.ts'),
      'agency-swarm-js/react': resolve(import.meta.dirname, '../src/react/index.ts'),
    },
  },
  build: {
    outDir: resolve(import.meta.dirname, '../assets/playground'),
    assetsDir: 'playground',
    emptyOutDir: true,
    target: 'es2023',
    // The page's content security policy allows no inline files but pictures.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  plugins: [bundledLicences()],
  server: { proxy: { '^/(openapi\\.json|[^/@]+/(get_|cancel_))': SERVER } },
})

/** `licences.txt`: whose code the bundle holds, and on which terms. */
function bundledLicences(): Plugin {
  return {
    name: 'bundled-licences',
    apply: 'build',
    generateBundle() {
      const folders = new Set<string>()
      for (const id of this.getModuleIds()) {
        const folder = /^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1]
        if (folder !== undefined) folders.add(folder)
      }
      const source = [...folders].map(describePackage).sort().join('\n')
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source })
    },
  }
}

function describePackage(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.|$)/i.test(entry))
  const text = file === undefined ? '' : readFileSync(join(folder, file), 'utf8').trim()
  return `${name} ${version} (${license})\n\n${text}\n\n${'-'.repeat(72)}\n`
}
