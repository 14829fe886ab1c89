package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// Set is a whole configuration as plain data. Start from [Default] and change what differs.
// The zero value is not valid; one with MaxAttempts 1 and nothing else is, and never retries.
type Set struct {
	// Profiles maps kinds of failure to their pauses. A kind without one uses its nearest ancestor's,
	// if its action is [classify.Retry] or [classify.Wait].
	Profiles map[classify.Kind]Profile

	MaxAttempts int           // attempts of a call over all profiles, the first one included; at least 1
	MaxElapsed  time.Duration // from the start of a call to the end of its last pause; 0: only the caller's context bounds it
	Budget      Budget        // what share of the traffic retries may be; the zero value does not limit them
	Breakers    []Breaker     // when requests are refused locally; none never refuse
	Gate        Gate          // how calls wait together while a token is refreshed; the zero value lets each wait for itself
}

// Profile returns the profile that applies to failures of kind k and the kind that owns it: k itself,
// or else its nearest ancestor with a profile. Only kinds that time may heal, those whose action is [classify.Retry] or
// [classify.Wait], look at their ancestors. So a profile on Network never makes a failed TLS handshake repeat.
// It returns ok == false if no profile applies.
func (s Set) Profile(k classify.Kind) (prof Profile, from classify.Kind, ok bool) {
	if prof, ok = s.Profiles[k]; ok {
		return prof, k, true
	}
	if healedByTime(k) {
		for from = k.Parent(); from != classify.Unclassified; from = from.Parent() {
			if prof, ok = s.Profiles[from]; ok {
				return prof, from, true
			}
		}
	}
	return Profile{}, classify.Unclassified, false
}

func (s Set) clone() Set {
	s.Profiles = maps.Clone(s.Profiles)
	s.Breakers = slices.Clone(s.Breakers)
	for i := range s.Breakers {
		s.Breakers[i].Kinds = slices.Clone(s.Breakers[i].Kinds)
	}
	return s
}

// String returns the set as a table in plain text, the profiles in the order of the failure tree.
// It is for people: the format may change.
func (s Set) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "MaxAttempts %d, MaxElapsed %s\n\n", s.MaxAttempts, bound(s.MaxElapsed))
	if len(s.Profiles) == 0 {
		b.WriteString("no profiles: nothing is retried\n")
	} else {
		s.writeProfiles(&b)
	}
	b.WriteByte('\n')
	s.Budget.write(&b)
	if len(s.Breakers) == 0 {
		b.WriteString("no breakers\n")
	}
	for _, breaker := range s.Breakers {
		breaker.write(&b)
	}
	s.Gate.write(&b)
	return b.String()
}

func (s Set) writeProfiles(b *strings.Builder) {
	rows := []byte("Profile\tRetries\tImmediate\tInitial\tMax\tMultiplier\tJitter\tMaxElapsed\tMaxRetryAfter\tLongHint\tCost\n")
	for _, k := range slices.Sorted(maps.Keys(s.Profiles)) {
		rows = s.Profiles[k].appendRow(rows, k.String())
	}
	if s.Gate.Enabled() {
		rows = s.Gate.Probe.appendRow(rows, "gate's probe")
	}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = w.Write(rows) // a Builder takes everything
	_ = w.Flush()
}

// appendRow adds a profile's line to a table.
func (p Profile) appendRow(rows []byte, name string) []byte {
	immediate := "no"
	if p.Immediate {
		immediate = "yes"
	}
	initial, limit, multiplier := p.Initial.String(), p.Max.String(), strconv.FormatFloat(p.Multiplier, 'g', -1, 64)
	if p.BackOff != nil {
		initial, limit, multiplier = "BackOff", "BackOff", "BackOff"
	}
	return fmt.Appendf(rows, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%v\n", name, count(p.Retries), immediate,
		initial, limit, multiplier, p.Jitter, bound(p.MaxElapsed), p.MaxRetryAfter, p.LongHint, p.Cost)
}

func (b Breaker) write(w *strings.Builder) {
	names := make([]string, len(b.Kinds))
	for i, k := range b.Kinds {
		names[i] = k.String()
	}
	fmt.Fprintf(w, "Breaker %s on %s: Failures %d, Open %s, Jitter %s, MaxOpen %s, Probes %d, Window %d, Hold %s\n",
		b.Name, strings.Join(names, ", "), b.Failures, b.Open, b.Jitter, b.MaxOpen, b.Probes, b.Window, b.Hold)
}

// String returns the jitter as a number, and FullJitter as "full".
func (j Jitter) String() string {
	if j == FullJitter {
		return "full"
	}
	return strconv.FormatFloat(float64(j), 'g', -1, 64)
}

func count(retries int) string {
	if retries == Unlimited {
		return "unlimited"
	}
	return strconv.Itoa(retries)
}

func bound(d time.Duration) string {
	if d == 0 {
		return "unbounded"
	}
	return d.String()
}
