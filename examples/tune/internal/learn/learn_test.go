package learn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/tune/internal/learn"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	hold    = simulate.Delay{Median: 900 * time.Millisecond, P99: 4 * time.Second}
	latency = simulate.Delay{Median: 40 * time.Millisecond, P99: 200 * time.Millisecond}
)

// refreshes is a scenario in which the token of a grant is refreshed n times, one after the other, for times that have the
// distribution of hold.
func refreshes(n int) simulate.Scenario {
	const every = 12 * time.Second
	s := simulate.Scenario{
		Duration: time.Duration(n+1) * every,
		Traffic:  []simulate.Traffic{{Kind: simulate.Open, Rate: 25, Deadline: 11 * time.Second, Keys: simulate.Keys{Count: 2, Hot: 0.8}}},
		Backend:  simulate.Backend{Latency: latency},
	}
	for i := range n {
		p := (float64(i*7919%n) + 0.5) / float64(n) // each quantile once, in an order of its own
		s.Faults = append(s.Faults, simulate.Fault{
			Kind: simulate.Lock, At: time.Duration(i+1) * every, Keys: []int{0}, Hold: simulate.Delay{Median: hold.Quantile(p)},
		})
	}
	return s
}

// logOf plays a scenario and returns what the chain logs.
func logOf(t *testing.T, s simulate.Scenario, set policy.Set, level slog.Level) []byte {
	t.Helper()
	var b bytes.Buffer
	r := simulate.On(t)
	r.Configure = func(c *transport.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: level}))
	}
	if _, err := r.Run(t.Context(), s, set); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *testing.T, data []byte) *learn.Log {
	t.Helper()
	l, err := learn.Read(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// fits reports a fit that is farther from what it is a fit of than a share of it.
func fits(t *testing.T, what string, s *learn.Series, want simulate.Delay, share float64) {
	t.Helper()
	got, err := s.Fit()
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	off := func(got, want time.Duration) bool { return math.Abs(float64(got)/float64(want)-1) > share }
	if off(got.Median, want.Median) || off(got.P99, want.P99) || got.Grade() == "poor" {
		t.Errorf("%s: got %+v of %d, want %+v within %.0f%%", what, got, s.Count(), want, 100*share)
	}
}

// What the simulator was told comes back from what the chain has logged of it: holds within 15 %, since a lock is older than its
// first refusal by 1/20 s on average, ends between two requests, and 60 samples are few for a 99th percentile; latencies within 10 %.
func TestWhatWasSimulatedIsLearned(t *testing.T) {
	const n = 60
	ungated := policy.Default()
	ungated.Gate = policy.Gate{}
	for name, set := range map[string]policy.Set{"with a gate": policy.Default(), "each call for itself": ungated} {
		t.Run(name, func(t *testing.T) {
			l := read(t, logOf(t, refreshes(n), set, slog.LevelDebug))
			if l.Holds.Count() != n || l.Longer != 0 || l.Lost != 0 || l.Foreign+l.NotJSON+l.TooLong != 0 || l.Ours != l.Lines {
				t.Errorf("got %d holds of %d refreshes, %d longer, %d of %d lines lost", l.Holds.Count(), n, l.Longer, l.Lost, l.Lines)
			}
			if calls := l.Latency.Count(); l.Joined != calls-n {
				t.Errorf("%d of %d calls came later, want all but %d", l.Joined, calls, n)
			}
			fits(t, "hold", &l.Holds, hold, 0.15)
			fits(t, "latency", &l.Latency, latency, 0.1)
			if gated := l.Waits.Count() > 0; gated != set.Gate.Enabled() {
				t.Errorf("%d waits at a gate", l.Waits.Count())
			}
			if refused := l.Failed[classify.TokenRefreshInProgress.String()]; refused == nil || refused.Count() == 0 {
				t.Error("no attempts are known that failed")
			}
		})
	}
}

func TestWithoutDebugLinesThereIsTooLittle(t *testing.T) {
	l := read(t, logOf(t, refreshes(3), policy.Default(), slog.LevelInfo))
	if l.Ours == 0 || l.Retries != 0 || l.Holds.Count()+l.Latency.Count() != 0 {
		t.Errorf("got %+v", l)
	}
}

// A call that ends while the token is still being refreshed has not seen how long that takes.
func TestACallThatGivesUpTellsNoHold(t *testing.T) {
	s := simulate.Scenario{
		Duration: time.Minute,
		Traffic:  []simulate.Traffic{{Kind: simulate.Burst, Calls: 1, From: time.Second, Deadline: 2 * time.Second}},
		Faults:   []simulate.Fault{{Kind: simulate.Lock, Hold: simulate.Delay{Median: 10 * time.Second}}},
	}
	l := read(t, logOf(t, s, policy.Default(), slog.LevelDebug))
	if l.Longer != 1 || l.Holds.Count() != 0 {
		t.Errorf("got %d longer, %d holds; want 1 and none", l.Longer, l.Holds.Count())
	}
}

// trailLine is a line with the trail of a call that was refused for as long as a token was refreshed.
func trailLine(t *testing.T, at time.Time, hold time.Duration) string {
	t.Helper()
	refused := classify.Verdict{Kind: classify.TokenRefreshInProgress}
	trail := transport.Trail{
		Attempts: 3, Waited: hold,
		Records: []transport.Record{
			{Status: 409, Verdict: refused, Duration: 10 * time.Millisecond, Pause: hold - 20*time.Millisecond},
			{Status: 409, Verdict: refused, Duration: 10 * time.Millisecond, Pause: 20 * time.Millisecond},
			{Status: 200, Duration: 30 * time.Millisecond},
		},
	}
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	r := slog.NewRecord(at, slog.LevelInfo, "ours", 0)
	r.AddAttrs(slog.Any("trail", trail))
	if at.IsZero() {
		data, err := json.Marshal(trail)
		if err != nil {
			t.Fatal(err)
		}
		return string(data) + "\n"
	}
	if err := log.Handler().Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTrailsTellTheSame(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, moment := range map[string]func(int) time.Time{
		"in lines with a moment": func(i int) time.Time { return start.Add(time.Duration(i) * time.Minute) },
		"as they are":            func(int) time.Time { return time.Time{} },
	} {
		var b strings.Builder
		const n = 99
		for i := range n {
			b.WriteString(trailLine(t, moment(i), hold.Quantile((float64(i)+0.5)/n)))
		}
		l := read(t, []byte(b.String()))
		if l.Trails != n || l.Foreign != 0 || l.Holds.Count() != n || l.Latency.Count() != n {
			t.Errorf("%s: %d trails, %d foreign, %d holds, %d latencies", name, l.Trails, l.Foreign, l.Holds.Count(), l.Latency.Count())
		}
		fits(t, name, &l.Holds, hold, 0.05)
	}
	// Two calls that meet the same refresh are one of it: the one that met it first.
	l := read(t, []byte(trailLine(t, start, time.Second)+trailLine(t, start.Add(10*time.Millisecond), 4*time.Second)))
	if l.Holds.Count() != 1 || l.Joined != 1 || l.Holds.Quantile(1) != 4*time.Second {
		t.Errorf("got %d holds, the longest %s, %d joined", l.Holds.Count(), l.Holds.Quantile(1), l.Joined)
	}
}

func TestLinesOfOthersAreSkippedAndCounted(t *testing.T) {
	long := `{"msg":"` + strings.Repeat("x", learn.MaxLine) + `"}`
	text := strings.Join([]string{
		`{"time":"2026-01-01T00:00:00Z","level":"INFO","msg":"hello"}`,
		"", "plain text", `{"msg":`, `[1,2]`, `"text"`, `{"msg":"call failed"}`,
		`{"time":"yesterday","msg":"call failed"}`, `{"msg":"x","duration":{"s":1}}`, `{"msg":"x","duration":"soon"}`, long, `{"Records":7}`,
		`{"time":"2026-01-01T00:00:00Z","msg":"breaker changed its state","breaker":"outage"}`,
		`{"time":"2026-01-01T00:00:01Z","msg":"attempt failed, trying again","attempt":2,"kind":"timeout","duration":"1s","pause":"200ms"}`,
		`{"time":"2026-01-01T00:00:02Z","msg":"call succeeded after retries","attempts":3,"kind":"success","duration":1,"waited":0}`,
	}, "\n")
	l := read(t, []byte(text))
	if l.Lines != 15 || l.TooLong != 1 || l.Ours != 3 || l.Lost != 2 || l.NotJSON != 3 || l.Foreign != 8 {
		t.Errorf("got %d lines, %d too long, %d ours, %d lost, %d no JSON, %d foreign", l.Lines, l.TooLong, l.Ours, l.Lost, l.NotJSON, l.Foreign)
	}
	if s := l.Failed["timeout"]; s == nil || s.Quantile(1) != time.Second {
		t.Errorf("got %+v", l.Failed)
	}
}

// endless is a log that never ends, and never has the end of a call.
type endless struct {
	n    int
	rest string
}

func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		e.rest = e.line()
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func (e *endless) line() string {
	e.n++
	return fmt.Sprintf(`{"time":%q,"msg":"attempt failed, trying again","host":"h%d","attempt":1,"kind":"k%d","duration":%d,"pause":5}`+"\n",
		time.Unix(int64(e.n/1000), 0).UTC().Format(time.RFC3339), e.n%5000, e.n%5000, e.n)
}

func TestALogWithoutEndIsReadUntilToldToStop(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	source := &endless{}
	l, err := learn.Read(ctx, io.MultiReader(io.LimitReader(source, 4<<20), readerFunc(func([]byte) (int, error) {
		cancel(stop)
		return 0, stop
	})))
	if !errors.Is(err, stop) || l.Retries < 10_000 {
		t.Errorf("got %v after %d lines", err, l.Retries)
	}
	if len(l.Failed) > 256 {
		t.Errorf("%d kinds are kept", len(l.Failed))
	}
	if _, err := learn.Read(ctx, source); !errors.Is(err, stop) {
		t.Errorf("after the end of ctx: got %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestTooFewSamplesAreNotFitted(t *testing.T) {
	line := trailLine(t, time.Time{}, time.Second)
	l := read(t, []byte(strings.Repeat(line, learn.Least-1)))
	var few learn.TooFewError
	if _, err := l.Holds.Fit(); !errors.As(err, &few) || few.Count != learn.Least-1 {
		t.Errorf("got %v", err)
	}
	l = read(t, []byte(strings.Repeat(line, learn.Least)))
	if f, err := l.Holds.Fit(); err != nil || f.Median.Round(time.Millisecond) != time.Second || f.P99 != f.Median || f.Distance != 0 {
		t.Errorf("times that are all the same: got %+v, %v", f, err)
	}
}

// The distance of what is no lognormal distribution is far from that of one.
func TestTheDistanceTellsABadFit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	fit := func(draw func() time.Duration) learn.Fit {
		var b strings.Builder
		for range 500 {
			b.WriteString(trailLine(t, time.Time{}, draw()))
		}
		f, err := read(t, []byte(b.String())).Holds.Fit()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	good := fit(func() time.Duration { return hold.Quantile(rng.Float64()) })
	bad := fit(func() time.Duration { // of two kinds: a cache that hits or misses
		return time.Duration(1+rng.IntN(2)*20) * (time.Second + time.Duration(rng.IntN(1e8)))
	})
	if good.Grade() != "good" || good.Distance > 0.05 || bad.Grade() != "poor" || bad.Distance < 0.2 {
		t.Errorf("got %s, %v, and %s, %v", good.Grade(), good.Distance, bad.Grade(), bad.Distance)
	}
}

// Whatever is in a log, each line is one of its counts, and what is learned of it is a time.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"time":"2026-01-01T00:00:00Z","msg":"attempt failed, trying again","host":"a","attempt":1,"kind":"token_refresh_in_progress","duration":5,"pause":9}
{"time":"2026-01-01T00:00:00.1Z","msg":"call succeeded after retries","host":"a","attempts":2,"kind":"unclassified","duration":100000005,"waited":9}`))
	f.Add([]byte(`{"trail":{"Attempts":2,"Records":[{"Status":409,"Verdict":{"Kind":"token_refresh_in_progress"},"Duration":-5,"Pause":6},{"Status":200}],"Waited":-1}}`))
	f.Add([]byte("{\n\n\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := learn.Read(t.Context(), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if rest := l.Lines - l.Foreign - l.NotJSON - l.TooLong; rest < 0 || rest > l.Ours+l.Trails {
			t.Errorf("%d lines: %d ours, %d trails, %d foreign, %d no JSON, %d too long", l.Lines, l.Ours, l.Trails, l.Foreign, l.NotJSON, l.TooLong)
		}
		for _, s := range []*learn.Series{&l.Holds, &l.Latency, &l.Waits} {
			if q := s.Quantile(0); s.Count() > 0 && q <= 0 {
				t.Errorf("%d times, the least of which is %s", s.Count(), q)
			}
			if fit, err := s.Fit(); err == nil && (fit.Median <= 0 || math.IsNaN(fit.Distance)) {
				t.Errorf("got %+v", fit)
			}
		}
	})
}

// A log is whatever somebody wrote: what it says is not repeated unless it is known.
func TestKindsThatDoNotExistAndTimesThatCannotBeAreNotRepeated(t *testing.T) {
	const line = `{"time":"2026-03-01T00:00:00Z","msg":"attempt failed, trying again","kind":"%s","attempt":1,"duration":%d}` + "\n"
	text := fmt.Sprintf(line, `\u001b]0;token\u0007`, 5) + fmt.Sprintf(line, "timeout", math.MaxInt64) + fmt.Sprintf(line, "timeout", 1000000)
	l, err := learn.Read(t.Context(), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Failed) != 1 || l.Failed["timeout"] == nil {
		t.Fatalf("got %d kinds, want timeout alone", len(l.Failed))
	}
	if s := l.Failed["timeout"]; s.Count() != 1 || s.Quantile(0.99) != time.Millisecond {
		t.Errorf("got %d timeouts, the longest %s; want the one that took 1ms", s.Count(), s.Quantile(0.99))
	}
}
