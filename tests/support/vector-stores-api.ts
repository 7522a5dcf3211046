import type http from 'node:http'
import type { createFilesApi } from './files-api.ts'

type Status = { status: string; last_error?: { code: string; message: string } }

/** A scripted API of vector stores over a Files API: a deleted file leaves its stores. */
export function createVectorStoresApi(files: ReturnType<typeof createFilesApi>) {
  const stores = new Map<string, { name: string; files: Set<string> }>()
  const asked: string[] = []
  let serial = 0
  const looks = new Map<string, number>()
  const api = {
    asked,
    stores,
    /** The names of the files in a store, or in the only one. */
    names: (id?: string) => inside(id ?? ([...stores.keys()][0] as string)).map((file) => files.stored.get(file)?.name),
    /** The status of a file at its n-th look. */
    status: (_name: string, _look: number): Status => ({ status: 'completed' }),
    handle(request: http.IncomingMessage, response: http.ServerResponse, bytes: Buffer) {
      const { method = '', url = '' } = request
      asked.push(`${method} ${url}`)
      const send = (status: number, value: unknown) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(value))
      }
      const missing = () => send(404, { error: { message: 'scripted: there is no such object' } })
      const body = bytes.length === 0 ? {} : JSON.parse(bytes.toString())
      const { pathname, searchParams } = new URL(url, 'http://mock')
      const [, , , id, , file] = pathname.split('/')
      if (id === undefined) {
        const created = `vs_${String(++serial).padStart(24, '0')}`
        stores.set(created, { name: body.name, files: new Set() })
        return send(200, { id: created, object: 'vector_store', name: body.name })
      }
      const store = stores.get(id)
      if (store === undefined) return missing()
      if (method === 'DELETE') return send(200, { id, deleted: stores.delete(id) })
      if (method === 'POST') {
        store.files.add(body.file_id)
        return send(200, { id: body.file_id, status: 'in_progress' })
      }
      if (file !== undefined) {
        const upload = files.stored.get(file)
        if (upload === undefined || !store.files.has(file)) return missing()
        const look = (looks.get(file) ?? 0) + 1
        looks.set(file, look)
        return send(200, { id: file, ...api.status(upload.name, look) })
      }
      // Pages of two, so that more than one is read.
      const all = inside(id)
      const start = all.indexOf(searchParams.get('after') ?? '') + 1
      const data = all.slice(start, start + 2).map((each) => ({ id: each, status: 'completed' }))
      send(200, { object: 'list', data, has_more: start + 2 < all.length })
    },
  }
  const inside = (id: string) => [...(stores.get(id)?.files ?? [])].filter((file) => files.stored.has(file))
  return api
}
