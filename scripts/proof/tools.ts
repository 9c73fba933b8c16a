// What users build and test with, each as it is installed from npm: docs/guide/deploying.md and docs/guide/testing.md say what to set, and this proves it.
import { type Outcome, skips, step, sum } from '../outcome.ts'
import { bundles } from './tools/bundlers.ts'
import { install, type Tool, type ToolName } from './tools/installation.ts'
import { nextRuns } from './tools/next.ts'
import { testsRun } from './tools/runners.ts'

const CLAIMS: Record<ToolName, (name: ToolName, tool: Tool) => Promise<Outcome>> = {
  esbuild: bundles,
  rollup: bundles,
  vite: bundles,
  webpack: bundles,
  next: nextRuns,
  jest: testsRun,
  vitest: testsRun,
  ava: testsRun,
  'node:test': testsRun,
}

export async function withTools(): Promise<Outcome> {
  const outcomes: Outcome[] = []
  for (const name of Object.keys(CLAIMS) as ToolName[]) {
    outcomes.push(
      await step(name, 'npm run proof -- tools', async () => {
        const tool = await install(name)
        if (!('missing' in tool)) return CLAIMS[name](name, tool)
        console.log(`SKIPPED ${name}: ${tool.missing}`)
        return skips(`${name}: ${tool.missing}`)
      }),
    )
  }
  return sum(outcomes)
}
