// Builds what is out of date, then runs the demo: three million flights, one transaction for each departure minute, a crash in the middle.
//
//   --rows N            fewer flights (3,000,000)
//   --durability LEVEL  applied, written or durable (durable)
import { buildPrograms, runProgram } from './programs.ts'

if (await buildPrograms('fast')) await runProgram('examples/demo/main.js')
