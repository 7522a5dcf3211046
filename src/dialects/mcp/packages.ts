/** Loads the official packages of an MCP server, when one is opened. */
import { packageMissing } from '../../base/start-errors.ts'

/** @ts-ignore an optional package: its types are any where it is not installed */
export type McpSdk = typeof import('@modelcontextprotocol/server')

/** @throws PACKAGE_MISSING */
/** @ts-ignore an optional package: its types are any where it is not installed */
export const loadSdk = (): Promise<McpSdk> =>
  import('@modelcontextprotocol/server').catch((error) => {
    throw packageMissing('The mcp option', '@modelcontextprotocol/server', error)
  })

/** @throws PACKAGE_MISSING */
/** @ts-ignore an optional package: its types are any where it is not installed */
export const loadStdio = () =>
  import('@modelcontextprotocol/server/stdio').catch((error) => {
    throw packageMissing('serveMcp() over stdio', '@modelcontextprotocol/server', error)
  })

/** @throws PACKAGE_MISSING */
/** @ts-ignore an optional package: its types are any where it is not installed */
export const loadNodeAdapter = () =>
  import('@modelcontextprotocol/node').catch((error) => {
    throw packageMissing('The mcp option', '@modelcontextprotocol/node', error)
  })
