import { useCallback, useEffect, useReducer, useRef, useState } from 'react'
import { tab } from '../kept.ts'
import { BASE_URL } from '../server.ts'
import { emptyBook, turnPage } from './book.ts'
import type { Conversation } from './conversation.ts'
import { type ConversationStore, openStore } from './store.ts'

const OPEN = `agency-swarm-js open ${new URL(`${BASE_URL}/`).pathname}`
/** A run changes its conversation many times a second; it is stored once in so many milliseconds. */
const SAVE_MS = 1000

/** The book, kept in this browser. `problem` says when it is not. */
export function useBook() {
  const [book, dispatch] = useReducer(turnPage, emptyBook)
  const [loaded, setLoaded] = useState(false)
  const [problem, setProblem] = useState<string>()
  const store = useRef<ConversationStore>(undefined)
  const saved = useRef(new Map<string, Conversation>())
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const latest = useRef(book.conversations)
  latest.current = book.conversations

  const save = useCallback(() => {
    clearTimeout(timer.current)
    timer.current = undefined
    if (store.current === undefined) return
    saveChanges(store.current, latest.current, saved.current).catch((error: unknown) =>
      setProblem(`A conversation could not be kept: ${(error as Error).message}`),
    )
  }, [])

  useEffect(() => {
    const open = async () => {
      const opened = await openStore(`${BASE_URL}/`)
      const conversations = await opened.load()
      for (const conversation of conversations) saved.current.set(conversation.id, conversation)
      store.current = opened
      dispatch({ type: 'loaded', conversations, openId: tab.read(OPEN) })
    }
    open()
      .catch(() => setProblem('This browser keeps nothing here (a private window?): conversations go with the page.'))
      .finally(() => setLoaded(true))
  }, [])

  const { conversations, openId } = book
  const step = conversations.map(({ id, turns }) => [id, turns.length, turns.at(-1)?.run.phase]).join()
  // biome-ignore lint/correctness/useExhaustiveDependencies: a turn that begins or ends is a reason to save at once
  useEffect(save, [step, loaded, save])
  // biome-ignore lint/correctness/useExhaustiveDependencies: every other change is a reason to save soon
  useEffect(() => {
    timer.current ??= setTimeout(save, SAVE_MS)
  }, [conversations, save])
  useEffect(() => {
    addEventListener('pagehide', save)
    return () => removeEventListener('pagehide', save)
  }, [save])
  useEffect(() => {
    if (loaded) tab.write(OPEN, openId)
  }, [openId, loaded])

  return { book, dispatch, loaded, problem }
}

async function saveChanges(
  store: ConversationStore,
  conversations: readonly Conversation[],
  saved: Map<string, Conversation>,
): Promise<void> {
  const present = new Set(conversations.map(({ id }) => id))
  for (const id of [...saved.keys()].filter((id) => !present.has(id))) {
    saved.delete(id)
    await store.remove(id)
  }
  for (const conversation of conversations) {
    if (saved.get(conversation.id) === conversation) continue
    saved.set(conversation.id, conversation)
    await store.save(conversation)
  }
}
