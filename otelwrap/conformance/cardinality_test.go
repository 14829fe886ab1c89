package conformance

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

// 10 000 hosts, paths, codes, grants, methods and statuses.
func TestSeriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		l.reader = sdkmetric.NewManualReader()
		l.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(l.reader), sdkmetric.WithCardinalityLimit(100_000))
		l.tracers = sdktrace.NewTracerProvider()
		shared := transport.NewShared(nil, transport.Keys{})
		stop, err := otelwrap.Observe(shared, l.options(otelwrap.Options{}))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = stop() }()
		n := 0
		base := roundTrip(func(req *http.Request) (*http.Response, error) {
			if n%7 == 0 {
				return nil, io.ErrUnexpectedEOF
			}
			body := fmt.Sprintf(`{"error":"code_%d","details":{"grant_id":"g%d"}}`, n, n)
			header := http.Header{"Retry-After": {"100"}, "Ratelimit": {fmt.Sprintf(`"p%d";r=0;t=9`, n)}}
			one := replies{all: []reply{{100 + n%900, body, header}}}
			resp, err := one.RoundTrip(req)
			resp.ProtoMajor = n % 5
			return resp, err
		})
		backend := classify.ClassifierFunc(func(o classify.Outcome) classify.Verdict {
			alter, err := classify.ForAlter(o.Host)
			if err != nil {
				return classify.Verdict{}
			}
			return alter.Classify(o)
		})
		rt := l.chain(t, base, transport.Config{Classifier: backend, Shared: shared}, otelwrap.Options{})
		methods := []string{"GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "QUERY"}
		for ; n < 10_000; n++ {
			ctx := transport.ForGrant(transport.NoRetry(t.Context()), fmt.Sprint("grant-", n))
			req := get(ctx, t, fmt.Sprintf("https://host%d.example:%d/path/%d", n, 1000+n%50_000, n))
			req.Method = fmt.Sprint("M", n)
			if n%2 == 0 {
				req.Method = methods[n/2%len(methods)]
			}
			finish(rt.RoundTrip(req))
		}
		all := 0
		for _, m := range l.metrics(t) {
			points, _ := l.metric(t, m.Name)
			t.Logf("%-40s %5d series", m.Name, len(points))
			if m.Name == "http.client.request.duration" {
				if len(points) > 2000 {
					t.Errorf("%s has %d series, want at most 2000", m.Name, len(points))
				}
				count := uint64(0)
				servers := map[any]bool{}
				for _, p := range points {
					count += p.count
					servers[p.set["server.address"]] = true
				}
				t.Logf("%d attempts", count)
				if count == 0 || len(servers) != 101 {
					t.Errorf("%d attempts, %d servers told apart, want some, and 100 and the others", count, len(servers))
				}
				continue
			}
			all += len(points)
		}
		if all == 0 || all > 300 {
			t.Errorf("all other metrics together have %d series, want at most 300", all)
		}
	})
}

// What comes in addition is still counted.
func TestNoAttemptIsLostToTheBound(t *testing.T) {
	l := newLab()
	l.tracers = sdktrace.NewTracerProvider()
	rt := l.chain(t, &replies{all: []reply{{status: 200}}}, transport.Config{}, otelwrap.Options{})
	for n := range 500 {
		finish(rt.RoundTrip(get(t.Context(), t, fmt.Sprintf("https://host%d.example", n))))
	}
	points, _ := l.metric(t, "http.client.request.duration")
	for _, p := range points {
		if p.set["server.address"] == "_OTHER" {
			if p.count != 400 || p.set["server.port"] != int64(0) {
				t.Errorf("the others are %d at port %v, want 400 at port 0", p.count, p.set["server.port"])
			}
			return
		}
	}
	t.Errorf("%d series and none of the others", len(points))
}

func TestTheClientsTimeoutIsAnError(t *testing.T) {
	for range 20 {
		l := newLab()
		client := &http.Client{Timeout: 5 * time.Millisecond, Transport: l.chain(t, roundTrip(func(req *http.Request) (*http.Response, error) {
			select {
			case <-req.Context().Done():
				return nil, req.Context().Err()
			//lint:ignore SA1019 http.Client.Timeout sets it
			case <-req.Cancel:
				return nil, http.ErrServerClosed
			}
		}), transport.Config{}, otelwrap.Options{})}
		finish(client.Do(get(t.Context(), t, "https://api.example")))
		for _, s := range l.spans.Ended() {
			if got := setOf(s.Attributes())["error.type"]; got != "deadline" {
				t.Errorf("error.type of %q is %v, want deadline", s.Name(), got)
			}
		}
	}
}
