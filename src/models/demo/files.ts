/** The demo model's files, kept in memory. */
import { randomBytes } from 'node:crypto'
import type { JsonObject } from '../../wire/json.ts'

/** The number of files that the demo remembers; beyond it the oldest are forgotten. */
const MAX_FILES = 1000

/** The demo's Files API: it remembers the name and size of a file, not its content. */
export interface DemoFiles {
  answer(method: string, path: string, body: unknown, headers: RequestInit['headers']): Promise<Response>
  /** `report.pdf (409 bytes)`; undefined for an unknown id. */
  describe(id: string): string | undefined
}

export function createDemoFiles(): DemoFiles {
  const files = new Map<string, JsonObject>()
  return {
    async answer(method, path, body, headers) {
      const id = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1))
      if (method.toUpperCase() === 'POST') {
        const upload = (await new Response(body as Buffer<ArrayBuffer>, headers && { headers }).formData()).get(
          'file',
        ) as File
        return Response.json(remember(files, upload))
      }
      const file = files.get(id)
      if (file === undefined)
        return Response.json({ error: { message: `No such File object: ${id}` } }, { status: 404 })
      if (method.toUpperCase() !== 'DELETE') return Response.json(file)
      files.delete(id)
      return Response.json({ id, object: 'file', deleted: true })
    },
    describe(id) {
      const file = files.get(id)
      return file && `${file.filename} (${file.bytes} bytes)`
    },
  }
}

function remember(files: Map<string, JsonObject>, { name, size }: File): JsonObject {
  const id = `file-demo${randomBytes(12).toString('hex')}`
  const file = { id, object: 'file', bytes: size, filename: name, purpose: 'assistants', status: 'processed' }
  files.set(id, file)
  const [oldest] = files.keys()
  if (files.size > MAX_FILES) files.delete(oldest as string)
  return file
}
