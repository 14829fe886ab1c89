package simulate

import (
	"math"
	"time"
)

// Delay is a time that varies: lognormal, with the given median and 99th percentile. Without P99 it is always Median.
// In a file it is a duration, or both under their names.
type Delay struct {
	Median time.Duration `json:"median,omitempty"`
	P99    time.Duration `json:"p99,omitempty"`
}

// z99 is the 99th percentile of the normal distribution.
const z99 = 2.3263478740408408

// Quantile returns the delay that a share p of all delays does not exceed. A p outside of (0, 1) is moved inside.
func (d Delay) Quantile(p float64) time.Duration {
	if d.P99 <= d.Median || d.Median <= 0 {
		return d.Median
	}
	if !(p > 1e-9) { // NaN too
		p = 1e-9
	}
	p = min(p, 1-1e-9)
	sigma := math.Log(float64(d.P99)/float64(d.Median)) / z99
	x := float64(d.Median) * math.Exp(sigma*math.Sqrt2*math.Erfinv(2*p-1))
	return time.Duration(min(x, float64(maxTime)))
}

// maxTime is longer than anything that is simulated.
const maxTime = 100 * 365 * 24 * time.Hour
