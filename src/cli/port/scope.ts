/** What translating one module needs: the meaning of names, the names to import, and the list of what is left to do. */
import type { Meaning, Module } from './module.ts'
import type { PythonProject } from './project.ts'
import type { Expression, PythonSource } from './python.ts'

/** Something that a person has to finish. */
export interface Todo {
  kind: 'tool' | 'guardrail' | 'function' | 'option' | 'value' | 'class' | 'file'
  path: string
  line: number
  what: string
}

type Located = Parameters<PythonSource['textOf']>[0]

export interface Scope {
  project: PythonProject
  module: Module
  /** Names of the function that is translated -> their TypeScript names; undefined for one that has no counterpart. */
  locals: ReadonlyMap<string, string | undefined>
  /** The meaning of a name or `a.b`; undefined for local names and for other expressions. */
  find(node: Expression): Meaning | undefined
  /** The TypeScript of a name that the project defines, imported into this module; undefined for one that cannot be carried over. */
  use(meaning: Meaning & { kind: 'defined' }): string | undefined
  /** A name of agency-swarm-js, imported into this module. */
  library(name: string): string
  /** A name of another module of the new project, such as `z` of `zod`. */
  import(name: string, from: string): string
  /** Copies a file or folder of the Python project. @returns its path relative to this module; undefined when there is none */
  copy(path: string): string | undefined
  /** The path of the translated folder or module, relative to this module. */
  pathTo(path: string): string
  todo(kind: Todo['kind'], node: Located, what: string): void
  textOf(node: Located): string
}
