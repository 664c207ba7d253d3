import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { isObject } from '../src/core/json.ts'
import { readUsage } from '../src/cost/extract.ts'
import { type ListPrices, listPrices, withFallbacks } from '../src/cost/list-prices.ts'
import { bundledTable, extractorsOf, faultInTable, type PriceTable } from '../src/cost/price-table.ts'
import { boundRows } from '../src/cost/rate-bound.ts'
import { judgeUsage } from '../src/cost/usage.ts'
import { OperatorError, runCommand } from './stack/operator-error.ts'

const USAGE = `usage: npm run price -- --file usages.json [--prices data.json] [--at INSTANT]
       npm run -s price -- --file usages.json > prices.jsonl
       npm run price -- --write-bounds
--file    [{"body": answer, "model": name, "extracted": [{"extractors": [{"provider_id", "api_flavor"}]}]}];
          without "extracted" every extractor that fits the body is used, without "model" the body's own
--prices  a price table of github.com/pydantic/genai-prices; the one that is built in, where absent
--at      when the price is to hold, for example 2025-11-06T12:00:00Z; now, where absent
--write-bounds  makes src/cost/bound-table.ts anew: after every update of the price table`

const BOUND_TABLE = join(import.meta.dirname, '../src/cost/bound-table.ts')
/** What the gateway may ask, in the table's words. */
const BOUNDED = [
  'anthropic',
  'cloudflare',
  'deepseek',
  'google',
  'groq',
  'mistral',
  'openai',
  'openrouter',
  'together',
  'x-ai',
]

if (import.meta.main) await runCommand(main)

async function main(): Promise<void> {
  const values = readArguments()
  if (values['write-bounds']) {
    writeFileSync(BOUND_TABLE, boundTable(await bundledTable()))
    return console.error(`Written: ${BOUND_TABLE}`)
  }
  if (!values.file) return usage()
  const atMs = values.at === undefined ? Date.now() : Date.parse(values.at)
  if (Number.isNaN(atMs))
    throw new OperatorError(`--at "${values.at}" is no instant. Write it as 2025-11-06T12:00:00Z.`)
  const table = values.prices === undefined ? await bundledTable() : tableFrom(values.prices)
  const rows = readJson(values.file)
  if (!Array.isArray(rows)) throw new OperatorError(`${values.file} is not a JSON array of {"body": ...}.`)
  const prices = listPrices(table)
  rows.forEach((row, index) => {
    for (const line of priceRow(row, index, table, prices, atMs)) console.log(JSON.stringify(line))
  })
}

/** One line per extractor that is listed, or that fits. */
export function priceRow(
  row: unknown,
  index: number,
  table: PriceTable,
  prices: ListPrices,
  atMs: number,
): readonly object[] {
  if (!isObject(row)) return [{ index, fault: 'the row is no object' }]
  const wanted = listedExtractors(row.extracted)
  const lines = (
    wanted ??
    extractorsOf(table).map(({ providerId, extractor }) => [providerId, extractor.api_flavor] as const)
  )
    .map(([providerId, flavour]) => {
      const names = { index, provider_id: providerId, api_flavor: flavour }
      const extractor = table
        .find((each) => each.id === providerId)
        ?.extractors?.find((each) => each.api_flavor === flavour)
      const read = extractor && readUsage(row.body, extractor)
      if (!read)
        return wanted && { ...names, fault: extractor ? 'the body does not fit' : 'no such extractor' }
      const { counts, faults } = judgeUsage(read.said)
      const model = typeof row.model === 'string' ? row.model : read.model
      const price = model === undefined ? undefined : prices.listed(counts, providerId, model, atMs)
      return {
        ...names,
        usage: counts,
        ...(Object.keys(faults).length > 0 && { usage_faults: faults }),
        ...(price
          ? { input_price: price.inputUsd, output_price: price.outputUsd, total_price: price.totalUsd }
          : { unpriced: true }),
        ...(price?.contradictory && { contradictory: true }),
      }
    })
    .filter((line) => line !== undefined)
  return lines.length > 0 ? lines : [{ index, fault: 'no extractor fits the body' }]
}

/** @returns undefined where the row lists none */
function listedExtractors(extracted: unknown): readonly (readonly [string, string])[] | undefined {
  if (!Array.isArray(extracted)) return undefined
  return extracted
    .flatMap((each) => (isObject(each) && Array.isArray(each.extractors) ? each.extractors : []))
    .filter(isObject)
    .map(({ provider_id: id, api_flavor: flavour }) => [String(id), String(flavour ?? 'default')] as const)
}

/** What `src/cost/bound-table.ts` has to hold for this price table. */
export function boundTexts(table: PriceTable): Readonly<Record<string, string>> {
  return Object.fromEntries(
    BOUNDED.map((id) => {
      const provider = table.find((each) => each.id === id)
      return [id, JSON.stringify(provider ? boundRows(withFallbacks(provider, table)) : [])]
    }),
  )
}

function boundTable(table: PriceTable): string {
  const lines = Object.entries(boundTexts(table)).map(([id, text]) => {
    const key = /^[a-z]+$/.test(id) ? id : `'${id}'`
    return `  ${key}:\n    '${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}',`
  })
  return `/**
 * Written by \`npm run price -- --write-bounds\` from the price table of @pydantic/genai-prices, never by hand:
 * the most that each listed model charges, as \`BoundRow\`s.
 */
export const BOUND_TEXTS: Readonly<Record<string, string>> = {
${lines.join('\n')}
}
`
}

function tableFrom(file: string): PriceTable {
  const table = readJson(file)
  const fault = faultInTable(table)
  if (fault) throw new OperatorError(`${file} is no price table: look at ${fault}.`)
  return table as PriceTable
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    throw new OperatorError(`${file} cannot be read as JSON. Look at its path and its content.`)
  }
}

function readArguments() {
  try {
    const options = {
      file: { type: 'string' },
      prices: { type: 'string' },
      at: { type: 'string' },
      'write-bounds': { type: 'boolean' },
    } as const
    return parseArgs({ options }).values
  } catch {
    return usage()
  }
}

function usage(): never {
  console.error(USAGE)
  process.exit(2)
}
