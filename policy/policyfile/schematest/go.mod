// The library does not need a JSON Schema validator; its tests do.
module github.com/steadytrip/steadytrip/policy/policyfile/schematest

go 1.26.0

replace github.com/steadytrip/steadytrip => ../../..

require (
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
	github.com/steadytrip/steadytrip v0.0.0-00010101000000-000000000000
	go.yaml.in/yaml/v4 v4.0.0
)

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	golang.org/x/text v0.14.0 // indirect
)
