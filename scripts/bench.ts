// Builds what is out of date, then measures this package against its peers, for about 20 minutes; docs/BENCH.md tells how.
//
//   --only NAME        one workload or probe of bench/workloads and bench/probes; may be given several times
//   --quick            a moment for each: proves that they run
//   --rounds N         instead of five
//   --scales N,N       the sizes that the probe `scale` looks at
//   --json             the result as JSON
//   --draw FILE        measures nothing: draws charts and tables from a result that was kept in bench/results
import { buildPrograms, runProgram } from './programs.ts'

if (await buildPrograms('release')) await runProgram('bench/run.js')
