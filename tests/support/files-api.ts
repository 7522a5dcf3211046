import type http from 'node:http'

export interface Upload {
  name: string
  purpose: string
  bytes: Buffer
  createdAt?: number
}

/** What the Files API does with an upload: keep it, refuse it, or never answer. */
type Fate = 'keep' | 'refuse' | 'hang'

/** A scripted Files API: remembers what is stored, removed and asked. */
export function createFilesApi() {
  const asked: { method: string; path: string; authorization: string | undefined }[] = []
  const stored = new Map<string, Upload>()
  const removed: string[] = []
  let serial = 0
  /** How often each file was looked at. */
  const looks = new Map<string, number>()
  let hanging = 0
  const api = {
    asked,
    stored,
    removed,
    /** Uploads that wait for an answer right now. */
    hanging: () => hanging,
    /** Decides over an upload by its name. */
    fate: (_name: string): Fate => 'keep',
    /** The status of a file at its n-th look. */
    status: (_name: string, _look: number): string => 'processed',
    /** A file that is there before the request. */
    put(id: string, name: string) {
      stored.set(id, { name, purpose: 'assistants', bytes: Buffer.alloc(0) })
      return id
    },
    /** The upload whose name matches. */
    find: (name: RegExp) => [...stored].find(([, upload]) => name.test(upload.name)),
    /** When each file was stored, in seconds. */
    createdAt: () => Math.floor(Date.now() / 1000),
    async handle(request: http.IncomingMessage, response: http.ServerResponse, body: Buffer) {
      const path = request.url ?? ''
      const method = request.method ?? ''
      asked.push({ method, path, authorization: request.headers.authorization })
      const send = (status: number, value: unknown) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(value))
      }
      if (method === 'POST') {
        const form = await new Response(new Uint8Array(body), {
          headers: { 'content-type': String(request.headers['content-type']) },
        }).formData()
        const file = form.get('file') as File
        const fate = api.fate(file.name)
        if (fate === 'refuse') return send(400, { error: { message: 'scripted refusal' } })
        if (fate === 'hang') {
          hanging++
          response.once('close', () => hanging--)
          return
        }
        const id = `file-${String(++serial).padStart(18, '0')}`
        const bytes = Buffer.from(await file.arrayBuffer())
        stored.set(id, { name: file.name, purpose: String(form.get('purpose')), bytes, createdAt: api.createdAt() })
        return send(200, { id, object: 'file', filename: file.name, status: 'uploaded' })
      }
      const id = decodeURIComponent(path.slice('/v1/files/'.length))
      const upload = stored.get(id)
      if (upload === undefined) return send(404, { error: { message: `No such File object: ${id}` } })
      if (method === 'DELETE') {
        stored.delete(id)
        removed.push(upload.name)
        return send(200, { id, deleted: true })
      }
      const look = (looks.get(id) ?? 0) + 1
      looks.set(id, look)
      send(200, {
        id,
        object: 'file',
        filename: upload.name,
        status: api.status(upload.name, look),
        created_at: upload.createdAt,
      })
    },
  }
  return api
}
