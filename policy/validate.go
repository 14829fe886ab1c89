package policy

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/steadytrip/steadytrip/classify"
)

const (
	maxProbes = 1000   // more at once would be traffic, not a probe
	maxWindow = 10_000 // more at once would be a stampede, not a window
)

// incurable are the kinds that no repetition heals, with their descendants.
var incurable = [...]classify.Kind{
	classify.AlterValue, classify.HostNotFound, classify.TLS, classify.ProxyRefused, classify.Canceled,
}

// Validate returns every fault of the set at once, joined by [errors.Join], or nil. Each is a [*Fault], which names
// the field, its value and what was wanted.
func (s Set) Validate() error {
	var c check
	if s.MaxAttempts < 1 {
		c.fault("MaxAttempts", s.MaxAttempts, "at least 1, the first attempt included (1 never retries; policy.Default() is a set to start from)")
	}
	c.notNegative("MaxElapsed", s.MaxElapsed)
	for _, k := range slices.Sorted(maps.Keys(s.Profiles)) {
		c.profile("Profiles["+k.String()+"]", k, s.Profiles[k])
	}
	c.budget(s.Budget)
	c.breakers(s.Breakers)
	c.gate(s.Gate)
	return errors.Join(c.faults...)
}

// check collects faults.
type check struct{ faults []error }

func (c *check) fault(field string, value any, want string) {
	c.faults = append(c.faults, &Fault{Field: field, Value: fmt.Sprint(value), Want: want})
}

func (c *check) notNegative(field string, d time.Duration) {
	if d < 0 {
		c.fault(field, d, "0s or more")
	}
}

func (c *check) jitter(field string, j Jitter) {
	if !(j >= 0 && j <= FullJitter) { // NaN too
		c.fault(field, j, "a number from 0 to 1; 1 is policy.FullJitter")
	}
}

// profile checks what the profile uses; a profile without retries uses nothing, and one with a BackOff no exponential.
func (c *check) profile(field string, k classify.Kind, p Profile) {
	c.owner(field, k, p)
	if p.Retries < 0 {
		c.fault(field+".Retries", p.Retries, "0 or more; policy.Unlimited for no count")
	}
	c.jitter(field+".Jitter", p.Jitter)
	c.notNegative(field+".MaxElapsed", p.MaxElapsed)
	if p.Retries == Unlimited && p.MaxElapsed == 0 {
		c.fault(field+".MaxElapsed", p.MaxElapsed, "more than 0s because Retries is Unlimited; set MaxElapsed, for example to 10s")
	}
	c.notNegative(field+".MaxRetryAfter", p.MaxRetryAfter)
	if p.LongHint > Honour {
		c.fault(field+".LongHint", uint8(p.LongHint), "policy.Stop, policy.Clamp or policy.Honour")
	}
	if !(p.Cost >= 0 && !math.IsInf(p.Cost, 1)) {
		c.fault(field+".Cost", p.Cost, "0 or more tokens")
	}
	if p.BackOff == nil {
		c.exponential(field, p)
	}
}

// owner checks that the kind may have the profile.
func (c *check) owner(field string, k classify.Kind, p Profile) {
	if !k.Failure() {
		c.faults = append(c.faults, &Fault{Field: field, subject: k.String(), Value: "no kind of failure", Want: "one of classify.Kinds"})
		return
	}
	for _, sick := range incurable {
		if p.Retries > 0 && k.Is(sick) {
			c.fault(field+".Retries", count(p.Retries), fmt.Sprintf("0 because repeating cannot heal %s", k))
			return
		}
	}
}

func (c *check) exponential(field string, p Profile) {
	c.notNegative(field+".Initial", p.Initial)
	if p.Max < 0 {
		c.notNegative(field+".Max", p.Max)
	} else if p.Max < p.Initial {
		c.fault(field+".Max", p.Max, fmt.Sprintf("at least Initial, which is %s", p.Initial))
	}
	unused := p.Retries <= 0
	if p.Initial == 0 && !unused && !(p.Immediate && p.Retries == 1) {
		c.fault(field+".Initial", p.Initial, "more than 0s, or retries would follow each other without a pause; Immediate allows one that does")
	}
	if !(p.Multiplier >= 1 && !math.IsInf(p.Multiplier, 1)) && !(unused && p.Multiplier == 0) {
		c.fault(field+".Multiplier", p.Multiplier, "a number of at least 1; 1 keeps the pauses equal")
	}
}

func (c *check) breakers(all []Breaker) {
	for i, b := range all {
		field := fmt.Sprintf("Breakers[%d]", i)
		switch first := slices.IndexFunc(all, func(other Breaker) bool { return other.Name == b.Name }); {
		case b.Name == "":
			c.fault(field+".Name", "empty", `a name of its own, such as "outage"`)
		case strings.ContainsFunc(b.Name, func(r rune) bool { return !unicode.IsPrint(r) }):
			c.fault(field+".Name", strconv.Quote(b.Name), "characters that can be printed: it stands in logs, metrics and pages")
		case first < i:
			c.fault(field+".Name", strconv.Quote(b.Name), fmt.Sprintf("a name of its own; Breakers[%d] has it", first))
		}
		c.breaker(field, b)
	}
}

func (c *check) breaker(owner string, b Breaker) {
	if len(b.Kinds) == 0 {
		c.fault(owner+".Kinds", "empty", "at least one kind of failure")
	}
	for i, k := range b.Kinds {
		switch field := fmt.Sprintf("%s.Kinds[%d]", owner, i); {
		case !k.Failure():
			c.fault(field, k, "a kind of failure, one of classify.Kinds")
		case local(k):
			c.fault(field, k, "a failure of a server or of the network, not one of the caller")
		}
	}
	if b.Failures < 1 {
		c.fault(owner+".Failures", b.Failures, "at least 1")
	}
	if b.Open <= 0 {
		c.fault(owner+".Open", b.Open, "more than 0s")
	}
	c.jitter(owner+".Jitter", b.Jitter)
	if b.MaxOpen < b.Open {
		c.fault(owner+".MaxOpen", b.MaxOpen, fmt.Sprintf("at least Open, which is %s", b.Open))
	}
	if b.Probes < 1 || b.Probes > maxProbes {
		c.fault(owner+".Probes", b.Probes, fmt.Sprintf("1 to %d", maxProbes))
	}
	if b.Window < 0 || b.Window > maxWindow {
		c.fault(owner+".Window", b.Window, fmt.Sprintf("0 (no bound) to %d", maxWindow))
	}
	c.notNegative(owner+".Hold", b.Hold)
}

// gate checks a gate that there is; its probe is a profile like any other, but it has to ask more than once.
func (c *check) gate(g Gate) {
	if g.Probe.Retries != 0 {
		c.profile("Gate.Probe", classify.TokenRefreshInProgress, g.Probe)
	}
	if g.Window < 0 || g.Window > maxWindow || g.Enabled() && g.Window == 0 {
		c.fault("Gate.Window", g.Window, fmt.Sprintf("1 to %d requests", maxWindow))
	}
}
