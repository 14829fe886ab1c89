// Package prometheus has the alert rules for steadytrip's metrics, and what belongs to them.
package prometheus

import "embed"

// Files are the rules, alerts.yaml, their tests, alerts_test.yaml, and a configuration that loads them, prometheus.yml.
//
//go:embed alerts.yaml alerts_test.yaml prometheus.yml
var Files embed.FS
