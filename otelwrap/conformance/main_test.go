// Package conformance tests package otelwrap against the OpenTelemetry SDK, and beside otelhttp. It is a module of its own so that
// neither becomes a dependency of steadytrip.
package conformance

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
