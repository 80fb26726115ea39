// Decides about calls with the policy simulator @cloud-copilot/iam-simulate, line by line.
//
// A line {"policies": {id: document}} says what later lines refer to; it replaces the one before.
// Any other line is a call; its answer is a line: the decision, the Sids of the statements that
// match it, and what is wrong with the question (an action or resource that IAM does not know).
import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const sids = (analysis, kind) =>
  (analysis?.[kind] ?? []).map((statement) => statement.explain.identifier)

let policies = {}

async function decide(call) {
  const identity = policies[call.identity]
  const found = await runSimulation(
    {
      request: {
        principal: call.principal,
        action: call.action,
        resource: { resource: call.resource, accountId: call.account },
        contextVariables: call.context
      },
      identityPolicies: identity ? [{ name: 'own', policy: identity }] : [],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      ...(policies[call.attached] ? { resourcePolicy: policies[call.attached] } : {})
    },
    {}
  )
  if (found.resultType !== 'single') {
    return { error: JSON.stringify(found.errors ?? 'the resource is not named') }
  }
  const { identityAnalysis, resourceAnalysis } = found.result.analysis
  const both = [identityAnalysis, resourceAnalysis]
  return {
    allowed: found.overallResult === 'Allowed',
    allow: both.flatMap((analysis) => sids(analysis, 'allowStatements')),
    deny: both.flatMap((analysis) => sids(analysis, 'denyStatements')),
    ignored: found.result.ignoredContextKeys ?? []
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const said = JSON.parse(line)
  if (said.policies) {
    policies = said.policies
  } else {
    const answer = await decide(said).catch((error) => ({ error: String(error) }))
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
}
