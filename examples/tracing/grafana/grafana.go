// Package grafana has the dashboard for steadytrip's metrics.
package grafana

import _ "embed"

// Dashboard is steadytrip.json.
//
//go:embed steadytrip.json
var Dashboard []byte
