/** What the address of the page shows: the part after `#`, so that links work under any prefix. */
import { useSyncExternalStore } from 'react'

/** `agency` is undefined where the address names none: then it is the chosen one. */
export type Route =
  /** Without a thread: a new conversation, or one that this browser keeps. */
  | { view: 'chat'; agency?: string; thread?: string }
  | { view: 'runs' }
  | { view: 'approvals' }
  | { view: 'tools'; agency?: string; agent?: string; tool?: string }
  | { view: 'agents'; agency?: string; agent?: string }
  | { view: 'evals' }

/** The views that the top bar names. */
export type ViewName = Route['view']

/**
 * Reads the part of an address after `#`. Unknown ones show the chat.
 *
 * `#/chat/<agency>/<thread>`, `#/agents/<agent>` or `#/agents/<agency>/<agent>`, `#/tools/<agency>/<agent>/<tool>`,
 * `#/tools//<tool>` for a standalone tool.
 */
export function readRoute(hash: string): Route {
  const [view = '', ...parts] = hash.replace(/^#\/?/, '').split('/').map(decode)
  const [first, second, third] = parts.map((part) => part || undefined)
  switch (view) {
    case 'runs':
    case 'approvals':
    case 'evals':
      return { view }
    case 'agents':
      return second === undefined
        ? { view, ...named({ agent: first }) }
        : { view, ...named({ agency: first, agent: second }) }
    case 'tools':
      return first === undefined
        ? { view, ...named({ tool: second }) }
        : { view, ...named({ agency: first, agent: second, tool: third }) }
    default:
      return { view: 'chat', ...(view === 'chat' ? named({ agency: first, thread: second }) : {}) }
  }
}

/** Writes a route as `readRoute` reads it. */
export function writeRoute(route: Route): string {
  switch (route.view) {
    case 'runs':
    case 'approvals':
    case 'evals':
      return `#/${route.view}`
    case 'agents':
      return join('agents', route.agency === undefined ? [route.agent] : [route.agency, route.agent])
    case 'tools':
      return route.agent === undefined && route.tool !== undefined
        ? join('tools', ['', route.tool])
        : join('tools', [route.agency, route.agent, route.tool])
    case 'chat':
      return join('chat', route.thread === undefined ? [] : [route.agency, route.thread])
    default:
      return route satisfies never
  }
}

/** The route of the page's address; it follows links and the browser's buttons. */
export function useRoute(): Route {
  const hash = useSyncExternalStore(watchHash, () => location.hash)
  return readRoute(hash)
}

/** Shows a route. `replace` leaves no entry in the browser's history. */
export function show(route: Route, { replace = false }: { replace?: boolean } = {}): void {
  const hash = writeRoute(route)
  if (hash === location.hash) return
  if (!replace) {
    location.hash = hash
    return
  }
  history.replaceState(history.state, '', hash)
  dispatchEvent(new HashChangeEvent('hashchange'))
}

function watchHash(onChange: () => void): () => void {
  addEventListener('hashchange', onChange)
  return () => removeEventListener('hashchange', onChange)
}

function join(view: ViewName, parts: readonly (string | undefined)[]): string {
  const given = parts.slice(0, parts.findLastIndex((part) => part !== undefined) + 1)
  return ['#', view, ...given.map((part) => encodeURIComponent(part ?? ''))].join('/')
}

/** The values that are given. */
const named = <Names extends { [name: string]: string | undefined }>(values: Names) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [name in keyof Names]?: string
  }

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part // a broken escape names nothing
  }
}
