/** Loads the official client of MCP at its first use. */
import { packageMissing } from '../../base/start-errors.ts'

/** @throws PACKAGE_MISSING */
export async function loadClient() {
  try {
    return await import('@modelcontextprotocol/client')
  } catch (error) {
    throw packageMissing('An MCP server', '@modelcontextprotocol/client', error)
  }
}
