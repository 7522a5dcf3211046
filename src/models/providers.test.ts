import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { PROVIDERS } from './providers.ts'

test('the document lists every provider with variables and address', () => {
  const document = readFileSync(new URL('../../docs/models.md', import.meta.url), 'utf8')
  const table = document.slice(document.indexOf('| Name | Key | Address |'), document.indexOf('### OpenRouter'))
  const rows = table.split('\n').flatMap((line) => {
    const [name, keys, address] = line.split('|').slice(1, 4)
    const quoted = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1])
    return quoted(name).length === 0 ? [] : [{ name: quoted(name)[0], keys: quoted(keys), address: quoted(address)[0] }]
  })
  expect(rows).toEqual(
    [...PROVIDERS].map(([name, { keys, baseURL }]) => ({
      name,
      keys,
      address: baseURL ?? `${name.toUpperCase()}_API_BASE`,
    })),
  )
})
