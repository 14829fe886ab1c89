module github.com/steadytrip/steadytrip/examples/sdks

go 1.26.0

replace github.com/steadytrip/steadytrip => ../..

require (
	github.com/google/go-github/v91 v91.0.0
	github.com/steadytrip/steadytrip v0.0.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/sony/gobreaker/v2 v2.4.0 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
)
