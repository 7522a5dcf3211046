/** The interface of file stores. */
/** A file to store: its name, and its bytes in pieces as they were read. */
export interface LoadedFile {
  name: string
  pieces: readonly Buffer[]
}

/** A stored file as its store describes it. */
export interface StoredFile {
  id: string
  /** The stored name. Its extension decides how the file reaches the model. */
  name: string
  /** The file can be used when this is `ready`. */
  state: 'pending' | 'ready' | 'failed'
  /** When it was stored, in seconds since 1970; undefined where the store does not tell. */
  createdAt?: number
}

/**
 * Stores the files of a request for its model. Every method rejects with the store's own error, or with the signal's reason after
 * an abort, which also closes the connection.
 */
export interface FileStore {
  /** Stores a file and returns its id. */
  put(file: LoadedFile, signal: AbortSignal): Promise<string>
  get(id: string, signal: AbortSignal): Promise<StoredFile>
  delete(id: string, signal: AbortSignal): Promise<void>
}
