interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

type Wanted = Readonly<Record<string, string>>

/** What an exposition in Prometheus' text format says. */
export function readMetrics(text: string) {
  const samples = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(read)
  const chosen = (name: string, wanted: Wanted) =>
    samples.filter(
      (sample) =>
        sample.name === name &&
        Object.entries(wanted).every(([label, value]) => sample.labels[label] === value),
    )
  const sum = (name: string, wanted: Wanted = {}) =>
    chosen(name, wanted).reduce((total, { value }) => total + value, 0)
  const by = (name: string, label: string): Record<string, number> => {
    const totals: Record<string, number> = {}
    for (const { labels, value } of chosen(name, {}))
      totals[labels[label] ?? ''] = (totals[labels[label] ?? ''] ?? 0) + value
    return totals
  }
  return { samples, sum, by }
}

function read(line: string): Sample {
  const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
  return {
    name,
    labels: Object.fromEntries(pairs.map(([, label = '', text = '']) => [label, text])),
    value: Number(value),
  }
}
