// Package schematest holds [policyfile.Schema] against an independent JSON Schema validator, which is why it is a module of its own:
// the library does not depend on one. It has tests only.
//
// [policyfile.Schema]: https://pkg.go.dev/github.com/steadytrip/steadytrip/policy/policyfile#Schema
package schematest
