/** A file on its way into a store: a name and the bytes in pieces, as they were read. */
export interface LoadedFile {
  name: string
  pieces: readonly Buffer[]
}

/** A stored file as its store describes it. */
export interface StoredFile {
  id: string
  /** The name it is stored under; its extension decides how it reaches the model. */
  name: string
  /** A file can be used once it is `ready`. */
  state: 'pending' | 'ready' | 'failed'
}

/**
 * Where the files of a request are kept for its model. Every method rejects with the store's own error, or with the
 * signal's reason after an abort, which also closes the connection.
 */
export interface FileStore {
  /** Stores a file and gives its id. */
  put(file: LoadedFile, signal: AbortSignal): Promise<string>
  get(id: string, signal: AbortSignal): Promise<StoredFile>
  delete(id: string, signal: AbortSignal): Promise<void>
}
