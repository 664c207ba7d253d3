import { OperatorError } from '../stack/operator-error.ts'
import { ApiError, callApi } from './api.ts'

/** One hosted Supabase project, over the management API. */
export interface SupabaseProject {
  readonly ref: string
  readonly url: string
  readonly region: string
  /** @throws OperatorError with the database's own words */
  query<Row>(sql: string): Promise<readonly Row[]>
  /** The keys that the project has; undefined where it has none of that kind. */
  keys(): Promise<{ readonly secret: string | undefined; readonly publishable: string | undefined }>
}

const TOKEN_HELP =
  'Make one (supabase.com/dashboard/account/tokens), by an owner or administrator of the project, and set SUPABASE_ACCESS_TOKEN.'
const REF = /^https:\/\/([a-z0-9]{10,40})\.supabase\.(?:co|red)\/?$/

/** @throws OperatorError when the token is refused, the project is not there, or it sleeps */
export async function openProject(
  baseUrl: string,
  token: string,
  projectUrl: string,
): Promise<SupabaseProject> {
  const ref = REF.exec(projectUrl)?.[1]
  if (!ref)
    throw new OperatorError("SUPABASE_URL is to be the project's own address: https://PROJECT.supabase.co")
  const api = { vendor: 'Supabase', baseUrl, token, tokenHelp: TOKEN_HELP }
  const at = `/v1/projects/${ref}`
  const project = (await callApi(api, 'GET', at).catch((error) => {
    if (error instanceof ApiError && error.status === 404)
      throw new OperatorError(`Supabase knows no project ${ref} of yours. Correct SUPABASE_URL.`)
    throw error
  })) as { status: string; region: string }
  if (!project.status.startsWith('ACTIVE'))
    throw new OperatorError(
      `The Supabase project ${ref} is ${project.status}. Wake it in the dashboard, then run this again.`,
    )
  return {
    ref,
    url: projectUrl.replace(/\/$/, ''),
    region: project.region,
    query: async <Row>(sql: string) =>
      (await callApi(api, 'POST', `${at}/database/query`, { query: sql })) as readonly Row[],
    keys: async () => {
      const keys = (await callApi(api, 'GET', `${at}/api-keys?reveal=true`)) as readonly {
        type?: string
        api_key?: string | null
      }[]
      const keyOf = (type: string) => keys.find((key) => key.type === type)?.api_key ?? undefined
      return { secret: keyOf('secret'), publishable: keyOf('publishable') }
    },
  }
}
