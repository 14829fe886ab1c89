package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

// theatre is where stories are played: one backend and one client for all of them.
type theatre struct {
	backend *transporttest.Backend
	client  *http.Client
	shared  *transport.Shared
	tracer  trace.Tracer
	spans   *recorder
	unwatch func() error // ends the metrics of shared
}

func open(o options, t *telemetry, stderr io.Writer) (*theatre, error) {
	p, err := patient()
	if err != nil {
		return nil, err
	}
	var logger *slog.Logger
	if o.log {
		logger = slog.New(otelwrap.LogHandler(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug})))
	}
	th := &theatre{
		backend: transporttest.NewBackend(),
		shared:  transport.NewShared(p, transport.Keys{}),
		tracer:  t.tracers.Tracer("github.com/steadytrip/steadytrip/examples/tracing"),
		spans:   t.spans,
		unwatch: func() error { return nil },
	}
	opts := otelwrap.Options{TracerProvider: t.tracers, MeterProvider: t.meters, Propagator: propagator}
	th.client, err = newClient(th.backend.Host(), th.shared, logger, opts)
	if err == nil {
		th.unwatch, err = otelwrap.Observe(th.shared, opts)
	}
	if err != nil {
		_ = th.backend.Close() // the error at hand says more
		return nil, err
	}
	return th, nil
}

func (th *theatre) close() error {
	th.client.CloseIdleConnections()
	return errors.Join(th.unwatch(), th.backend.Close())
}

// round plays stories one after the other and hands the report of each to show. It returns the names of those that did not end as told.
// The end of ctx ends it.
func (th *theatre) round(ctx context.Context, stories []story, show func(*report), stderr io.Writer) (failed []string) {
	for _, s := range stories {
		r := th.play(ctx, s)
		if ctx.Err() != nil {
			return failed
		}
		show(r)
		if len(r.faults) > 0 {
			failed = append(failed, s.name)
			for _, fault := range r.faults {
				fmt.Fprintf(stderr, "tracing: %s: %s\n", s.name, fault)
			}
		}
	}
	return failed
}

// report is what came of a story.
type report struct {
	story  story
	spans  []sdktrace.ReadOnlySpan
	faults []string // what it told, and how it came instead
}

// patience is how long a story may take.
const patience = 20 * time.Second

// play plays a story, within a span of its own.
func (th *theatre) play(ctx context.Context, s story) *report {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ctx, span := th.tracer.Start(ctx, "story "+s.name)
	st := &stage{theatre: th, ctx: ctx}
	s.play(st)
	if len(st.faults) > 0 {
		span.SetStatus(codes.Error, "")
	}
	span.End()
	return &report{s, th.spans.take(), st.faults}
}

// stage is where one story is played.
type stage struct {
	*theatre
	ctx    context.Context //nolint:containedctx // it lives as long as the story
	faults []string
}

// authorization and token are secrets that no telemetry, log or output may hold.
const (
	authorization = "Bearer must-not-show"
	token         = "must-not-show-either"
)

// result is what came of a call.
type result struct {
	status int
	err    error // typed, also if the answer says no
	trail  transport.Trail
}

// String tells a result without the error's text, in which http.Client repeats the URL.
func (r result) String() string {
	return fmt.Sprintf("%d %s, %d attempts, %s", r.status, classify.Of(nil, r.err).Kind, r.trail.Attempts, r.trail.Reason)
}

// do sends a request with the theatre's client, about a grant if it is named.
func (s *stage) do(method, grant, target string) result {
	ctx := s.ctx
	if grant != "" {
		ctx = transport.ForGrant(ctx, grant)
	}
	var body io.Reader = http.NoBody
	if method == http.MethodPost {
		body = strings.NewReader(`{"title":"lunch"}`) // can be sent again: the request has a GetBody
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return result{err: err}
	}
	req.Header.Set("Authorization", authorization)
	resp, err := s.client.Do(req)
	if err != nil {
		return result{err: err, trail: transport.TrailOf(nil, err)}
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // the connection is used again
	return result{resp.StatusCode, classify.CheckResponse(resp), transport.TrailOf(resp, nil)}
}

// events is the URL of a grant's calendar.
func (s *stage) events(grant string) string { return s.backend.URL + "/v1/grants/" + grant + "/events" }

// check holds the story to what it told, and returns whether it came so.
func (s *stage) check(told string, ok bool, got any) bool {
	if !ok {
		s.faults = append(s.faults, fmt.Sprintf("told: %s; got: %v", told, got))
	}
	return ok
}

// wait lets time pass, until the story's is over.
func (s *stage) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

// until waits for something that others do. It returns whether it has come before the story's time is over.
func (s *stage) until(come func() bool) bool {
	for !come() && s.ctx.Err() == nil {
		s.wait(5 * time.Millisecond)
	}
	return s.ctx.Err() == nil
}
