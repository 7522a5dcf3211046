/** A Python module: its source, and what its names mean. */
import type { PythonSource, Statement } from './python.ts'

export interface Module {
  /** The absolute path of the file. */
  path: string
  source: PythonSource
  /** Names at the top of the module, and of imports anywhere in it. */
  bindings: Map<string, Binding>
  /** Statements that only run when the file is run: those below `if __name__ == "__main__"`. */
  mainOnly: Set<Statement>
}
export type Binding = Definition | External | Imported
/** A name from another module: one that `files` define, otherwise one of the `submodules`. */
export interface Imported {
  kind: 'import'
  from: string
  name: string
  files: string[]
  submodules: string[]
}
/** A class, a function or a value that the module defines. */
export interface Definition {
  kind: 'defined'
  module: Module
  name: string
  statement: Statement
}
/** A name of a package, such as `agency_swarm.tools.BaseTool`. */
export interface External {
  kind: 'external'
  path: string
}
export type Meaning = Definition | External | { kind: 'module'; module: Module }
