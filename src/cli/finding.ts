/** What `doctor` has found. */
import type { AgencyError } from '../base/errors.ts'

/** The result of one check. `fix` is the remedy for a `warning` or `error`. */
export interface Finding {
  name: string
  status: 'ok' | 'warning' | 'error'
  text: string
  fix?: string
  /** The code of an AgencyError, for `--explain` and docs/errors.md. */
  code?: AgencyError['code']
}
