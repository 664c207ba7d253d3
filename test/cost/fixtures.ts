import type { PriceTable } from '../../src/cost/price-table.ts'

const tokens = (path: string | string[], dest: string, required = false) => ({ path, dest, required })

/** A small price table of our own: made-up providers, one of each thing that a real one has. */
export const TABLE: PriceTable = [
  {
    id: 'acme',
    name: 'Acme',
    api_pattern: 'https://api\\.acme\\.test',
    extractors: [
      {
        api_flavor: 'chat',
        root: 'usage',
        model_path: 'model',
        mappings: [
          tokens('prompt_tokens', 'input_tokens', true),
          tokens(['prompt_tokens_details', 'cached_tokens'], 'cache_read_tokens'),
          tokens('completion_tokens', 'output_tokens', true),
        ],
      },
      {
        api_flavor: 'default',
        root: ['meta', 'usage'],
        model_path: 'modelVersion',
        mappings: [
          tokens('fresh', 'input_tokens', true),
          tokens('cached', 'input_tokens'),
          tokens('cached', 'cache_read_tokens'),
          {
            path: [
              'details',
              { type: 'array-match', field: 'modality', match: { equals: 'audio' } },
              'count',
            ],
            dest: 'input_audio_tokens',
            required: false,
          },
          tokens('out', 'output_tokens'),
        ],
      },
    ],
    models: [
      {
        id: 'tiered',
        match: { starts_with: 'tiered' },
        prices: { input_mtok: { base: 1, tiers: [{ start: 1_000, price: 3 }] }, output_mtok: 10 },
      },
      {
        id: 'cached',
        match: { or: [{ equals: 'cached' }, { regex: '^cached-v\\d$' }] },
        prices: {
          input_mtok: 2,
          cache_read_mtok: 0.2,
          cache_write_mtok: 2.5,
          output_mtok: 8,
          web_searches_kcount: 10,
        },
      },
      {
        id: 'dated',
        match: { ends_with: '-2025-11-05' },
        prices: [
          { prices: { input_mtok: 4, output_mtok: 4 } },
          {
            constraint: { type: 'start_date', start_date: '2026-01-01' },
            prices: { input_mtok: 2, output_mtok: 2 },
          },
        ],
      },
      {
        id: 'nightly',
        match: { contains: 'nightly' },
        prices: [
          { prices: { input_mtok: 6, output_mtok: 6 } },
          {
            constraint: { type: 'time_of_date', start_time: '22:00:00Z', end_time: '06:00:00Z' },
            prices: { input_mtok: 3, output_mtok: 3 },
          },
        ],
      },
    ],
  },
  {
    id: 'reseller',
    name: 'Reseller',
    api_pattern: 'https://reseller\\.test',
    fallback_model_providers: ['acme'],
    models: [
      {
        id: 'own-tiered',
        match: { equals: 'tiered-1' },
        prices: { input_mtok: 7, output_mtok: 7, requests_kcount: 5 },
      },
    ],
  },
]
