import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(scrypt) as (password: string, salt: Buffer, length: number) => Promise<Buffer>
const MAX_SESSIONS = 10_000
const SESSION_MS = 8 * 60 * 60 * 1000

interface Account {
  salt: Buffer
  hash: Buffer
}

const accounts = new Map<string, Account>()
const nobody = await hashPassword(randomBytes(16).toString('hex'))
const sessions = new Map<string, { user: string; ends: number }>()

async function hashPassword(password: string, salt: Buffer = randomBytes(16)): Promise<Account> {
  return { salt, hash: await derive(password, salt, 32) }
}

/** In production accounts stand in your own table. */
export async function addUser(user: string, password: string): Promise<void> {
  accounts.set(user, await hashPassword(password))
}

/** A new session's id; undefined for a wrong name or password, which take the same time. */
export async function logIn(user: string, password: string): Promise<string | undefined> {
  const { salt, hash } = accounts.get(user) ?? nobody
  const given = await hashPassword(password, salt)
  if (!timingSafeEqual(given.hash, hash) || !accounts.has(user)) return undefined
  const id = randomBytes(32).toString('base64url')
  const [oldest] = sessions.keys()
  if (sessions.size >= MAX_SESSIONS && oldest !== undefined) sessions.delete(oldest)
  sessions.set(id, { user, ends: Date.now() + SESSION_MS })
  return id
}

export const logOut = (id: string): boolean => sessions.delete(id)

/** Whose session it is; undefined for one that is unknown or over. */
export function userOf(id: string | undefined): string | undefined {
  const session = sessions.get(id ?? '')
  return session !== undefined && session.ends > Date.now() ? session.user : undefined
}
