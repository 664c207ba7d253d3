import { deploy } from '../../scripts/deploy/deploy.ts'
import { runCommand } from '../../scripts/stack/operator-error.ts'
import { optionsFor } from './site.ts'

// A deployment in a process of its own, for kills.test.ts, which ends it.
const [addresses = '{}', root = '', home = ''] = process.argv.slice(2)
await runCommand(() => deploy({ ...optionsFor(JSON.parse(addresses), root, home), print: console.log }))
