/** Small texts that the browser keeps. */
export interface Kept {
  read(key: string): string | undefined
  /** undefined forgets it. */
  write(key: string, text: string | undefined): void
}

/** Where the browser allows it, else as long as the page is open. */
function keptIn(place: () => Storage): Kept {
  const inPage = new Map<string, string>()
  return {
    read(key) {
      try {
        return place().getItem(key) ?? inPage.get(key)
      } catch {
        return inPage.get(key) // a browser that keeps nothing throws already when it is asked
      }
    },
    write(key, text) {
      if (text === undefined) inPage.delete(key)
      else inPage.set(key, text)
      try {
        if (text === undefined) place().removeItem(key)
        else place().setItem(key, text)
      } catch {
        // then the page alone remembers it
      }
    },
  }
}

/** As long as the tab is open; other tabs do not see it. */
export const tab = keptIn(() => sessionStorage)
/** For good. */
export const browser = keptIn(() => localStorage)
