package learn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// kept is how many samples a series keeps: of more, a random choice in which each is as likely.
	kept = 1 << 16
	// Least is how many samples a fit needs.
	Least = 20
)

// Series is durations that were met. The zero value has none.
type Series struct {
	count   int
	samples []float64 // in seconds
	rng     *rand.Rand
}

// Count returns how many durations were met.
func (s *Series) Count() int { return s.count }

// longest is the longest duration that is believed, and that a scenario may have.
const longest = 31 * 24 * time.Hour

// add adds a duration. One that is not positive says nothing, since nothing takes no time.
func (s *Series) add(d time.Duration) {
	if d <= 0 || d > longest {
		return
	}
	s.count++
	if len(s.samples) < kept {
		s.samples = append(s.samples, d.Seconds())
		return
	}
	if s.rng == nil {
		s.rng = rand.New(rand.NewPCG(1, 2)) // the same log teaches the same
	}
	if i := s.rng.IntN(s.count); i < kept {
		s.samples[i] = d.Seconds()
	}
}

// Quantile returns the duration that a share p of those that were met does not exceed; 0 if there are none.
func (s *Series) Quantile(p float64) time.Duration {
	if len(s.samples) == 0 {
		return 0
	}
	slices.Sort(s.samples)
	return seconds(stat.Quantile(p, stat.Empirical, s.samples, nil))
}

// Fit is the lognormal distribution that is most likely to have made a series.
type Fit struct {
	Median, P99 time.Duration

	// Distance is how far the shares of the fit and of the samples are apart, where they are most: that of Kolmogorov and Smirnov.
	// 0 is a perfect fit.
	Distance float64

	// Critical is the distance that one in twenty series exceeds that are lognormal, by the test of Lilliefors: a smaller one says
	// nothing against the fit, and the fewer samples there are, the greater it is.
	Critical float64
}

// Grade says in a word how good the fit is: good, as far as the samples tell; fair, of a shape that is a little different; or poor.
func (f Fit) Grade() string {
	switch {
	case f.Distance <= f.Critical:
		return "good"
	case f.Distance <= 0.1:
		return "fair"
	}
	return "poor"
}

// TooFewError says that there are too few samples for a fit.
type TooFewError struct{ Count int }

// Error says how many there are, and how many are wanted.
func (e TooFewError) Error() string {
	return fmt.Sprintf("%d are too few for a fit: want %d", e.Count, Least)
}

// Fit returns the fit, or a TooFewError.
func (s *Series) Fit() (Fit, error) {
	if s.count < Least {
		return Fit{}, TooFewError{s.count}
	}
	logs := make([]float64, len(s.samples))
	for i, x := range s.samples {
		logs[i] = math.Log(x)
	}
	slices.Sort(logs)
	var normal distuv.Normal // of the logarithms, which is what lognormal means
	normal.Fit(logs, nil)
	n := float64(len(logs))
	critical := 0.886 / math.Sqrt(n)
	if logs[0] == logs[len(logs)-1] {
		return Fit{Median: seconds(math.Exp(logs[0])), P99: seconds(math.Exp(logs[0])), Critical: critical}, nil
	}
	f := Fit{Median: seconds(math.Exp(normal.Mu)), P99: seconds(math.Exp(normal.Quantile(0.99))), Critical: critical}
	for i, x := range logs {
		share := normal.CDF(x)
		f.Distance = max(f.Distance, share-float64(i)/n, float64(i+1)/n-share)
	}
	return f, nil
}

func seconds(x float64) time.Duration { return time.Duration(math.Round(x * float64(time.Second))) }
