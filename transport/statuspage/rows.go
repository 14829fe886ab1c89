package statuspage

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport"
)

// A row is a status as it is told, in JSON and on the page alike.
type (
	forced struct {
		Key   string    `json:"key"`
		State string    `json:"state"`
		Until time.Time `json:"until,omitzero"`
		Left  *float64  `json:"seconds_left,omitempty"`
	}

	breaker struct {
		Name     string    `json:"name"`
		Key      string    `json:"key"`
		State    string    `json:"state"`
		Until    time.Time `json:"until,omitzero"`
		Left     *float64  `json:"seconds_left,omitempty"`
		Failures int       `json:"failures"`
		Probes   int       `json:"probes"`
		Window   int       `json:"window"`
		InFlight int       `json:"in_flight"`
		Held     int       `json:"held"`
		OpenedBy *cause    `json:"opened_by,omitempty"`
	}

	// cause is what may be told of a verdict.
	cause struct {
		Kind   string `json:"kind"`
		Action string `json:"action"`
		Todo   string `json:"-"`
	}

	gate struct {
		Key      string `json:"key"`
		State    string `json:"state"`
		Waiting  int    `json:"waiting"`
		InFlight int    `json:"in_flight"`
	}

	budget struct {
		Key      string  `json:"key"`
		Tokens   float64 `json:"tokens"`
		Capacity float64 `json:"capacity"`
	}
)

// Due reports whether the breaker waits for nothing but a request to probe with.
func (b breaker) Due() bool { return b.Left != nil && *b.Left == 0 }

// rows makes rows of what is known at a moment.
type rows struct {
	now      time.Time
	showKeys bool
}

// forEver is longer than anybody forces a key for a while: beyond it, it is until Reset.
const forEver = 50 * 365 * 24 * time.Hour

func (r rows) forced(s transport.ForcedStatus) forced {
	row := forced{Key: r.key(s.Key), State: s.State.String()}
	if s.Until.Sub(r.now) < forEver {
		row.Until, row.Left = r.until(s.Until)
	}
	return row
}

func (r rows) breaker(s transport.BreakerStatus) breaker {
	row := breaker{
		Name: s.Name, Key: r.key(s.Key), State: s.State.String(),
		Failures: s.Failures, Probes: s.Probes, Window: s.Window, InFlight: s.Flying, Held: s.Held,
	}
	if !s.Until.IsZero() {
		row.Until, row.Left = r.until(s.Until)
	}
	if k := s.Verdict.Kind; k != classify.Unclassified {
		row.OpenedBy = &cause{k.String(), k.Action().String(), k.Action().Todo()}
	}
	return row
}

func (r rows) gate(s transport.GateStatus) gate {
	row := gate{Key: r.key(s.Key), State: "releasing", Waiting: s.Waiting, InFlight: s.Flying}
	if s.Closed {
		row.State = "closed"
	}
	return row
}

func (r rows) budget(s transport.BudgetStatus) budget {
	return budget{r.key(s.Key), thousandths(s.Tokens), thousandths(s.Capacity)}
}

// until is a moment to come, and the seconds until then.
func (r rows) until(t time.Time) (time.Time, *float64) {
	left := thousandths(max(0, t.Sub(r.now).Seconds()))
	return moment(t), &left
}

func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func thousandths(x float64) float64 { return math.Round(x*1000) / 1000 }

// key is what a key is called: by its name, with a fingerprint in place of all that may be secret.
func (r rows) key(k transport.Key) string {
	if !r.showKeys {
		k.Own, k.Grant = fingerprint(k.Own), fingerprint(k.Grant)
	}
	return k.String()
}

// salt keeps others from finding out by trial what a fingerprint stands for.
var salt = rand.Text()

// fingerprint tells texts apart without telling them; of no text there is none.
func fingerprint(text string) string {
	if text == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(salt + text))
	return "#" + hex.EncodeToString(sum[:3])
}
