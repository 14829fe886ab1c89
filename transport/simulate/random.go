package simulate

import "math/rand/v2"

// stream is a source of randomness of its own: those of a call do not depend on what other calls do.
type stream struct{ pcg rand.PCG }

// newStream returns the stream of what the numbers name.
func newStream(seed uint64, names ...int) stream {
	a, b := uint64(0x9e3779b97f4a7c15), uint64(0xd1b54a32d192ed03)
	a = mix(a ^ seed)
	for _, n := range names {
		a = mix(a ^ uint64(n)) //nolint:gosec // numbers that differ stay different
		b = mix(b + a)
	}
	return stream{*rand.NewPCG(a, b)}
}

// mix is the finalizer of SplitMix64: numbers that differ in a bit come out unlike each other.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Float64 returns a number in [0, 1).
func (s *stream) Float64() float64 { return float64(s.pcg.Uint64()>>11) / (1 << 53) }

// intn returns a number in [0, n).
func (s *stream) intn(n int) int {
	if n <= 1 {
		return 0
	}
	return int(s.Float64() * float64(n))
}

// exp returns a number that is exponentially distributed, with mean 1.
func (s *stream) exp() float64 { return rand.New(&s.pcg).ExpFloat64() }

// chance reports true in a share of all cases; a share of 0 is all of them.
func (s *stream) chance(share float64) bool { return share == 0 || s.Float64() < share }
