/** The version of this package; a test compares it with package.json. A constant, so that bundled servers need no file. */
export const VERSION = '0.1.0'

/** The version of the original whose wire is spoken; clients gate on it. */
export const WIRE_VERSION = '1.11.0'
