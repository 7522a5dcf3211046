/** The card of an agency: what it says about itself to other agents. */
import type { ServedAgency } from '../../agency/served.ts'

/** Fields of a run that callers may be allowed to set. */
export type A2aField =
  | 'recipient_agent'
  | 'additional_instructions'
  | 'user_context'
  | 'client_config'
  | 'max_turns'
  | 'max_cost'

/** What an agency can do, in the words of its card. */
export interface A2aSkill {
  id: string
  name: string
  description: string
  tags: readonly string[]
  /** Requests that the skill is for. @default none */
  examples?: readonly string[] | undefined
}

/** What the card of an agency says. It is public: reading it takes no token. */
export interface A2aCard {
  /** @default the agency's name, else its path */
  name?: string | undefined
  /** @default the description of its entry agent */
  description?: string | undefined
  /** Of the agency. @default '1.0.0' */
  version?: string | undefined
  /** @default one skill, named and described as the agency */
  skills?: readonly A2aSkill[] | undefined
  documentationUrl?: string | undefined
  iconUrl?: string | undefined
  provider?: { organization: string; url: string } | undefined
}

/** How A2A agents may use the agencies. */
export interface A2aOptions {
  /** The name that an agency is served under -> what its card says. */
  cards?: { readonly [agency: string]: A2aCard } | undefined
  /**
   * Fields of a run that callers may set in `metadata.agencySwarm` of a request. They are bounded by the options of the server as
   * everywhere. @default []
   */
  allow?: readonly A2aField[] | undefined
  /**
   * Callers may decide about calls of their tasks that wait for approval. With false, only the endpoints of approvals and the other
   * protocols decide. @default true
   */
  approvals?: boolean | undefined
}

export interface CardOptions extends A2aCard {
  /** The address of the endpoint. */
  url: string
  /** Callers need a token. */
  token: boolean
  /** There is a card with more for those who may call the agency. */
  extended: boolean
}

const MODES = ['text/plain', 'application/json']

/** @param all name the agents behind the entry agents too */
export function createCard(served: ServedAgency, options: CardOptions, all = false): { [field: string]: unknown } {
  const { preview, path } = served
  const { name = preview.name ?? decodeURIComponent(path), version = '1.0.0', url, token, extended } = options
  const { description = preview.entryPoints[0]?.description || `The agency ${name}.` } = options
  const { skills = [{ id: path, name, description, tags: ['agency'] }], documentationUrl, iconUrl, provider } = options
  const agents = all ? preview.agents.map(toSkill) : []
  return {
    name,
    description,
    version,
    supportedInterfaces: ['1.0', '0.3'].map((protocolVersion) => ({
      url,
      protocolBinding: 'JSONRPC',
      protocolVersion,
    })),
    ...(provider && { provider }),
    ...(documentationUrl && { documentationUrl }),
    ...(iconUrl && { iconUrl }),
    capabilities: { streaming: true, pushNotifications: false, extendedAgentCard: extended },
    ...(token && {
      securitySchemes: { bearer: { httpAuthSecurityScheme: { scheme: 'Bearer' } } },
      securityRequirements: [{ schemes: { bearer: { list: [] } } }],
    }),
    defaultInputModes: [...MODES, 'image/*', 'application/pdf'],
    defaultOutputModes: MODES,
    skills: [...skills, ...agents],
  }
}

const toSkill = ({ name, description }: ServedAgency['preview']['agents'][number]): A2aSkill => ({
  id: `agent/${name}`,
  name,
  description: description || `The agent ${name}.`,
  tags: ['agent'],
})

/** The same card for clients of 0.3, which newer ones read too. */
export function toLegacyCard(card: { [field: string]: unknown }): { [field: string]: unknown } {
  const { supportedInterfaces, capabilities, securitySchemes } = card
  const [{ url }] = supportedInterfaces as [{ url: string }]
  const { extendedAgentCard } = capabilities as { extendedAgentCard: boolean }
  return {
    ...card,
    url,
    preferredTransport: 'JSONRPC',
    protocolVersion: '0.3.0',
    ...(extendedAgentCard && { supportsAuthenticatedExtendedCard: true }),
    ...(securitySchemes !== undefined && {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', httpAuthSecurityScheme: { scheme: 'Bearer' } } },
      security: [{ bearer: [] }],
    }),
  }
}
