/** The book as a React hook, stored in this browser. */
import { type Dispatch, useCallback, useEffect, useReducer, useRef, useState } from 'react'
import { tab } from '../kept.ts'
import { BASE_URL } from '../server.ts'
import { type Book, type BookAction, emptyBook, turnPage } from './book.ts'
import { runningTurn } from './conversation.ts'
import { isSame } from './merge.ts'
import { type ConversationStore, openStore } from './store.ts'

const OPEN = `agency-swarm-js open ${new URL(`${BASE_URL}/`).pathname}`
/** How long changes are collected before a conversation is stored, in milliseconds: a run changes it many times a second. */
const SAVE_MS = 1000

/** Returns the book, stored in this browser and shared with other tabs. `problem` says why it cannot be stored. */
export function useBook() {
  const [book, dispatch] = useReducer(turnPage, emptyBook)
  const [loaded, setLoaded] = useState(false)
  const [problem, setProblem] = useState<string>()
  const store = useRef<ConversationStore>(undefined)
  const queue = useRef(Promise.resolve())
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const latest = useRef(book)
  latest.current = book

  /** Queue of reads and writes: a read that overtook a write would seem to undo it. */
  const enqueue = useCallback((work: () => Promise<void>, name: string) => {
    queue.current = queue.current
      .then(work)
      .catch((error: unknown) => setProblem(`A conversation could not be ${name}: ${(error as Error).message}`))
  }, [])
  const save = useCallback(() => {
    clearTimeout(timer.current)
    timer.current = undefined
    const opened = store.current
    if (opened !== undefined) enqueue(() => saveChanges(opened, latest.current, dispatch), 'saved')
  }, [enqueue])

  useEffect(() => {
    let unwatch = () => {}
    const open = async () => {
      const opened = await openStore(`${BASE_URL}/`)
      const found = await opened.load()
      store.current = opened
      unwatch = opened.watch((id, revision) =>
        enqueue(() => readChange(opened, { id, revision }, () => latest.current, dispatch), 'read'),
      )
      dispatch({ type: 'loaded', found, openId: tab.read(OPEN) })
    }
    open()
      .catch(() =>
        setProblem('This browser cannot store conversations (a private window?). They are lost when the page closes.'),
      )
      .finally(() => setLoaded(true))
    return () => unwatch()
  }, [enqueue])

  const { conversations, openId } = book
  const step = conversations.map(({ id, turns }) => [id, turns.length, turns.at(-1)?.run.phase]).join()
  // biome-ignore lint/correctness/useExhaustiveDependencies: saves at once when a turn starts or ends
  useEffect(save, [step, loaded, save])
  // biome-ignore lint/correctness/useExhaustiveDependencies: saves soon after every other change
  useEffect(() => {
    timer.current ??= setTimeout(save, SAVE_MS)
  }, [conversations, save])
  useEffect(() => {
    // The page is closing: save without waiting for the queue. A save merges, so it may overtake others.
    const saveNow = () => {
      if (store.current !== undefined) saveChanges(store.current, latest.current, dispatch).catch(() => {})
    }
    addEventListener('pagehide', saveNow)
    return () => removeEventListener('pagehide', saveNow)
  }, [])
  useEffect(() => {
    if (loaded) tab.write(OPEN, openId)
  }, [openId, loaded])

  return { book, dispatch, loaded, problem }
}

async function saveChanges(
  store: ConversationStore,
  { conversations, saved }: Book,
  dispatch: Dispatch<BookAction>,
): Promise<void> {
  const present = new Set(conversations.map(({ id }) => id))
  for (const id of [...saved.keys()].filter((id) => !present.has(id))) {
    dispatch({ type: 'forgotten', id })
    await store.remove(id)
  }
  for (const conversation of conversations) {
    const base = saved.get(conversation.id)
    if (base !== undefined && isSame(base.conversation, conversation)) continue
    dispatch({ type: 'stored', saved: await store.save(conversation, base), base: conversation })
  }
}

/** Applies changes of another tab. A conversation removed there stays here while its run is active here. */
async function readChange(
  store: ConversationStore,
  { id, revision }: { id: string; revision: string | undefined },
  latest: () => Book,
  dispatch: Dispatch<BookAction>,
): Promise<void> {
  if (revision !== undefined && latest().saved.get(id)?.revision === revision) return
  const saved = await store.read(id)
  if (saved !== undefined) return dispatch({ type: 'stored', saved })
  const ours = latest().conversations.find((one) => one.id === id)
  dispatch({ type: 'forgotten', id })
  if (ours === undefined || runningTurn(ours) === undefined) dispatch({ type: 'remove', id })
}
