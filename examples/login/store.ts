import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StoredMessage } from 'agency-swarm-js'

/** One conversation of one user. */
export interface Place {
  user: string
  chat: string
}

const folder = process.env.THREADS_DIR || (await mkdtemp(join(tmpdir(), 'threads-')))

/** A name of a user or chat, as part of a path. @throws Error for anything that could lead elsewhere */
function safe(name: string): string {
  if (!/^[a-z0-9-]{1,64}$/.test(name)) throw new Error('Not a valid name.')
  return name
}

const fileOf = ({ user, chat }: Place) => join(folder, safe(user), `${safe(chat)}.json`)

export async function readThread(place: Place): Promise<StoredMessage[]> {
  try {
    return JSON.parse(await readFile(fileOf(place), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error // going on without the history would save over it
  }
}

/** The whole list, or the one before: a file is never half written. In production this is a table. */
export async function writeThread(place: Place, messages: readonly StoredMessage[]): Promise<void> {
  const file = fileOf(place)
  await mkdir(join(folder, safe(place.user)), { recursive: true })
  const draft = `${file}.${randomUUID()}`
  await writeFile(draft, JSON.stringify(messages))
  await rename(draft, file)
}
