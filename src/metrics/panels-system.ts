import { averageOf, level, over, type Panel, panel, speed, sum, sumBy } from './panels-parts.ts'

const successRate = (family: 'tool_executions_total' | 'rag_retrievals_total'): string =>
  over(sum(speed(family, { outcome: 'success' })), sum(speed(family)))

export const SYSTEM_PANELS: readonly Panel[] = [
  panel('Build', 'Which version runs.', level('build_info'), { kind: 'table' }),
  panel(
    'Pool utilisation',
    'Permits in use among those that there are, towards stores and providers.',
    over(
      sumBy('pool', level('pool_connections', { state: 'in_use' })),
      sumBy('pool', level('pool_max_connections')),
    ),
    { kind: 'bargauge', unit: 'percentunit' },
  ),
  panel('Active connections', 'Open connections of clients.', sumBy('kind', level('connections_active'))),
  panel('Error types', 'Errors by their code.', sumBy('type', speed('request_errors_total')), {
    unit: 'ops',
  }),
  panel('Quality score trend', 'Average quality of the answers.', averageOf('quality_score_ratio'), {
    unit: 'percentunit',
  }),
  panel('Warnings', 'Answers given with a warning.', sumBy('type', speed('warnings_total')), { unit: 'ops' }),
  panel('Tool success rate', 'Runs of tools that succeeded.', successRate('tool_executions_total'), {
    kind: 'gauge',
    unit: 'percentunit',
  }),
  panel('RAG success rate', 'Look-ups in sources that succeeded.', successRate('rag_retrievals_total'), {
    kind: 'gauge',
    unit: 'percentunit',
  }),
  panel('Agent usage', 'Runs of agents.', sumBy('agent', speed('agent_executions_total')), { unit: 'ops' }),
  panel('Uptime', 'Since the youngest part began to count.', `time() - max(${level('start_time_seconds')})`, {
    kind: 'stat',
    unit: 's',
  }),
]
