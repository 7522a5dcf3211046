/** Describes an agency as a graph for `/get_metadata`. */
import { describeModel } from '../models/spec.ts'
import type { Tool } from '../tools/tool.ts'
import type { AgentNode, Edge, Metadata, ToolNode } from '../wire/responses.ts'
import type { AgencyGraph, Role } from './agency.ts'
import type { Agent } from './agent.ts'

/** Sizes and distances of the layout, in pixels. */
const LAYER_HEIGHT = 180
const STEP = 240
const AGENT_WIDTH = 120
const CANVAS_WIDTH = 800
/** Distance from an agent to the middle of the tools beside it. */
const TOOLS_ASIDE = 150

/** Describes the agency as a graph: nodes with positions, edges and totals (docs/wire.md, "Metadata"). */
export function describeAgency(agency: AgencyGraph): Pick<Metadata, 'nodes' | 'edges' | 'metadata'> {
  const positions = layout(agency)
  const nodes = agency.agents.flatMap((agent) => agentNodes(agency, agent, positions.get(agent.name) as Position))
  const owns = agency.agents.flatMap((agent) =>
    listTools(agency, agent).map((_, index) => edge(agent.name, `${agent.name}_tool_${index}`, { type: 'owns' })),
  )
  const flows = Map.groupBy(agency.edges, ({ from, to }) => JSON.stringify([from.name, to.name]))
  const communication = [...flows.values()].map(communicationEdge)
  return {
    nodes,
    edges: [...owns, ...communication],
    metadata: {
      agencyName: agency.name ?? 'Unnamed Agency',
      totalAgents: agency.agents.length,
      totalTools: owns.length,
      agents: [...agency.agentNames],
      entryPoints: agency.entryPoints.map((agent) => agent.name),
      sharedInstructions: agency.sharedInstructions,
      layoutAlgorithm: 'hierarchical',
    },
  }
}

type Position = AgentNode['position']

const edge = (source: string, target: string, rest: Pick<Edge, 'type' | 'data'>): Edge => ({
  id: `${source}->${target}`,
  source,
  target,
  ...rest,
})

/** The edge of all flows from one agent to another. An edge without a handoff has the fields of the original. */
function communicationEdge(flows: AgencyGraph['edges']): Edge {
  const { from, to } = flows[0] as AgencyGraph['edges'][number]
  const kinds = flows.map(({ kind }) => (kind === 'handoff' ? 'handoff' : 'send_message'))
  return edge(from.name, to.name, {
    type: 'communication',
    data: { label: 'can send messages to', bidirectional: false, ...(kinds.includes('handoff') && { kinds }) },
  })
}

const listTools = (agency: AgencyGraph, agent: Agent) => agency.role(agent.name).all

/** Type and description of hosted tools; the types are the class names of the original. */
const HOSTED: { [name: string]: readonly [type: string, description: string] } = {
  web_search: ['WebSearchTool', 'Searches the web.'],
  file_search: ['FileSearchTool', 'Searches files in vector stores.'],
  code_interpreter: ['CodeInterpreterTool', 'Runs code in a sandbox.'],
  image_generation: ['ImageGenerationTool', 'Makes images.'],
  tool_search: ['ToolSearchTool', 'Finds tools that are loaded when they are needed.'],
  hosted_mcp: ['HostedMCPTool', 'Offers the tools of a remote MCP server.'],
}

/** One tool in the metadata. The settings of a hosted tool (addresses, keys) are left out. */
function describeTool(tool: Tool): AgentNode['data']['tools'][number] {
  if (tool.kind === 'hosted') {
    const [type, description] = HOSTED[tool.name] ?? [tool.name, '']
    return { name: tool.label, type, description }
  }
  return { name: tool.name, type: 'function', description: tool.description, inputSchema: tool.parameters }
}

/** The capabilities of an agent, in the original's order: function tools, reasoning, then hosted tools. */
function listCapabilities({ agent, all: tools, mcpSources }: Role): string[] {
  const hosted = new Set(tools.filter((tool) => tool.kind === 'hosted').map((tool) => tool.name))
  const first = ['code_interpreter', 'web_search', 'file_search', 'hosted_mcp'].filter((name) => hosted.has(name))
  const reasons = agent.modelSettings.reasoning !== undefined || REASONING_NAME.test(readModelName(agent))
  return [
    ...(mcpSources.length > 0 || tools.some((tool) => tool.kind === 'function') ? ['tools'] : []),
    ...(reasons ? ['reasoning'] : []),
    ...new Set([...first, ...hosted]),
  ]
}

/** Names of reasoning models, matched from their start as in the original; a Model object has no name. */
const REASONING_NAME = /^(gpt-5|o1|o3|o4-mini)/
const readModelName = ({ model }: Agent) => (typeof model === 'object' ? '' : describeModel(model))

function agentNodes(agency: AgencyGraph, agent: Agent, position: Position): Metadata['nodes'] {
  const tools = listTools(agency, agent)
  const described = tools.map(describeTool)
  const outgoing = agency.edges.filter((flow) => flow.from === agent)
  const besideIt = new Set(outgoing.map((flow) => flow.to)).size > 1
  const own = typeof agent.instructions === 'string' ? agent.instructions : ''
  const toolNodes = described.map(
    ({ name, description, type }, index): ToolNode => ({
      id: `${agent.name}_tool_${index}`,
      data: { label: name, description, type, parentAgent: agent.name },
      type: 'tool',
      position: besideIt
        ? { x: position.x + TOOLS_ASIDE + AGENT_WIDTH * (index - (described.length - 1) / 2), y: position.y }
        : { x: position.x - AGENT_WIDTH / 2 + AGENT_WIDTH * index, y: position.y + 115 },
    }),
  )
  const data: AgentNode['data'] = {
    label: agent.name,
    description: agent.description,
    isEntryPoint: agency.entryPoints.includes(agent),
    toolCount: tools.length,
    tools: described,
    instructions: [agency.sharedInstructions, own].filter((text) => text !== '').join('\n\n---\n\n'),
    model: describeModel(agent.model),
    hasSubagents: outgoing.some((flow) => flow.kind === 'send-message'),
    capabilities: listCapabilities(agency.role(agent.name)),
  }
  if (agent.voice !== undefined) data.voice = agent.voice
  if (agent.conversationStarters.length > 0) data.conversationStarters = [...agent.conversationStarters]
  if (agent.quickReplies.length > 0) data.quickReplies = [...agent.quickReplies]
  return [...toolNodes, { id: agent.name, data, type: 'agent', position }]
}

/** Arranges agents in layers by their distance from the entry points. A layer is centred on the canvas when it fits. */
function layout(agency: AgencyGraph): Map<string, Position> {
  const layers = new Map<Agent, number>(agency.entryPoints.map((agent) => [agent, 0]))
  for (const [agent, layer] of layers)
    for (const { from, to } of agency.edges) if (from === agent && !layers.has(to)) layers.set(to, layer + 1)
  const unreachableLayer = Math.max(...layers.values()) + 1 // for agents that no flow reaches
  for (const agent of agency.agents) if (!layers.has(agent)) layers.set(agent, unreachableLayer)
  const rows = Map.groupBy(agency.agents, (agent) => layers.get(agent) as number)
  const positions = new Map<string, Position>()
  for (const [layer, agents] of rows) {
    const width = agents.length * AGENT_WIDTH + (agents.length - 1) * AGENT_WIDTH
    const start = width > CANVAS_WIDTH ? AGENT_WIDTH / 2 : (CANVAS_WIDTH - width) / 2 + AGENT_WIDTH / 2
    for (const [index, agent] of agents.entries())
      positions.set(agent.name, { x: start + STEP * index, y: 80 + LAYER_HEIGHT * layer })
  }
  return positions
}
