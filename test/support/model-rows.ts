import type { CustomModel, LoadedRegistry } from '../../src/models/registry.ts'

export const TENANT_A = '0a000000-0000-4000-8000-00000000000a'
export const TENANT_B = '0b000000-0000-4000-8000-00000000000b'

/** A model as the store gives it. */
export const customModel = (modelId: string, more: Partial<CustomModel> = {}): CustomModel => ({
  id: `id of ${modelId}`,
  tenantId: TENANT_A,
  modelId,
  modelName: modelId,
  endpointUrl: 'https://llm.example.com/v1',
  provider: 'openai-compatible',
  format: 'openai',
  isActive: true,
  isPublic: false,
  userId: undefined,
  config: {},
  key: undefined,
  keyHint: undefined,
  revision: 1,
  createdAt: '2026-11-21T00:00:00+00:00',
  updatedAt: '2026-11-21T00:00:00+00:00',
  ...more,
})

export const loaded = (
  models: readonly CustomModel[],
  more: Partial<LoadedRegistry> = {},
): LoadedRegistry => ({
  models,
  aliases: [],
  providerKeys: [],
  bad: [],
  ...more,
})
