import { counter, gauge } from './family.ts'
import { BOOLEAN, ENDED, MODEL, MODES, PROVIDER, TENANT } from './values.ts'

/** What requests cost, and what they used. */
export const COST = {
  cost_usd_total: counter('Dollars spent.', 'K1 K2', {
    type: ['llm', 'tools', 'rag'],
    mode: MODES,
    provider: PROVIDER,
    model: MODEL,
  }),
  llm_calls_total: counter('Answers of models; cached: nothing was asked.', 'K3', {
    provider: PROVIDER,
    model: MODEL,
    cached: BOOLEAN,
  }),
  tokens_total: counter('Tokens billed (gen_ai.client.inference.usage).', 'K4', {
    type: ['input', 'output'],
    provider: PROVIDER,
    model: MODEL,
  }),
  tool_executions_total: counter('Runs of tools.', 'K5', { tool: { names: 'tool' }, outcome: ENDED }),
  rag_retrievals_total: counter('Look-ups in sources of knowledge.', 'K6', {
    source: { names: 'source' },
    outcome: ENDED,
  }),
  cost_saved_usd_total: counter('Dollars not spent.', 'K7', { mode: MODES, reason: ['cache', 'routing'] }),
} as const

/** Who uses it. Tenants are the hundred largest of the ledger. */
export const BUSINESS = {
  tenant_requests_total: counter('Requests of a tenant.', 'B1 B4', { tenant: TENANT }),
  tenant_cost_usd_total: counter('Dollars that a tenant spent.', 'B5', { tenant: TENANT }),
  agent_executions_total: counter('Runs of agents.', 'B3', { agent: { names: 'agent' }, outcome: ENDED }),
} as const

export const BUDGETS = {
  tenant_budget_utilization_ratio: gauge(
    'What part of its budget a tenant has used; above 1 a soft budget is exceeded.',
    'budget utilisation',
    { tenant: TENANT },
  ),
} as const
