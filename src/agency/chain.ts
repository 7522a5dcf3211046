/** A chain of agents in which each may reach the next. Created by `flow(a, b, c)` or `a.to(b).to(c)`. */
export class Chain<T = unknown> {
  readonly agents: readonly T[]
  constructor(agents: readonly T[]) {
    this.agents = agents
  }
  to<Next>(agent: Next): Chain<T | Next> {
    return new Chain<T | Next>([...this.agents, agent])
  }
}
