/** Small texts stored in the browser. */
export interface Kept {
  read(key: string): string | undefined
  /** Stores a text; undefined removes it. */
  write(key: string, text: string | undefined): void
}

/** Stores texts in the browser, or in memory when the browser refuses. */
function keptIn(place: () => Storage): Kept {
  const inPage = new Map<string, string>()
  return {
    read(key) {
      try {
        return place().getItem(key) ?? inPage.get(key)
      } catch {
        return inPage.get(key) // some browsers throw even on reading
      }
    },
    write(key, text) {
      if (text === undefined) inPage.delete(key)
      else inPage.set(key, text)
      try {
        if (text === undefined) place().removeItem(key)
        else place().setItem(key, text)
      } catch {
        // kept in memory only
      }
    },
  }
}

/** Kept while the tab is open; other tabs do not see it. */
export const tab = keptIn(() => sessionStorage)
/** Kept permanently. */
export const browser = keptIn(() => localStorage)
