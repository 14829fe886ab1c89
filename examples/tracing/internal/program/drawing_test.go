package program

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

var noon = time.Date(2026, time.May, 4, 12, 0, 0, 0, time.UTC)

// trunk makes a trace: spans with numbers, from and to in milliseconds.
type trunk []tracetest.SpanStub

func (t *trunk) add(parent, id int, name string, from, to int, set ...attribute.KeyValue) {
	context := func(id int) trace.SpanContext {
		if id == 0 {
			return trace.SpanContext{}
		}
		return trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{15: 1}, SpanID: trace.SpanID{6: byte(id >> 8), 7: byte(id)}, TraceFlags: trace.FlagsSampled,
		})
	}
	stub := tracetest.SpanStub{
		Name: name, SpanKind: trace.SpanKindInternal, SpanContext: context(id), Parent: context(parent), Attributes: set,
		StartTime: noon.Add(time.Duration(from) * time.Millisecond), EndTime: noon.Add(time.Duration(to) * time.Millisecond),
	}
	if name == "GET" {
		stub.SpanKind = trace.SpanKindClient
	}
	for _, kv := range set {
		if kv.Key == "error.type" {
			stub.Status.Code = codes.Error
		}
	}
	*t = append(*t, stub)
}

func (t *trunk) spans() []sdktrace.ReadOnlySpan { return tracetest.SpanStubs(*t).Snapshots() }

func status(n int) attribute.KeyValue { return attribute.Int("http.response.status_code", n) }

func text(key, value string) attribute.KeyValue { return attribute.String(key, value) }

// retried is a call with two attempts, told in the order in which spans end.
func retried() []sdktrace.ReadOnlySpan {
	var t trunk
	t.add(2, 3, "GET", 10, 20, status(503), text("error.type", "503"), text("steadytrip.kind", "backend_unavailable"),
		text("steadytrip.action", "retry"))
	t.add(2, 4, "GET", 80, 90, status(200), attribute.Int("http.request.resend_count", 1))
	t.add(1, 2, "call GET", 10, 90, attribute.Int("steadytrip.attempts", 2), text("steadytrip.stop_reason", "succeeded"),
		attribute.Float64("steadytrip.wait.duration", 0.06), attribute.StringSlice("steadytrip.wait.by", []string{"pause"}),
		text("url.full", "http://127.0.0.1/"))
	t.add(0, 1, "story", 0, 100)
	return t.spans()
}

func TestTreeIsDrawnByParents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		width int
		spans []sdktrace.ReadOnlySpan
		want  string
	}{
		{"attributes stand beside the bars where there is room", 120, retried(), `
trace 00000000000000000000000000000001
story       internal   100ms ███████████████
└─ call GET internal    80ms ·█████████████·           attempts=2 stop_reason=succeeded wait.duration=60ms wait.by=pause
   ├─ GET   client      10ms ·██············ 503 error kind=backend_unavailable action=retry
   └─ GET   client      10ms ············██· 200       resend_count=1
`},
		{"they are wrapped where there is less", 100, retried(), `
trace 00000000000000000000000000000001
story       internal   100ms ███████████████
└─ call GET internal    80ms ·█████████████·           attempts=2 stop_reason=succeeded
   │                                                   wait.duration=60ms wait.by=pause
   ├─ GET   client      10ms ·██············ 503 error kind=backend_unavailable action=retry
   └─ GET   client      10ms ············██· 200       resend_count=1
`},
		{"they stand below the bars where there is none", 60, retried(), `
trace 00000000000000000000000000000001
story       internal   100ms ███████████████
└─ call GET internal    80ms ·█████████████·
   │  attempts=2 stop_reason=succeeded wait.duration=60ms
   │  wait.by=pause
   ├─ GET   client      10ms ·██············ 503 error
   │    kind=backend_unavailable action=retry
   └─ GET   client      10ms ············██· 200
        resend_count=1
`},
		{"siblings that are alike are one row, with the times of all", 120, alikes(4), `
trace 00000000000000000000000000000001
story          internal   100ms ███████████████
├─ call GET ×4 internal   ≤80ms ▒▒▒▒▒▒▒▒▒▒▒▒···           attempts=1 wait.duration=10ms-40ms
│  └─ GET ×4   client     ≤10ms ▒▒▒▒▒▒········· 200
└─ call GET    internal     5ms ··············█           attempts=0
`},
		{"two are not", 120, alikes(2), `
trace 00000000000000000000000000000001
story       internal   100ms ███████████████
├─ call GET internal    80ms ████████████···           attempts=1 wait.duration=10ms
│  └─ GET   client      10ms ██············· 200
├─ call GET internal    79ms ████████████···           attempts=1 wait.duration=20ms
│  └─ GET   client      10ms ·██············ 200
└─ call GET internal     5ms ··············█           attempts=0
`},
		{"a span whose parent is not there is a root", 120, retried()[:1], `
trace 00000000000000000000000000000001
GET client      10ms ███████████████ 503 error kind=backend_unavailable action=retry
`},
		{"nothing is told of", 120, nil, `
no spans
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			newDrawing(false, c.width).write(&out, c.spans)
			if got, want := out.String(), strings.TrimPrefix(c.want, "\n"); got != want {
				t.Errorf("drew\n%s\nwant\n%s", got, want)
			}
			for line := range strings.Lines(out.String()) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > c.width {
					t.Errorf("a line has %d columns, want %d at most:\n%s", n, c.width, line)
				}
			}
		})
	}
}

// alikes is a crowd of calls that differ in time only, and one that differs otherwise.
func alikes(n int) []sdktrace.ReadOnlySpan {
	var t trunk
	t.add(0, 1, "story", 0, 100)
	for i := range n {
		id := 10 + 2*i
		t.add(1, id, "call GET", i, 80, attribute.Int("steadytrip.attempts", 1), attribute.Float64("steadytrip.wait.duration", 0.01*float64(i+1)))
		t.add(id, id+1, "GET", 10*i, 10*i+10, status(200))
	}
	t.add(1, 2, "call GET", 95, 100, attribute.Int("steadytrip.attempts", 0))
	return t.spans()
}

func TestCrowdOfDifferentSpansIsCut(t *testing.T) {
	t.Parallel()
	var all trunk
	all.add(0, 1, "story", 0, 100)
	for i := range 500 {
		all.add(1, 2+i, fmt.Sprintf("call %d", i), i%100, 100)
	}
	var out bytes.Buffer
	newDrawing(false, 0).write(&out, all.spans())
	if got, want := strings.Count(out.String(), "\n"), 2+maxRows+1; got != want {
		t.Errorf("drew %d lines, want %d", got, want)
	}
	if want := "└─ and 480 spans more\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("drew\n%s\nwant %q at the end", out.String(), want)
	}
}

func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	var plain, painted bytes.Buffer
	newDrawing(false, 0).write(&plain, retried())
	newDrawing(true, 0).write(&painted, retried())
	if strings.Contains(plain.String(), "\x1b") {
		t.Errorf("drew escape sequences without colours:\n%q", plain.String())
	}
	for _, want := range []string{"\x1b[31merror\x1b[0m", "\x1b[36m·██", "├─ \x1b[31mGET\x1b["} {
		if !strings.Contains(painted.String(), want) {
			t.Errorf("drew\n%q\nwant %q in it", painted.String(), want)
		}
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		from, to time.Duration
		whole    time.Duration
		want     string
	}{
		{"all of it", 0, 15, 15, "███████████████"},
		{"a moment at the start", 0, 0, 15, "█··············"},
		{"a moment at the end", 15, 15, 15, "··············█"},
		{"the middle", 5, 10, 15, "·····█████·····"},
		{"a whole without length", 0, 0, 0, "███████████████"},
		{"longer than the whole, by another clock", 0, 30, 15, "███████████████"},
		{"hours", time.Hour, 2 * time.Hour, 3 * time.Hour, "·····█████·····"},
	} {
		if got := bar(c.from, c.to, c.whole, false); got != c.want {
			t.Errorf("%s: bar %q, want %q", c.name, got, c.want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 1234 * time.Nanosecond: "1µs", 1567 * time.Microsecond: "1.6ms", 12345 * time.Microsecond: "12ms", 4498 * time.Millisecond: "4.5s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %q, want %q", d, got, want)
		}
	}
}
